// Hosts that join and leave multicast groups as their kernels would: they report, and answer what they are asked.
import { type Message, ports } from '../../openflow/index.ts'
import { checksum, ethernet, ipv4, ipv6, udp } from '../reference/frames.ts'
import { dpidOf, macOf, type Peers } from './peers.ts'

type Record = { readonly kind: number; readonly group: string; readonly sources?: number }
/** Kinds of records (RFC 3376 §4.2.12). */
export const kinds = { isExclude: 2, toInclude: 3, toExclude: 4, allow: 5, block: 6 }

const octets = (address: string): number[] => (address.includes(':') ? expand(address) : address.split('.').map(Number))
const expand = (address: string): number[] => {
  const [head = '', tail = ''] = address.split('::')
  const words = (text: string) => (text === '' ? [] : text.split(':').map(word => Number.parseInt(word, 16)))
  const zeros = Array<number>(8 - words(head).length - words(tail).length).fill(0)
  return [...words(head), ...zeros, ...words(tail)].flatMap(word => [word >> 8, word & 255])
}
/** The Ethernet address of a group (RFC 1112 §6.4, RFC 2464 §7). */
export const macOfGroup = (group: string): string => {
  const last = octets(group).slice(-4)
  const bytes = group.includes(':') ? [0x33, 0x33, ...last] : [1, 0, 0x5e, last[1]! & 0x7f, last[2]!, last[3]!]
  return bytes.map(byte => byte.toString(16).padStart(2, '0')).join(':')
}
const sourceOf = (n: number, port: number, group: string): string =>
  group.includes(':') ? `fe80::${n}:${port}` : `10.0.${n}.${port}`

const u16 = (value: number): number[] => [value >> 8, value & 255]

/** A datagram to a group. */
export function datagram(n: number, port: number, group: string): Buffer {
  const l2 = { dst: macOfGroup(group), src: macOf(n, port) }
  const ip = { src: sourceOf(n, port, group), dst: group }
  return group.includes(':')
    ? ipv6(l2, ip, udp(5000, 5000, Buffer.alloc(8)))
    : ipv4(l2, ip, udp(5000, 5000, Buffer.alloc(8)))
}

/** A message of IGMP (version 3 or, without records, any) or MLD, from a host or a router. */
export function control(
  n: number,
  port: number,
  to: string,
  message: readonly number[],
  from = sourceOf(n, port, to),
): Buffer {
  const l2 = { dst: macOfGroup(to), src: macOf(n, port) }
  const body = Buffer.from(message)
  if (!to.includes(':')) {
    body.writeUInt16BE(checksum(body), 2)
    const head = Buffer.from([
      0x46,
      0xc0,
      ...u16(24 + body.length),
      0,
      0,
      0,
      0,
      1,
      2,
      0,
      0,
      ...octets(from),
      ...octets(to),
      0x94,
      4,
      0,
      0,
    ])
    head.writeUInt16BE(checksum(head), 10)
    return ethernet(l2, 0x0800, Buffer.concat([head, body]))
  }
  const addresses = Buffer.from([...octets(from), ...octets(to)])
  body.writeUInt16BE(
    checksum(Buffer.concat([addresses, Buffer.from([0, 0, ...u16(body.length), 0, 0, 0, 58]), body])),
    2,
  )
  const head = Buffer.from([0x60, 0, 0, 0, ...u16(8 + body.length), 0, 1])
  return ethernet(l2, 0x86dd, Buffer.concat([head, addresses, Buffer.from([58, 0, 5, 2, 0, 0, 1, 0]), body]))
}

export function report(n: number, port: number, records: readonly Record[]): Buffer {
  const isSix = records[0]!.group.includes(':')
  const body = records.flatMap(({ kind, group, sources = 0 }) => [
    ...[kind, 0, 0, sources, ...octets(group)],
    ...Array<number>(sources * (isSix ? 16 : 4)).fill(7),
  ])
  return control(n, port, isSix ? 'ff02::16' : '224.0.0.22', [
    isSix ? 143 : 0x22,
    0,
    0,
    0,
    0,
    0,
    0,
    records.length,
    ...body,
  ])
}
export const v2Report = (n: number, port: number, group: string): Buffer =>
  control(n, port, group, [0x16, 0, 0, 0, ...octets(group)])
export const v2Leave = (n: number, port: number, group: string): Buffer =>
  control(n, port, '224.0.0.2', [0x17, 0, 0, 0, ...octets(group)])
/** A general query of a router (IGMPv2), or one of a group. */
export const v2Query = (n: number, port: number, group?: string): Buffer =>
  control(n, port, group ?? '224.0.0.1', [0x11, 100, 0, 0, ...octets(group ?? '0.0.0.0')])

export type Hosts = {
  join(n: number, port: number, group: string): void
  leave(n: number, port: number, group: string): void
  /** The host is gone without a word, or answers no more. */
  die(n: number, port: number): void
  /** Queries that were answered. */
  readonly asked: readonly { readonly n: number; readonly port: number; readonly group: string | undefined }[]
}

/** Hosts on the ports of these switches, which answer what the controller asks (IGMPv3 and MLDv2). */
export function makeHosts(world: Peers): Hosts {
  const joined = new Map<string, Set<string>>()
  const asked: { n: number; port: number; group: string | undefined }[] = []
  const of = (n: number, port: number) => {
    const key = `${n}/${port}`
    const groups = joined.get(key) ?? new Set()
    joined.set(key, groups)
    return groups
  }
  const answer = (n: number, port: number, isSix: boolean, group: string | undefined) => {
    asked.push({ n, port, group })
    const wanted = [...of(n, port)].filter(g => g.includes(':') === isSix && (group === undefined || g === group))
    if (wanted.length > 0)
      world.send(
        n,
        port,
        report(
          n,
          port,
          wanted.map(g => ({ kind: kinds.isExclude, group: g })),
        ),
      )
  }
  for (const peer of world.peers) {
    const n = Number.parseInt(peer.dpid, 16)
    peer.whim = (message: Message) => {
      const query = message.type === 'packet_out' ? queryIn(message.payload) : undefined
      if (message.type === 'packet_out' && query)
        for (const action of message.actions)
          if (action.type === 'output' && action.port < ports.max)
            setImmediate(() => answer(n, action.port, query.isSix, query.group))
      return undefined
    }
  }
  return {
    asked,
    join(n, port, group) {
      of(n, port).add(group)
      world.send(n, port, report(n, port, [{ kind: kinds.toExclude, group }]))
    },
    leave(n, port, group) {
      of(n, port).delete(group)
      world.send(n, port, report(n, port, [{ kind: kinds.toInclude, group }]))
    },
    die: (n, port) => void joined.delete(`${n}/${port}`),
  }
}

/** A query of ours, read without our own parser. */
function queryIn(frame: Buffer): { isSix: boolean; group: string | undefined } | undefined {
  const isSix = frame.readUInt16BE(12) === 0x86dd
  const at = isSix ? 14 + 48 : 14 + 24
  if (frame.length < at + 8 || frame[at] !== (isSix ? 130 : 0x11)) return undefined
  const bytes = isSix ? frame.subarray(at + 8, at + 24) : frame.subarray(at + 4, at + 8)
  if (bytes.every(byte => byte === 0)) return { isSix, group: undefined }
  if (!isSix) return { isSix, group: [...bytes].join('.') }
  const words = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16))
  return { isSix, group: words.join(':').replace(/(:0)+:/, '::') }
}

export const at = (n: number, port: number): string => `${dpidOf(n)}/${port}`
