// Strict networks: switches answer ARP and neighbour solicitations themselves, where they can, and drop what is for nobody. Pure.
//
// Only what asks everybody is answered: a request to one MAC is how a machine finds out whether another one still lives.
import { type Action, type Match, ports, vid } from '../../openflow/index.ts'
import { groupId } from './cookie.ts'
import { type Declared, macOf } from './declared.ts'
import { entry, type Item } from './item.ts'
import type { LocalNetwork } from './local-network.ts'
import { type MatchField, metadata } from './pipeline.ts'

type Fields = { readonly [F in MatchField<'deliver'>]?: Match[F] }

const request = { eth_type: 0x0806, arp_op: 1, eth_dst: 'ff:ff:ff:ff:ff:ff', vlan_vid: vid.none } as const
const solicitation = { eth_type: 0x86dd, ip_proto: 58, icmpv6_type: 135, icmpv6_code: 0, vlan_vid: vid.none } as const
/** Where solicitations for an unknown MAC go (RFC 4291 §2.7.1, RFC 2464 §7). */
const solicitedNodes = { value: '33:33:ff:00:00:00', mask: 'ff:ff:ff:00:00:00' }
const solicitedNode = (ip: string): string => {
  const groups = ip.split('::').at(-1)!.split(':')
  const digits = [groups.at(-2), groups.at(-1)].map((group = '') => group.padStart(4, '0')).join('')
  return `33:33:ff:${digits.slice(2, 4)}:${digits.slice(4, 6)}:${digits.slice(6)}`
}

const toAll = (ip: string) => ({ eth_dst: solicitedNode(ip), ipv6_nd_target: ip })

/** A switch answers members of its own only. */
const isAsked = ({ local, datapath }: LocalNetwork): boolean => datapath.answers === true && local.length > 0

/** What everybody must hear though it asks for a known address. */
export function announce(items: Item[], localNetwork: LocalNetwork): void {
  if (!isAsked(localNetwork)) return
  flooded(items, localNetwork, 'announced', { ...request, arp_spa: '0.0.0.0' })
  flooded(items, localNetwork, 'announced', { ...solicitation, eth_dst: solicitedNodes, ipv6_src: '::' })
  const unsigned = { ipv6_nd_sll: '00:00:00:00:00:00' }
  flooded(items, localNetwork, 'unsigned', { ...solicitation, eth_dst: solicitedNodes, ...unsigned })
}

/** An IP address of the network: who asks for it gets its MAC, wherever it is. */
export function answer(items: Item[], localNetwork: LocalNetwork, declared: Declared, ip: string): void {
  const mac = macOf(declared, ip)
  if (mac === undefined || !isAsked(localNetwork)) return
  if (ip.includes(':')) {
    flooded(items, localNetwork, 'itself', { ...solicitation, ...toAll(ip), eth_src: mac })
    answer6(items, localNetwork, mac, ip)
  } else {
    flooded(items, localNetwork, 'itself', { ...request, eth_src: mac, arp_tpa: ip })
    answer4(items, localNetwork, mac, ip)
  }
}

/** As the flood of each path version has it. */
function flooded(
  items: Item[],
  { transits, marks }: LocalNetwork,
  kind: 'announced' | 'itself' | 'unsigned',
  match: Fields,
): void {
  for (const { frozen, local, epoch } of transits) {
    if (frozen) continue
    const apply = [{ type: 'group', groupId: groupId(marks.number, 'flood', epoch) }] as const
    items.push(entry(marks.number, 'deliver', kind, { ...marks.fixed, match: { metadata: local, ...match }, apply }))
  }
}

/** Metadata of what began here, whichever way frames go. */
const begunHere = (number: number) => ({ value: BigInt(number), mask: metadata.network | metadata.remote })

const move = (src: string, dst: string, nBits: number): Action =>
  ({ type: 'move', nBits, srcOffset: 0, dstOffset: 0, src, dst }) as Action
const set = (field: string, value: unknown): Action => ({ type: 'set_field', field, value }) as Action
const back: Action = { type: 'output', port: ports.inPort, maxLen: 0 }

function answer4(items: Item[], { marks: { number, fixed } }: LocalNetwork, mac: string, ip: string): void {
  const apply = [
    move('nxm_of_eth_src', 'nxm_of_eth_dst', 48),
    set('eth_src', mac),
    set('arp_op', 2),
    move('nxm_nx_arp_sha', 'nxm_nx_arp_tha', 48),
    move('nxm_of_arp_spa', 'nxm_of_arp_tpa', 32),
    set('arp_sha', mac),
    set('arp_spa', ip),
    back,
  ]
  const match = { metadata: begunHere(number), ...request, arp_tpa: ip }
  items.push(entry(number, 'deliver', 'asked4', { ...fixed, match, apply }))
}

/** Solicited and override (RFC 4861 §4.4). */
const solicitedOverride = 0x6000_0000
/** The option of the sender's address becomes one of the target's (§4.6.1). */
const targetLinkLayerAddress = 2

function answer6(items: Item[], { marks: { number, fixed } }: LocalNetwork, mac: string, ip: string): void {
  const apply = [
    move('nxm_of_eth_src', 'nxm_of_eth_dst', 48),
    set('eth_src', mac),
    move('nxm_nx_ipv6_src', 'nxm_nx_ipv6_dst', 128),
    set('ipv6_src', ip),
    set('icmpv6_type', 136),
    set('nd_options_type', targetLinkLayerAddress),
    set('nd_reserved', solicitedOverride),
  ]
  const asked = { metadata: begunHere(number), ...solicitation, ...toAll(ip) }
  items.push(entry(number, 'deliver', 'asked6', { ...fixed, match: asked, apply, goto: 'answer' }))
  const { eth_type, ip_proto, icmpv6_code } = solicitation
  const advertised = { eth_type, ip_proto, icmpv6_type: 136, icmpv6_code, ipv6_nd_target: ip } as const
  const match = { metadata: begunHere(number), ...advertised }
  items.push(entry(number, 'answer', 'advertised', { ...fixed, match, apply: [set('ipv6_nd_tll', mac), back] }))
}

/** Where all ports are held to their MACs, an address that nobody has needs no flood. */
export function dropUnknown(items: Item[], { marks: { number, fixed, any }, local, transits }: LocalNetwork): void {
  if (local.length === 0 && transits.every(({ direct }) => direct)) return
  const individual = { value: '00:00:00:00:00:00', mask: '01:00:00:00:00:00' }
  items.push(entry(number, 'deliver', 'dropUnknown', { ...fixed, match: { metadata: any, eth_dst: individual } }))
}
