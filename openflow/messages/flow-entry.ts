// Flow entries as bytes: how a switch's answer about 100,000 flows is compared without decoding one of them.
//
// A flow entry is kept as struct ofp_flow_stats (§7.3.5.2): 48 bytes of fixed fields, then match and instructions. Its
// canonical bytes have no durations and no counters, and every part in one order. So two entries are the same exactly
// when their canonical bytes are. What Open vSwitch answers about a flow, less durations and counters, is canonical
// already (test/ovs/openflow-entries.test.ts); `canonical` turns the answer of any other switch into it.
import { ports } from '../wire/constants.ts'
import { type Cursor, cursorOf, WireError } from '../wire/wire.ts'
import type { Action } from './action.ts'
import type { FieldRef } from './field-ref.ts'
import { type FieldName, fieldByName, type Match } from './fields.ts'
import type { Instruction } from './instruction.ts'
import { FlowStats } from './statistics.ts'

/** Where the fixed fields stand in an entry (§7.3.5.2), in bytes; `match` is where they end. */
export const entryAt = {
  ...{ length: 0, tableId: 2, duration: 4, priority: 12, idleTimeout: 14, hardTimeout: 16, flags: 18 },
  ...{ cookie: 24, packetCount: 32, byteCount: 40, match: 48 },
} as const

/** SEND_FLOW_REM, NO_PKT_COUNTS, NO_BYT_COUNTS: the others only say how to add a flow (§7.3.4.1). */
const keptFlags = 1 | 8 | 16

/** An entry without match fields and instructions. */
export const shortestEntry = 56

/** Takes one entry: `length` bytes of `bytes` from `at` on. */
export type EntryVisitor = (bytes: Buffer, at: number, length: number) => void

/**
 * Hands each entry of a flow statistics body to `visit`, in order, without making an object of it. Throws a WireError at
 * an entry whose length cannot be; the entries before it were visited. Returns how many there were.
 */
export function eachEntry(body: Buffer, visit: EntryVisitor): number {
  let at = 0
  let count = 0
  for (; at < body.length; count++) {
    const left = body.length - at
    const length = left < 2 ? left : (body[at]! << 8) | body[at + 1]!
    if (length < shortestEntry || length > left || length % 8 !== 0)
      throw new WireError(
        `flow entry ${count} says that it is ${length} bytes long; expected a multiple of 8, ${shortestEntry} to ${left}`,
        at,
      )
    visit(body, at, length)
    at += length
  }
  return count
}

/** One entry, decoded. Throws a WireError if it cannot be read. Padding is not checked, as in decodeLenient. */
export function decodeEntry(bytes: Buffer, at = 0, length = bytes.length): FlowStats {
  const c: Cursor = { ...cursorOf(bytes), at, base: at, end: at + length, strict: false }
  return FlowStats.read(c)
}

/** The length of the match in bytes, with its padding; so it ends at `entryAt.match` + this. */
const matchLength = (bytes: Buffer, at: number): number => {
  const length = (bytes[at + entryAt.match + 2]! << 8) | bytes[at + entryAt.match + 3]!
  return (length + 7) & ~7
}

/** What tells entries of one switch apart (§6.4): table, priority and match. Never beyond the entry's end. */
const identityEnd = (bytes: Buffer, at: number, length: number): number =>
  Math.min(length, entryAt.match + matchLength(bytes, at))

const word = (bytes: Buffer, at: number): number =>
  (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!

/** One step of MurmurHash3 (32 bits). */
function mix(hash: number, k: number): number {
  const scrambled = Math.imul(k, 0xcc9e2d51)
  const h = hash ^ Math.imul((scrambled << 15) | (scrambled >>> 17), 0x1b873593)
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0
}

function finish(hash: number): number {
  let h = hash
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

/** A number of 32 bits for an entry's table, priority and match. */
export function identityHash(bytes: Buffer, at: number, length: number, seed = 0): number {
  let h = mix(seed, (bytes[at + entryAt.tableId]! << 16) | (bytes[at + 12]! << 8) | bytes[at + 13]!)
  const end = at + identityEnd(bytes, at, length)
  for (let i = at + entryAt.match; i < end; i += 4) h = mix(h, word(bytes, i))
  return finish(h)
}

/** A number of 32 bits for all of an entry but its durations, counters and padding. */
export function entryHash(bytes: Buffer, at: number, length: number, seed = 0): number {
  let h = mix(seed, (length << 8) | bytes[at + entryAt.tableId]!)
  h = mix(
    mix(h, word(bytes, at + 12)),
    (bytes[at + 16]! << 16) | (bytes[at + 17]! << 8) | (bytes[at + 19]! & keptFlags),
  )
  h = mix(mix(h, word(bytes, at + 24)), word(bytes, at + 28))
  for (let i = at + entryAt.match; i < at + length; i += 4) h = mix(h, word(bytes, i))
  return finish(h)
}

/** Whether two entries have the same table, priority and match, byte for byte. */
export function sameIdentity(
  a: Buffer,
  atA: number,
  lengthA: number,
  b: Buffer,
  atB: number,
  lengthB: number,
): boolean {
  const end = identityEnd(a, atA, lengthA)
  if (end !== identityEnd(b, atB, lengthB) || a[atA + 2] !== b[atB + 2]) return false
  if (a[atA + 12] !== b[atB + 12] || a[atA + 13] !== b[atB + 13]) return false
  return equal(a, atA, b, atB, entryAt.match, end)
}

/** Whether two entries are the same, byte for byte, but for durations, counters, padding and flags that only say how to add a flow. */
export function sameEntry(a: Buffer, atA: number, lengthA: number, b: Buffer, atB: number, lengthB: number): boolean {
  if (lengthA !== lengthB || a[atA + 2] !== b[atB + 2]) return false
  return (
    equal(a, atA, b, atB, entryAt.priority, entryAt.flags) &&
    (a[atA + 19]! & keptFlags) === (b[atB + 19]! & keptFlags) &&
    equal(a, atA, b, atB, entryAt.cookie, entryAt.packetCount) &&
    equal(a, atA, b, atB, entryAt.match, lengthA)
  )
}

/** Whether the bytes `from` to `to` of two entries are equal. A loop: for so few bytes Buffer.compare takes longer. */
function equal(a: Buffer, atA: number, b: Buffer, atB: number, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (a[atA + i] !== b[atB + i]) return false
  return true
}

/** A flow, as a switch is to hold it. */
export type FlowSpec = {
  readonly tableId: number
  readonly priority: number
  readonly cookie: bigint
  readonly idleTimeout: number
  readonly hardTimeout: number
  readonly flags: number
  readonly match: Match
  readonly instructions: readonly Instruction[]
}

const scratch = cursorOf(Buffer.allocUnsafeSlow(0x1_0000))

/**
 * The canonical bytes of a flow: match fields and instructions in Open vSwitch's order, max_len of an output 0 unless it
 * is to the controller (§7.2.5: it means nothing elsewhere), and only the flags that a switch keeps. Throws a WireError
 * that names the field if a value does not fit it.
 */
export function encodeEntry(flow: FlowSpec): Buffer {
  writeCanonical(flow)
  return Buffer.from(scratch.bytes.subarray(0, scratch.at))
}

function writeCanonical(flow: FlowSpec): void {
  scratch.at = scratch.base = scratch.depth = 0
  scratch.end = scratch.bytes.length
  FlowStats.write(scratch, {
    tableId: flow.tableId,
    ...{ durationSec: 0, durationNsec: 0, packetCount: 0n, byteCount: 0n },
    priority: flow.priority,
    idleTimeout: flow.idleTimeout,
    hardTimeout: flow.hardTimeout,
    flags: flow.flags & keptFlags,
    cookie: flow.cookie,
    match: ordered(flow.match),
    instructions: canonicalInstructions(flow.instructions),
  })
}

/** The canonical bytes of an entry as a switch answered it. Throws a WireError if it cannot be read. */
export const canonical = (bytes: Buffer, at = 0, length = bytes.length): Buffer =>
  encodeEntry(decodeEntry(bytes, at, length))

/** Fields in the order in which Open vSwitch 3.1 answers with them; the others follow, as they came. */
const fieldOrder = [
  ...['packet_type', 'dp_hash', 'recirc_id', 'conj_id', 'in_port', 'actset_output', 'eth_src', 'eth_dst', 'eth_type'],
  ...['vlan_vid', 'vlan_pcp', 'mpls_tc', 'mpls_bos', 'mpls_label', 'ipv4_src', 'ipv4_dst', 'ipv6_src', 'ipv6_dst'],
  ...['ipv6_flabel', 'ip_frag', 'ip_dscp', 'ip_ecn', 'nw_ttl', 'ip_proto'],
  ...['tcp_src', 'tcp_dst', 'tcp_flags', 'udp_src', 'udp_dst', 'sctp_src', 'sctp_dst', 'icmpv4_type', 'icmpv4_code'],
  ...['icmpv6_type', 'icmpv6_code', 'ipv6_nd_target', 'ipv6_nd_sll', 'ipv6_nd_tll'],
  ...['arp_op', 'arp_spa', 'arp_tpa', 'arp_sha', 'arp_tha'],
  ...['tunnel_id', 'tun_src', 'tun_dst'],
  ...['reg0', 'reg1', 'reg2', 'reg3', 'reg4', 'reg5', 'reg6', 'reg7'],
  ...['reg8', 'reg9', 'reg10', 'reg11', 'reg12', 'reg13', 'reg14', 'reg15'],
  ...['pkt_mark', 'ct_state', 'ct_zone', 'ct_mark', 'ct_label', 'metadata'],
] as const satisfies readonly FieldName[]
const fieldRank = new Map<string, number>(fieldOrder.map((name, i) => [name, i]))
const rankOf = (name: string): number => fieldRank.get(name) ?? fieldOrder.length

function ordered(match: Match): Match {
  const names = Object.keys(match)
  if (names.every((name, i) => i === 0 || rankOf(names[i - 1]!) <= rankOf(name))) return match
  const values = match as { readonly [name: string]: unknown }
  return Object.fromEntries(names.sort((a, b) => rankOf(a) - rankOf(b)).map(name => [name, values[name]])) as Match
}

/** A switch may answer with its instructions in any order: their effect has one order only (§5.9). */
const instructionOrder = ['meter', 'apply_actions', 'clear_actions', 'write_actions', 'write_metadata', 'goto_table']
const instructionRank = (i: Instruction): number => instructionOrder.indexOf(i.type)

function canonicalInstructions(instructions: readonly Instruction[]): readonly Instruction[] {
  const inOrder = instructions.every((it, i) => i === 0 || instructionRank(instructions[i - 1]!) <= instructionRank(it))
  const sorted = inOrder ? instructions : instructions.toSorted((a, b) => instructionRank(a) - instructionRank(b))
  return sorted.some(i => 'actions' in i && i.actions.some(isOdd)) ? sorted.map(withCanonicalActions) : sorted
}

const withCanonicalActions = (i: Instruction): Instruction =>
  i.type === 'apply_actions' || i.type === 'write_actions' ? { ...i, actions: i.actions.map(canonicalAction) } : i

const isPlainOutput = (action: Action): boolean =>
  action.type === 'output' && action.port !== ports.controller && action.maxLen !== 0

const isOdd = (action: Action): boolean => isPlainOutput(action) || action.type === 'move' || action.type === 'load'

function canonicalAction(action: Action): Action {
  if (action.type === 'output') return isPlainOutput(action) ? { ...action, maxLen: 0 } : action
  if (action.type === 'move') return { ...action, src: nxmName(action.src), dst: nxmName(action.dst) }
  return action.type === 'load' ? { ...action, dst: nxmName(action.dst) } : action
}

/** Open vSwitch answers with NXM's form of a field that an action only names, where there is one. */
function nxmName(field: FieldRef): FieldRef {
  const names = field === 'tunnel_id' ? ['nxm_nx_tun_id'] : [`nxm_of_${field}`, `nxm_nx_${field}`]
  return (names.find(name => fieldByName.has(name)) ?? field) as FieldRef
}
