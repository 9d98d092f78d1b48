/**
 * Gives a pod on a node what it asks for: an interface in each network, and addresses there. A claim is made for each, by a
 * name of what is claimed: whoever makes it has it, whichever replica asks. Asked again, it answers the same.
 */

import { macOf } from '../address/mac.ts'
import type { Pools } from '../address/pool.ts'
import { type Asked, askedBy, refusedFor } from '../asked/asked.ts'
import { isFault } from '../asked/multus.ts'
import { networkId, plainNad } from '../kube/names.ts'
import type { Claim, InterfaceClaim, Pod } from '../kube/objects.ts'
import { holdAny, holdAsked, keeperOf, type Wanted } from './addresses.ts'
import { interfaceClaimName } from './names.ts'
import { make, type Stock, Waits } from './stock.ts'

export type Taken =
  | { readonly is: 'taken'; readonly annotation: string; readonly claims: readonly InterfaceClaim[] }
  /** It is asked again later, and may succeed then. */
  | { readonly is: 'waits'; readonly reason: string; readonly message: string }

export const take = async (stock: Stock, pod: Pod, node: string): Promise<Taken> => {
  try {
    const asked = wish(stock, pod)
    const wanted = asked.map(one => (one.is === 'network' ? { ...one, pools: usable(stock, pod, one.name) } : one))
    const claims: InterfaceClaim[] = []
    const elements: object[] = []
    for (const one of wanted) {
      if (one.is === 'foreign') {
        elements.push(one.element)
        continue
      }
      const claim = await hold(stock, pod, node, one)
      claims.push(claim)
      elements.push(elementOf(stock.namespace, claim, one.element))
    }
    return { is: 'taken', annotation: JSON.stringify(elements), claims }
  } catch (error) {
    if (error instanceof Waits) return { is: 'waits', reason: error.reason, message: error.message }
    throw error
  }
}

const wish = ({ isNad, namespace }: Stock, pod: Pod): readonly Asked[] => {
  const refused = refusedFor(pod)
  const { annotations = {}, namespace: its = '' } = pod.metadata
  const asked = refused ? { fault: refused } : askedBy({ namespace: its, annotations }, isNad, namespace)
  if (isFault(asked)) throw new Waits('BadRequest', asked.fault)
  return asked
}

/** Nothing is claimed for a pod before all its networks are there. */
const usable = (stock: Stock, { metadata }: Pod, name: string): Pools => {
  const found = stock.network(metadata.namespace!, name)
  if (found.is === 'network') return found.pools
  throw found.is === 'absent'
    ? new Waits(
        'NetworkMissing',
        `network ${name} does not exist in namespace ${metadata.namespace}: the pod waits for it`,
      )
    : new Waits('NetworkUnusable', `network ${name}: ${found.why}`)
}

const hold = async (stock: Stock, pod: Pod, node: string, wanted: Wanted): Promise<InterfaceClaim> => {
  const { namespace = '', name, uid } = pod.metadata
  const network = networkId(namespace, wanted.name)
  const held = stock.ledger
    .interfacesOf(uid)
    .find(({ spec }) => spec.network === network && spec.interface.node === node)
  if (held) return held.spec
  const ref = { namespace, name, uid }
  const keeper = keeperOf(pod)
  const ips = await (wanted.ips.length > 0
    ? holdAsked(stock, ref, network, wanted)
    : holdAny(stock, ref, network, wanted, keeper))
  const mac = wanted.element.mac?.toLowerCase() ?? macOf(network, ips[0]?.split('/')[0] ?? uid)
  const rest = { pod: ref, network, mac, ...(ips.length > 0 && { ips }) }
  const all = stock.interfaces(node)
  for (const one of all) {
    const claim = interfaceClaimName(one.dpid, one.port)
    const spec = { ...rest, interface: one }
    const isOurs = (other: Claim) => other.spec.pod.uid === uid && other.spec.network === network
    if (await make(stock, claim, spec, isOurs)) return spec
  }
  const why =
    all.length === 0
      ? 'no interfaces: does its agent run, and is it in an Overlay?'
      : `no free interface: all ${all.length} are in use`
  throw new Waits('NoInterface', `node ${node} has ${why}`)
}

/** What Multus is told: an interface of the node, with addresses and MAC, and whatever else the pod asked of it. */
const elementOf = (namespace: string, { interface: { nad }, mac, ips }: InterfaceClaim, element: object): object => {
  const { name: _n, namespace: _s, ips: _i, mac: _m, ...rest } = element as Record<string, unknown>
  return { name: ips ? nad : plainNad(nad), namespace, ...(ips && { ips }), mac, ...rest }
}
