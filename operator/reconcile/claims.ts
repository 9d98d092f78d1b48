/** Claims that nobody needs any more are given up: an interface only when no switch has it in a network. */

import { type Held, isInterface } from '../claim/ledger.ts'
import { type AddressClaim, type InterfaceClaim, type KubeObject, type Pod, place } from '../kube/objects.ts'
import { forAll, isOver, isUsed, orAbsent, type Work } from './work.ts'

/** Milliseconds: a claim that was made for a binding that then failed; and between looks. */
const unusedFor = 30_000
const pace = 3_000

export const reconcileClaims = async (work: Work, now: number): Promise<number> => {
  const { world, record } = work
  const all = [...world.ledger.all()]
  const interfaces = all.filter((held): held is Held<InterfaceClaim> => isInterface(held.spec))
  const addresses = all.filter((held): held is Held<AddressClaim> => !isInterface(held.spec))
  record.claims.set({ kind: 'interface' }, interfaces.length)
  record.claims.set({ kind: 'address' }, addresses.length)
  for (const { name, since } of all) if (!world.claims.get(name) && now - since > 2 * unusedFor) world.ledger.drop(name)
  await forAll(interfaces, async held => {
    if (!isUsed(world, held.spec) && (await isNeedless(work, held, now))) await giveUpInterface(work, held)
  })
  await forAll(addresses, async held => {
    if (!isCarried(work, held.spec) && (await isNeedless(work, held, now)) && !(await isKept(work, held.spec)))
      await drop(work, held)
  })
  return pace
}

/** An address is used while an interface of its pod has it. */
const isCarried = ({ world }: Work, { pod, network, address }: AddressClaim): boolean =>
  world.ledger
    .interfacesOf(pod.uid)
    .some(({ spec }) => spec.network === network && (spec.ips ?? []).some(ip => ip.split('/')[0] === address))

/** The next pod of its name gets it, as long as its StatefulSet is there. */
const isKept = async ({ world }: Work, { keeper, pod }: AddressClaim): Promise<boolean> => {
  if (!keeper) return false
  const path = place('statefulsets', { namespace: pod.namespace, name: keeper.name })
  const set = await world.api.get<KubeObject & { readonly spec: { readonly replicas?: number } }>(path)
  if (set?.metadata.uid !== keeper.uid) return false
  // One that was scaled down does not keep what it will not have again.
  return Number(/\d+$/.exec(pod.name)?.[0] ?? 0) < (set.spec.replicas ?? 1)
}

/** The API server is asked, too: the mirror may be behind. */
const isNeedless = async (
  { world }: Work,
  { spec: { pod }, since }: Held<{ readonly pod: InterfaceClaim['pod'] }>,
  now: number,
): Promise<boolean> => {
  const known = world.pods.get(`${pod.namespace}/${pod.name}`)
  if (known?.metadata.uid === pod.uid && !isOver(known)) return now - since > unusedFor
  const there = await world.api.get<Pod>(place('pods', pod))
  return there?.metadata.uid !== pod.uid || isOver(there)
}

const giveUpInterface = async (work: Work, held: Held<InterfaceClaim>): Promise<void> => {
  const { world, seen, log } = work
  const {
    network,
    interface: { node, dpid, port },
  } = held.spec
  // While the pair is still in the pod, nobody else could have it.
  if (seen.used.has(held.name)) return
  if (seen.nodes.has(node)) {
    if (!(await isOut(work, { network, dpid, port }))) return
  } else if (world.nodes.get(node)) return
  await drop(work, held)
  seen.programmed.delete(held.name)
  log.debug({ claim: held.name, pod: held.spec.pod.name }, 'interface is free again')
}

type Port = { readonly network: string; readonly dpid: string; readonly port: number }

/** Takes a port out of its network; whether its switch has confirmed that it is in none. */
const isOut = async ({ controller }: Work, { network, dpid, port }: Port): Promise<boolean> => {
  if (await orAbsent(controller.getNetwork({ network }))) {
    const { state } = await controller.deleteAttachment({ network, dpid, port: String(port), wait: '2s' })
    return state === 'programmed'
  }
  // The network is gone as a whole; a switch that is away may still have it.
  const there = await orAbsent(controller.getSwitch({ dpid }))
  return there?.state === 'live' && there.flows.drift === 0
}

const drop = async ({ world }: Work, { name }: Held<unknown>): Promise<void> => {
  const uid = world.ledger.get(name)?.metadata.uid
  await world.api.remove(place('claims', { name }), { preconditions: { uid } })
  world.ledger.drop(name)
}
