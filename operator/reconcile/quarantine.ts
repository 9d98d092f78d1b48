/** Quarantine: running pods leave the network that they are in for another. They keep interface, MAC and addresses. */

import { askingInstead } from '../asked/rewrite.ts'
import { selects } from '../asked/selector.ts'
import type { Held } from '../claim/ledger.ts'
import { addressClaimName } from '../claim/names.ts'
import { isRefused } from '../kube/api.ts'
import { networkId, parseNetworkId } from '../kube/names.ts'
import { type Claim, collection, type InterfaceClaim, type Pod, place, type Quarantine } from '../kube/objects.ts'
import { forAll, isUsed, setCondition, type Work } from './work.ts'

export const reconcileQuarantine = async (work: Work, key: string): Promise<undefined> => {
  const { world } = work
  const request = world.quarantines.get(key)
  if (!request || request.metadata.deletionTimestamp) return undefined
  const { namespace = '' } = request.metadata
  const { selector, targetL2Network } = request.spec
  const target = networkId(namespace, targetL2Network)
  const sources = [...world.l2networks.values()].filter(
    ({ metadata }) =>
      metadata.namespace === namespace &&
      metadata.name !== targetL2Network &&
      selects(selector.l2NetworkSelector, metadata.labels),
  )
  const pods = [...world.pods.values()].filter(
    ({ metadata }) => metadata.namespace === namespace && selects(selector.podLabelSelector, metadata.labels),
  )
  const held = pods.flatMap(pod =>
    world.ledger
      .interfacesOf(pod.metadata.uid)
      .filter(({ spec }) => isUsed(world, spec))
      .map(claim => ({ pod, claim })),
  )
  const ids = new Set(sources.map(({ metadata }) => networkId(namespace, metadata.name)))
  const toMove = held.filter(({ claim }) => ids.has(claim.spec.network))
  const there = new Set(held.filter(({ claim }) => claim.spec.network === target).map(({ pod }) => pod.metadata.uid))
  const names = sources.map(({ metadata }) => metadata.name).toSorted()
  if (world.network(namespace, targetL2Network).is !== 'network') {
    await tell(work, request, names, toMove.length, 0, {
      reason: 'TargetMissing',
      message: `network ${targetL2Network} does not exist in namespace ${namespace}, or can not be used: no pod is moved`,
    })
    return undefined
  }
  const failed: string[] = []
  await forAll(
    toMove,
    async ({ pod, claim }) => {
      // An interface in both would be two ports in one network.
      if (there.has(pod.metadata.uid))
        return void failed.push(`pod ${pod.metadata.name} is in network ${targetL2Network} already`)
      await move(work, pod, claim, targetL2Network)
      there.add(pod.metadata.uid)
    },
    4,
  )
  const matched = new Set([...there, ...toMove.map(({ pod }) => pod.metadata.uid)]).size
  await tell(
    work,
    request,
    names,
    matched,
    there.size,
    failed.length > 0 ? { reason: 'NotMoved', message: failed.join('; ') } : undefined,
  )
  return undefined
}

const move = async (work: Work, pod: Pod, claim: Held<InterfaceClaim>, to: string): Promise<void> => {
  const { world, events, log } = work
  const { namespace = '', name, uid } = pod.metadata
  const source = claim.spec.network
  const from = parseNetworkId(source)!.name
  const network = networkId(namespace, to)
  // The annotation first: if the rest fails, the next look finds the claim where it was.
  const annotations = askingInstead(pod.metadata.annotations ?? {}, from, to)
  await world.api.patch(place('pods', pod.metadata), 'merge', { metadata: { uid, annotations } })
  await holdAddresses(work, pod, claim.spec, network)
  const claimUid = world.ledger.get(claim.name)?.metadata.uid
  world.ledger.put(
    await world.api.patch<Claim>(place('claims', { name: claim.name }), 'merge', {
      metadata: { uid: claimUid },
      spec: { network },
    }),
  )
  // Whoever takes its place there, under the address that it had, need not wait.
  for (const { name: address, spec } of world.ledger.addressesOf(uid))
    if (spec.network === source) {
      await world.api.remove(place('claims', { name: address }))
      world.ledger.drop(address)
    }
  events.tell(
    pod,
    'Pod',
    'Warning',
    'Quarantined',
    `moved from network ${from} to network ${to}; interface, MAC and addresses are kept`,
  )
  log.info({ pod: `${namespace}/${name}`, from: source, to: network }, 'pod moved')
}

/** It keeps its addresses, also where another pod has the same there: who quarantines must not wait for that. */
const holdAddresses = async (
  { world, events }: Work,
  pod: Pod,
  { pod: ref, ips = [] }: InterfaceClaim,
  network: string,
): Promise<void> => {
  for (const ip of ips) {
    const address = ip.split('/')[0]!
    const name = addressClaimName(network, address)
    try {
      const head = { apiVersion: 'l2sm.l2sm.k8s.local/v1', kind: 'Claim', metadata: { name } }
      world.ledger.put(
        await world.api.create<Claim>(collection('claims'), { ...head, spec: { pod: ref, network, address } }),
      )
    } catch (error) {
      if (!isRefused(error, 409)) throw error
      if (world.ledger.get(name)?.spec.pod.uid !== ref.uid)
        events.tell(
          pod,
          'Pod',
          'Warning',
          'AddressTaken',
          `address ${address} is another pod's in network ${network}: both have it now`,
        )
    }
  }
}

type Problem = { readonly reason: string; readonly message: string }

const tell = async (
  { world }: Work,
  request: Quarantine,
  sources: readonly string[],
  matched: number,
  moved: number,
  problem: Problem | undefined,
): Promise<void> => {
  const { metadata, status: before = {} } = request
  const observed = metadata.generation === undefined ? {} : { observedGeneration: metadata.generation }
  const done = { reason: 'Moved', message: `${moved} of ${matched} ${matched === 1 ? 'pod' : 'pods'} moved` }
  const condition = {
    type: 'Ready',
    status: problem ? ('False' as const) : ('True' as const),
    ...(problem ?? done),
    ...observed,
  }
  const conditions = setCondition(before.conditions, condition)
  const status = {
    ...{
      matchedPodCount: matched,
      movedPodCount: moved,
      targetL2NetworkName: request.spec.targetL2Network,
      sourceL2NetworkName: sources.join(','),
    },
    ...observed,
    ...(conditions && { conditions }),
  }
  const changed = Object.entries(status).filter(
    ([field, value]) => JSON.stringify(before[field as keyof typeof before]) !== JSON.stringify(value),
  )
  if (changed.length > 0)
    await world.api.patch(`${place('quarantines', metadata)}/status`, 'merge', {
      metadata: { uid: metadata.uid },
      status: Object.fromEntries(changed),
    })
}
