/** A pod of ours: what the webhooks missed is made up for, and what became of its networks is told on it. */

import { isWaiting } from '../asked/asked.ts'
import { restoreClaims } from '../claim/restore.ts'
import { take } from '../claim/take.ts'
import { multusNetworks, readyCondition } from '../kube/names.ts'
import { type Condition, type InterfaceClaim, type Pod, place } from '../kube/objects.ts'
import { isOver, isUsed, setCondition, type Work } from './work.ts'

/** Milliseconds until a pod that waits is looked at again. */
const patient = 2_000

export type Pods = { readonly reconcile: (key: string) => Promise<number | undefined> }

/** `attached`: pods of this network have changed. */
export const podReconciler = (work: Work, attached: (network: string) => void): Pods => ({
  reconcile: async key => {
    const { world } = work
    const pod = world.pods.get(key)
    if (!pod || isOver(pod) || pod.metadata.deletionTimestamp || !pod.spec.nodeName) return undefined
    if (isWaiting(pod.metadata.annotations)) return heal(work, pod, pod.spec.nodeName)
    const restored = await restoreClaims(world, pod)
    if (restored > 0)
      work.log.warn({ pod: key, claims: restored }, 'claims of a pod that runs were gone; they are there again')
    const held = world.ledger.interfacesOf(pod.metadata.uid).filter(({ spec }) => isUsed(world, spec))
    if (held.length === 0) return undefined
    const states = held.map(({ name, spec }) => ({
      spec,
      ...(work.seen.programmed.get(name) ?? { isProgrammed: false, why: 'the controller has not been told yet' }),
    }))
    for (const { spec, isProgrammed } of states) if (!isProgrammed) attached(spec.network)
    await tell(work, pod, states)
    return undefined
  },
})

/** It was bound without us: by name of a node, or while the webhook was away. Multus asks again until it has its networks. */
const heal = async ({ world, events, log }: Work, pod: Pod, node: string): Promise<number | undefined> => {
  const taken = await take(world, pod, node)
  if (taken.is === 'waits') {
    events.tell(pod, 'Pod', 'Warning', taken.reason, taken.message)
    return patient
  }
  const { uid } = pod.metadata
  await world.api.patch(place('pods', pod.metadata), 'merge', {
    metadata: { uid, annotations: { [multusNetworks]: taken.annotation } },
  })
  log.info({ pod: `${pod.metadata.namespace}/${pod.metadata.name}`, node }, 'pod got its interfaces after it was bound')
  return undefined
}

type State = { readonly spec: InterfaceClaim; readonly isProgrammed: boolean; readonly why: string }

const tell = async ({ world, events, record }: Work, pod: Pod, states: readonly State[]): Promise<void> => {
  const before = pod.status?.conditions?.find(({ type }) => type === readyCondition)
  const next = conditionOf(states)
  const conditions = setCondition(before ? [before] : [], next)
  if (!conditions) return
  await world.api.patch(`${place('pods', pod.metadata)}/status`, 'strategic', {
    metadata: { uid: pod.metadata.uid },
    status: { conditions },
  })
  if (before?.status === next.status && before.reason === next.reason) return
  if (next.status === 'True') {
    const message = states.map(({ spec }) => attachedText(spec)).join('; ')
    events.tell(pod, 'Pod', 'Normal', 'NetworksAttached', message)
    const bound = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled')?.lastTransitionTime
    if (before === undefined && bound)
      record.programmedSeconds.observe(Math.max(0, (Date.now() - Date.parse(bound)) / 1000))
  } else events.tell(pod, 'Pod', before?.status === 'True' ? 'Warning' : 'Normal', next.reason, next.message)
}

const conditionOf = (states: readonly State[]): Omit<Condition, 'lastTransitionTime'> => {
  const pending = states.filter(({ isProgrammed }) => !isProgrammed)
  if (pending.length === 0) {
    const message = `the switches have ${states.length === 1 ? 'its port' : `all its ${states.length} ports`}`
    return { type: readyCondition, status: 'True', reason: 'Programmed', message }
  }
  const message = pending
    .map(({ spec, why }) => `network ${spec.network}, ${portText(spec)}: ${why || 'the switch has not confirmed it'}`)
    .join('; ')
  return { type: readyCondition, status: 'False', reason: 'NetworksPending', message }
}

const portText = ({ interface: { node, port } }: InterfaceClaim) => `port ${port} of node ${node}`
const attachedText = (spec: InterfaceClaim) =>
  `network ${spec.network}: ${portText(spec)}, MAC ${spec.mac ?? 'learned'}${spec.ips ? `, ${spec.ips.join(', ')}` : ''}`
