// Who wants which multicast: IGMP (RFC 1112, 2236, 3376) and MLD (RFC 2710, 3810), and what shows where multicast routers
// are (RFC 4286, and PIM's hello). Frames come from pods, so no length in them is believed. Pure.
import { ipv4, ipv6 } from '../../openflow/wire/address.ts'
import { type Cursor, cursorOf, type Fixed } from '../../openflow/wire/wire.ts'
import { isSnooped } from '../compile/snoop.ts'
import { checksum, type Family, icmpv6, ourMac, ourSources, pseudoHeader } from '../switch/our-frames.ts'

/** What a frame says, with groups as text (RFC 5952), link-local ones left out: these are flooded whoever asks. */
export type Heard =
  | { readonly is: 'report'; readonly joins: readonly string[]; readonly leaves: readonly string[] }
  /** Without a group it is a general query. `responseMs`: milliseconds in which members answer. */
  | {
      readonly is: 'query'
      readonly family: Family
      readonly source: string
      readonly group?: string
      readonly responseMs: number
    }
  | { readonly is: 'router' }

/** What members are to answer: all groups, or one. `responseMs`: 100 to 12,700, at random within which they do. */
export type Query = { readonly family: Family; readonly group?: string; readonly responseMs: number }

/** Seconds between our general queries, as they say themselves (RFC 3376 §8.2). */
export const queryInterval = 125
/** Queries that may be lost in a row (RFC 3376 §8.1). */
export const robustness = 2

const protocols = { hopByHop: 0, igmp: 2, routing: 43, icmpv6, destination: 60, pim: 103 }
const igmp = { query: 0x11, v1Report: 0x12, dvmrp: 0x13, v2Report: 0x16, leave: 0x17, v3Report: 0x22, router: 0x30 }
const mld = { query: 130, v1Report: 131, done: 132, v2Report: 143, router: 151 }
const pimHello = 0x20

/** What an Ethernet frame says of multicast, if anything. Of a frame that was cut off, what is whole counts. */
export function readIgmp(frame: Buffer): Heard | undefined {
  let at = 12
  // Tags are a trunk port's: they pass untouched.
  for (let tags = 0; tags < 2 && frame.length >= at + 4 && isTag(frame.readUInt16BE(at)); tags++) at += 4
  if (frame.length < at + 2) return undefined
  const type = frame.readUInt16BE(at)
  if (type === 0x0800) return readIpv4(frame, at + 2)
  if (type === 0x86dd) return readIpv6(frame, at + 2)
  return undefined
}
const isTag = (type: number): boolean => type === 0x8100 || type === 0x88a8

function readIpv4(frame: Buffer, start: number): Heard | undefined {
  if (frame.length < start + 20 || frame[start]! >> 4 !== 4) return undefined
  const header = (frame[start]! & 15) * 4
  const length = frame.readUInt16BE(start + 2) - header
  const isFragment = (frame.readUInt16BE(start + 6) & 0x3fff) !== 0
  if (header < 20 || length < 8 || isFragment) return undefined
  const message = frame.subarray(start + header, start + header + length)
  if (frame[start + 9] === protocols.pim) return readPim(message)
  if (frame[start + 9] !== protocols.igmp || message.length < 8) return undefined
  if (message.length === length && checksum(message) !== 0) return undefined
  return readIgmpMessage(message, ipv4.get(cursorOf(frame), start + 12))
}

function readIgmpMessage(message: Buffer, source: string): Heard | undefined {
  const group = () => ipv4.get(cursorOf(message), 4)
  switch (message[0]) {
    case igmp.query: {
      // Only version 3 has an exponent (RFC 3376 §4.1.1); version 1 has no time, and means ten seconds.
      const code = message[1]!
      const tenths = message.length < 12 ? code || 100 : exponential(code, 4)
      return query('ipv4', source, group(), tenths * 100)
    }
    case igmp.v1Report:
    case igmp.v2Report:
      return report([group()], [])
    case igmp.leave:
      return report([], [group()])
    case igmp.v3Report:
      return readRecords(message, ipv4)
    case igmp.dvmrp:
    case igmp.router:
      return { is: 'router' }
    default:
      return undefined
  }
}

function readIpv6(frame: Buffer, start: number): Heard | undefined {
  if (frame.length < start + 40 || frame[start]! >> 4 !== 6) return undefined
  const end = start + 40 + frame.readUInt16BE(start + 4)
  let next = frame[start + 6]!
  let at = start + 40
  // MLD stands behind a router alert, an option of the hop-by-hop header (RFC 3810 §5). A fragment is none of it.
  for (let headers = 0; headers < 4 && isExtension(next); headers++) {
    if (frame.length < at + 8) return undefined
    next = frame[at]!
    at += (frame[at + 1]! + 1) * 8
  }
  if (at > end) return undefined
  const message = frame.subarray(at, end)
  if (next === protocols.pim) return readPim(message)
  // From the next hop only: a router does not pass it on (RFC 3810 §5).
  if (next !== protocols.icmpv6 || message.length < 8 || frame[start + 7] !== 1) return undefined
  const pseudo = pseudoHeader(frame.subarray(start + 8, start + 40), end - at)
  if (message.length === end - at && checksum(pseudo, message) !== 0) return undefined
  return readMldMessage(message, ipv6.get(cursorOf(frame), start + 8))
}
const isExtension = (next: number): boolean =>
  next === protocols.hopByHop || next === protocols.routing || next === protocols.destination

function readMldMessage(message: Buffer, source: string): Heard | undefined {
  const type = message[0]!
  if (type === mld.router) return { is: 'router' }
  if (type === mld.v2Report) return readRecords(message, ipv6)
  if (message.length < 24) return undefined
  const group = ipv6.get(cursorOf(message), 8)
  if (type === mld.query) {
    const code = message.readUInt16BE(4)
    return query('ipv6', source, group, message.length < 28 ? code : exponential(code, 12))
  }
  if (type === mld.v1Report) return report([group], [])
  return type === mld.done ? report([], [group]) : undefined
}

const readPim = (message: Buffer): Heard | undefined =>
  message.length >= 4 && message[0] === pimHello ? { is: 'router' } : undefined

const query = (family: Family, source: string, group: string, responseMs: number): Heard => {
  const isGeneral = group === '0.0.0.0' || group === '::'
  return { is: 'query', family, source, ...(isGeneral ? {} : { group }), responseMs }
}

/** A code with its first bit set is a float: an exponent of 3 bits before a mantissa of so many (RFC 3376 §4.1.1). */
const exponential = (code: number, mantissaBits: number): number => {
  const one = 2 ** mantissaBits
  return code < one * 8 ? code : ((code % one) + one) * 2 ** (Math.floor(code / one) - 8 + 3)
}

// Kinds of group records (RFC 3376 §4.2.12, RFC 3810 §5.2.12).
const kinds = { isInclude: 1, isExclude: 2, toInclude: 3, toExclude: 4, allow: 5, block: 6 }

/**
 * Records of a version 3 or MLDv2 report. Sources are not told apart: whoever wants a group of any source joins. Whoever wants
 * none any more, or blocks some, may have left, and is asked.
 */
function readRecords(message: Buffer, address: Fixed<string>): Heard {
  const cursor = cursorOf(message)
  const joins: string[] = []
  const leaves: string[] = []
  const head = 4 + address.size
  let at = 8
  for (let left = message.readUInt16BE(6); left > 0 && at + head <= message.length; left--) {
    const kind = message[at]!
    const sources = message.readUInt16BE(at + 2)
    const group = address.get(cursor, at + 4)
    at += head + sources * address.size + message[at + 1]! * 4
    if (at > message.length) break
    if (kind === kinds.isExclude || kind === kinds.toExclude) joins.push(group)
    else if (kind === kinds.toInclude || kind === kinds.isInclude || kind === kinds.allow)
      (sources > 0 ? joins : leaves).push(group)
    else if (kind === kinds.block) leaves.push(group)
  }
  return report(joins, leaves)
}

/** Of one that is both joined and left in one report (a source allowed, another one blocked) the join counts. */
function report(joins: readonly string[], leaves: readonly string[]): Heard {
  const joined = new Set(joins.filter(isSnooped))
  const left = new Set(leaves.filter(group => isSnooped(group) && !joined.has(group)))
  return { is: 'report', joins: [...joined], leaves: [...left] }
}

/** A query of ours as an Ethernet frame, of the newest version: hosts of older ones understand it (RFC 3376 §7.2.1). */
export function queryFrame({ family, group, responseMs }: Query): Buffer {
  const frame = family === 'ipv4' ? igmpQuery(group, responseMs) : mldQuery(group, responseMs)
  return frame.length < 60 ? Buffer.concat([frame, Buffer.alloc(60 - frame.length)]) : frame
}

function igmpQuery(group: string | undefined, responseMs: number): Buffer {
  // Version 3 (RFC 3376 §4.1), behind a router alert (RFC 2113); TOS: internetwork control.
  const message = Buffer.from([
    igmp.query,
    Math.round(responseMs / 100),
    0,
    0,
    0,
    0,
    0,
    0,
    robustness,
    queryInterval,
    0,
    0,
  ])
  if (group) ipv4.set(cursorOf(message), 4, group)
  message.writeUInt16BE(checksum(message), 2)
  const header = Buffer.from([
    0x46,
    0xc0,
    0,
    36,
    0,
    0,
    0,
    0,
    1,
    protocols.igmp,
    0,
    0,
    ...Array(8).fill(0),
    0x94,
    4,
    0,
    0,
  ])
  const cursor = cursorOf(header)
  ipv4.set(cursor, 12, ourSources.ipv4)
  ipv4.set(cursor, 16, group ?? '224.0.0.1')
  header.writeUInt16BE(checksum(header), 10)
  const mac = Buffer.from([1, 0, 0x5e, header[17]! & 0x7f, header[18]!, header[19]!])
  return Buffer.concat([mac, ourMac, Buffer.from([0x08, 0x00]), header, message])
}

function mldQuery(group: string | undefined, responseMs: number): Buffer {
  // Version 2 (RFC 3810 §5.1), behind a router alert (RFC 2711).
  const message = Buffer.alloc(28)
  message[0] = mld.query
  message.writeUInt16BE(responseMs, 4)
  if (group) ipv6.set(cursorOf(message), 8, group)
  message.set([robustness, queryInterval], 24)
  const addresses = Buffer.alloc(32)
  const cursor: Cursor = cursorOf(addresses)
  ipv6.set(cursor, 0, ourSources.ipv6)
  ipv6.set(cursor, 16, group ?? 'ff02::1')
  message.writeUInt16BE(checksum(pseudoHeader(addresses, message.length), message), 2)
  const start = Buffer.from([0x60, 0, 0, 0, 0, 8 + message.length, protocols.hopByHop, 1])
  const routerAlert = Buffer.from([protocols.icmpv6, 0, 5, 2, 0, 0, 1, 0])
  const mac = Buffer.from([0x33, 0x33, ...addresses.subarray(28)])
  return Buffer.concat([mac, ourMac, Buffer.from([0x86, 0xdd]), start, addresses, routerAlert, message])
}
