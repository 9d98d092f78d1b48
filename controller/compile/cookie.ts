/**
 * Cookies say whose a flow is: magic (16 bits) | kind (8) | 8 zero bits | network number (32).
 * The marker keeps the store's instance id in its lower 40 bits instead.
 */
const magic = 0x6c32n // 'l2'

const kinds = { marker: 0, base: 1, network: 2, learned: 3, suppressed: 4, multicast: 5, cut: 6 } as const
export type Kind = keyof typeof kinds
const names = Object.keys(kinds) as Kind[]

export const cookieMask = 0xffff_ffff_ffff_ffffn

export const cookie = (kind: Exclude<Kind, 'marker'>, network = 0): bigint =>
  (magic << 48n) | (BigInt(kinds[kind]) << 40n) | BigInt(network)

/** Whether a cookie is of this kind, by its upper 32 bits. */
export const isOfKind = (kind: Kind, high: number): boolean => high === Number(magic) * 0x1_0000 + kinds[kind] * 0x100

/** @param instance 10 hex digits, as the store has it. */
export const markerCookie = (instance: string): bigint => (magic << 48n) | BigInt(`0x${instance}`)

export type Owner =
  | { readonly is: 'foreign' }
  | { readonly is: 'marker'; readonly instance: string }
  | { readonly is: Exclude<Kind, 'marker'>; readonly network: number }

/** Whose flow this is. A kind that this version does not know is ours all the same: its magic says so. */
export function owner(value: bigint): Owner {
  if (value >> 48n !== magic) return { is: 'foreign' }
  const kind = names[Number((value >> 40n) & 0xffn)] ?? 'network'
  if (kind === 'marker') return { is: 'marker', instance: (value & 0xff_ffff_ffffn).toString(16).padStart(10, '0') }
  return { is: kind, network: Number(value & 0xffff_ffffn) }
}

/** Which of the two sets of ways of a network: while one is in use, the other can be built. */
export type Epoch = 0 | 1

/** Group ids of ours: 7 bits of magic | network number (23) | epoch | remote. Others' groups never fall in here. */
const groupMagic = 0x26
export const groupId = (network: number, part: 'flood' | 'remote', epoch: Epoch = 0): number =>
  groupMagic * 0x200_0000 + network * 4 + epoch * 2 + (part === 'remote' ? 1 : 0)
export const groupOwner = (id: number): number | undefined =>
  Math.floor(id / 0x200_0000) === groupMagic ? (id % 0x200_0000) >>> 2 : undefined

/** Meter ids of ours: one for each learning port of a switch, and one for each end of a vlink. */
export const meterId = (port: number): number => 0x1_0000 + port
/** Of copies of our probes for loops: no port has number 0. */
export const loopProbeMeterId = 0x1_0000
export const limitMeterId = (port: number): number => 0x2_0000 + port
/** What limits what a port sends and gets (limits.ts). */
export type LimitKind = 'broadcast' | 'send' | 'receive'
const limitKinds: readonly LimitKind[] = ['broadcast', 'send', 'receive']
/** For each way that a port is in a network by, untagged (VLAN 0) or with a tag: 3, 4 or 5 (4 bits) | VLAN (12) | port (16). */
export const portLimitMeterId = (kind: LimitKind, port: number, vlan = 0): number =>
  (limitKinds.indexOf(kind) + 3) * 0x1000_0000 + vlan * 0x1_0000 + port
/** What a meter of ours limits, if it is such a one. */
export function limitOfMeter(
  id: number,
): { readonly kind: LimitKind; readonly port: number; readonly vlan: number | undefined } | undefined {
  const kind = limitKinds[(id >>> 28) - 3]
  const port = id & 0xffff
  return kind && port > 0 ? { kind, port, vlan: (id >>> 16) & 0xfff || undefined } : undefined
}
export const isOurMeter = (id: number): boolean =>
  (id >= loopProbeMeterId && id < 0x3_0000) || limitOfMeter(id) !== undefined
/** A port beyond this has no meter of its own. */
export const maxMeteredPort = 0xffff
/** So many meters a switch must be able to hold for all its ports to have theirs: two at most, one of each kind. */
export const metersFor = (ports: number): number => 2 * ports
