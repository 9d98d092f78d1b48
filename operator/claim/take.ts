/**
 * Gives a pod on a node what it asks for: an interface in each network, and addresses there. A claim is made for each, by a
 * name of what is claimed: whoever makes it has it, whichever replica asks. Asked again, it answers the same.
 */

import { contains, isReserved, parseHost, spellIp, subnetOf } from '../address/ip.ts'
import { macOf } from '../address/mac.ts'
import { capacity, firstFree, type Pool, type Pools } from '../address/pool.ts'
import { type Asked, askedBy, refusedFor } from '../asked/asked.ts'
import { isFault } from '../asked/multus.ts'
import { type Api, isRefused } from '../kube/api.ts'
import { networkId, plainNad } from '../kube/names.ts'
import {
  type Claim,
  collection,
  type Interface,
  type InterfaceClaim,
  type Pod,
  type PodRef,
  place,
} from '../kube/objects.ts'
import type { Ledger } from './ledger.ts'
import { addressClaimName, interfaceClaimName } from './names.ts'

/** A network as pods see it; or why no pod can be in it. */
export type Found =
  | { readonly is: 'network'; readonly pools: Pools }
  | { readonly is: 'absent' }
  | { readonly is: 'unusable'; readonly why: string }

export type Stock = {
  readonly ledger: Ledger
  readonly api: Api
  /** The namespace of the NetworkAttachmentDefinitions of interfaces. */
  readonly namespace: string
  network(namespace: string, name: string): Found
  /** Whether it is a network in the oldest form. */
  isNad(namespace: string, name: string): boolean
  /** All interfaces of a node, those in use, too. */
  interfaces(node: string): readonly Interface[]
}

export type Taken =
  | { readonly is: 'taken'; readonly annotation: string; readonly claims: readonly InterfaceClaim[] }
  /** It is asked again later, and may succeed then. */
  | { readonly is: 'waits'; readonly reason: string; readonly message: string }

class Waits extends Error {
  readonly reason: string
  constructor(reason: string, message: string) {
    super(message)
    this.reason = reason
  }
}

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

type Wanted = Extract<Asked, { is: 'network' }> & { readonly pools: Pools }

const hold = async (stock: Stock, pod: Pod, node: string, wanted: Wanted): Promise<InterfaceClaim> => {
  const { namespace = '', name, uid } = pod.metadata
  const network = networkId(namespace, wanted.name)
  const held = stock.ledger
    .interfacesOf(uid)
    .find(({ spec }) => spec.network === network && spec.interface.node === node)
  if (held) return held.spec
  const ref = { namespace, name, uid }
  const ips = await (wanted.ips.length > 0
    ? holdAsked(stock, ref, network, wanted)
    : holdAny(stock, ref, network, wanted))
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

/** The addresses that the pod names. */
const holdAsked = async (
  stock: Stock,
  pod: PodRef,
  network: string,
  { name, ips, pools }: Wanted,
): Promise<string[]> => {
  const found: string[] = []
  for (const text of ips) {
    const { ip, length: given } = parseHost(text)!
    const pool = pools.find(({ subnet }) => contains(subnet, ip))
    const length = given ?? pool?.subnet.length
    if (length === undefined)
      throw new Waits(
        'BadAddress',
        `network ${name}: address ${text} needs a prefix length, such as ${text}/${ip.family === 4 ? 24 : 64}`,
      )
    if (pools.length > 0 && !pool)
      throw new Waits('BadAddress', `network ${name}: address ${text} is not in ${pools.map(subnetText).join(' or ')}`)
    if (isReserved(pool?.subnet ?? subnetOf(ip, length), ip))
      throw new Waits(
        'BadAddress',
        `network ${name}: ${text} is the address of the subnet itself, or its broadcast address`,
      )
    const address = spellIp(ip)
    if (!(await makeAddress(stock, pod, network, address))) {
      const holder = stock.ledger.addresses(network).get(address)?.pod
      throw new Waits(
        'AddressTaken',
        `network ${name}: address ${address} is held by ${holder ? `pod ${holder.namespace}/${holder.name}` : 'another pod'}`,
      )
    }
    found.push(`${address}/${length}`)
  }
  return found
}

/** One free address of each pool. */
const holdAny = async (stock: Stock, pod: PodRef, network: string, { name, pools }: Wanted): Promise<string[]> => {
  const found: string[] = []
  for (const pool of pools) {
    const own = stock.ledger
      .addressesOf(pod.uid)
      .find(({ spec }) => spec.network === network && inPool(pool, spec.address))
    const address = own?.spec.address ?? (await firstMade(stock, pod, network, pool))
    if (address === undefined)
      throw new Waits(
        'AddressesExhausted',
        `network ${name}: all ${capacity(pool)} addresses of ${subnetText(pool)} that pods may have are in use`,
      )
    found.push(`${address}/${pool.subnet.length}`)
  }
  return found
}

const firstMade = async (stock: Stock, pod: PodRef, network: string, pool: Pool): Promise<string | undefined> => {
  const { ledger } = stock
  for (;;) {
    const taken = ledger.addresses(network)
    const address = firstFree(pool, one => taken.has(one) || ledger.has(addressClaimName(network, one)))
    if (address === undefined || (await makeAddress(stock, pod, network, address))) return address
  }
}

const inPool = ({ subnet }: Pool, address: string) => contains(subnet, parseHost(address)!.ip)
const subnetText = ({ subnet: { family, first, length } }: Pool) => `${spellIp({ family, value: first })}/${length}`

const makeAddress = (stock: Stock, pod: PodRef, network: string, address: string): Promise<boolean> =>
  make(stock, addressClaimName(network, address), { pod, network, address }, other => other.spec.pod.uid === pod.uid)

/** Whether the claim is ours now. */
const make = async (
  { api, ledger }: Stock,
  name: string,
  spec: Claim['spec'],
  isOurs: (other: Claim) => boolean,
): Promise<boolean> => {
  const known = ledger.get(name)
  if (known) return isOurs(known)
  if (!ledger.reserve(name)) return false
  try {
    const body = { apiVersion: 'l2sm.l2sm.k8s.local/v1', kind: 'Claim', metadata: { name }, spec }
    ledger.put(await api.create<Claim>(collection('claims'), body))
    return true
  } catch (error) {
    if (!isRefused(error, 409)) throw error
    const other = await api.get<Claim>(place('claims', { name }))
    if (other) ledger.put(other)
    return other !== undefined && isOurs(other)
  } finally {
    ledger.free(name)
  }
}

/** What Multus is told: an interface of the node, with addresses and MAC, and whatever else the pod asked of it. */
const elementOf = (namespace: string, { interface: { nad }, mac, ips }: InterfaceClaim, element: object): object => {
  const { name: _n, namespace: _s, ips: _i, mac: _m, ...rest } = element as Record<string, unknown>
  return { name: ips ? nad : plainNad(nad), namespace, ...(ips && { ips }), mac, ...rest }
}
