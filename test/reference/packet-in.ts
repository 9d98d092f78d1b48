// PACKET_IN: OpenFlow 1.3.5 §7.4.1.
import { type Match, type MessageOf, noBuffer } from '../../openflow/index.ts'
import { word } from './field.ts'
import type { Packet } from './frame.ts'
import type { Switch } from './switch.ts'
import type { Entry } from './table.ts'

type Cause = {
  readonly inPort: number
  /** undefined: a PACKET_OUT's action. */
  readonly entry: Entry | undefined
  readonly reason?: string | undefined
}

export function packetIn(sw: Switch, packet: Packet, { inPort, entry, reason }: Cause): MessageOf<'packet_in'> {
  const { frame } = packet
  return {
    type: 'packet_in',
    xid: 0,
    // It keeps no frames for later, and then it sends all of each, whatever length was asked for (§6.1.2).
    bufferId: noBuffer,
    totalLen: frame.length,
    reason: reasonOf(entry, reason),
    tableId: entry?.tableId ?? 0,
    cookie: entry?.cookie ?? 0xffff_ffff_ffff_ffffn,
    match: pipelineFields(sw, packet, inPort),
    payload: Buffer.from(frame),
  }
}

/** §5.4: the entry of priority 0 without a match is the table-miss entry; what it sends is `no_match`. */
function reasonOf(entry: Entry | undefined, given: string | undefined): 'no_match' | 'action' | 'invalid_ttl' {
  if (given === 'no_match' || given === 'invalid_ttl') return given
  return given === undefined && entry?.priority === 0 && entry.compiled.words.length === 0 ? 'no_match' : 'action'
}

/** §7.4.1: the port, and what else is not in the frame itself; a field of all zeros is left out. */
function pipelineFields(sw: Switch, { key }: Packet, inPort: number): Match {
  const long = (name: string): bigint => (BigInt(key[word(name)]! >>> 0) << 32n) | BigInt(key[word(name) + 1]! >>> 0)
  const fields: Record<string, unknown> = { in_port: inPort, tunnel_id: long('tunnel_id') }
  if (sw.kind.nicira) for (const name of ['tun_src', 'tun_dst']) fields[name] = dotted(key[word(name)]!)
  if (sw.kind.nicira) for (let i = 0; i < 16; i++) fields[`reg${i}`] = key[word(`reg${i}`)]! >>> 0
  fields['metadata'] = long('metadata')
  const present = Object.entries(fields).filter(([, value]) => value !== 0 && value !== 0n && value !== '0.0.0.0')
  return Object.fromEntries(present) as Match
}

const dotted = (address: number): string => [24, 16, 8, 0].map(shift => (address >>> shift) & 0xff).join('.')
