// Reads what stands behind an action's name, or in its brackets.
import type { Action } from '../messages/action.ts'
import { ctFlags } from '../messages/nicira-action.ts'
import { ports } from '../wire/constants.ts'
import { parsePort } from './field.ts'
import {
  type Bits,
  findField,
  parseBigInt,
  parseBits,
  parseHex,
  parseNumber,
  parseValue,
  splitList,
  splitPair,
  unexpected,
} from './value.ts'
import { hashFields, linkAlgorithms, memberAlgorithms } from './words.ts'

export const u8 = (text: string, what: string): number => parseNumber(text, 0xff, what)
export const u16 = (text: string, what: string): number => parseNumber(text, 0xffff, what)
export const u32 = (text: string, what: string): number => parseNumber(text, 0xffffffff, what)
const port = (text: string): number => parsePort(text) ?? unexpected('a port', text)
export const port16 = (text: string): number => port(text) & 0xffff

const arrow = (text: string): [from: string, to: string] => {
  const at = text.indexOf('->')
  return at === -1 ? unexpected('a value, -> and a field', text) : [text.slice(0, at).trim(), text.slice(at + 2).trim()]
}

export function setField(text: string): Action {
  const [from, to] = arrow(text)
  const field = findField(to.replace(/\[\]$/, '')) ?? unexpected('the name of a field', to)
  const value = parseValue(field, from)
  if (value === undefined) unexpected(`a value for ${field}`, from)
  if (typeof value !== 'object' || value instanceof Uint8Array)
    return { type: 'set_field', field: field as 'eth_dst', value }
  return { type: 'load2', field: field as 'eth_dst', value: value.value, mask: value.mask }
}

export function load(text: string): Action[] {
  const [from, to] = arrow(text)
  const { field, offset, nBits } = parseBits(to)
  const value = parseBigInt(from, nBits, to)
  // The action has room for 64 bits: a wider field is loaded piece by piece, from its low end.
  return Array.from({ length: Math.ceil(nBits / 64) }, (_, i) => ({
    type: 'load',
    range: { offset: offset + i * 64, nBits: Math.min(64, nBits - i * 64) },
    dst: field,
    value: BigInt.asUintN(64, value >> BigInt(i * 64)),
  }))
}

export function move(text: string): Action {
  const [from, to] = arrow(text)
  const src = parseBits(from)
  const dst = parseBits(to)
  if (src.nBits !== dst.nBits) unexpected(`as many bits as ${from} has`, to)
  return {
    type: 'move',
    nBits: src.nBits,
    srcOffset: src.offset,
    dstOffset: dst.offset,
    src: src.field,
    dst: dst.field,
  }
}

export function output(text: string): Action {
  const plain = parsePort(text)
  if (plain !== undefined) return { type: 'output', port: plain, maxLen: plain === ports.controller ? 0xffff : 0 }
  const { field, offset, nBits } = parseBits(text)
  return { type: 'output_reg', range: { offset, nBits }, src: field, maxLen: 0xffff }
}

type Options = ReadonlyMap<string, string>
export const options = (text: string): Options =>
  new Map(
    splitList(text)
      .map(part => splitPair(part))
      .map(([k, v]) => [k, v ?? '']),
  )

export function truncated(text: string): Action {
  const given = options(text)
  return {
    type: 'output_trunc',
    port: port16(given.get('port') ?? unexpected('port=', text)),
    maxLen: u32(given.get('max_len') ?? unexpected('max_len=', text), 'max_len'),
  }
}

const reasons = ['no_match', 'action', 'invalid_ttl', 'action_set', 'group', 'packet_out'] as const

export function controller(text: string): Action {
  const given = options(text)
  const get = <T>(key: string, parse: (value: string) => T): T | undefined =>
    given.has(key) ? parse(given.get(key)!) : undefined
  const reason = get('reason', value => reasons.find(r => r === value) ?? unexpected(reasons.join(', '), value))
  const all = {
    maxLen: get('max_len', value => u16(value, 'max_len')),
    controllerId: get('id', value => u16(value, 'id')),
    reason: reason === 'action' ? undefined : reason,
    userdata: get('userdata', value => parseHex(value.replaceAll('.', ''), 'userdata')),
    pause: given.has('pause') ? (true as const) : undefined,
    meterId: get('meter_id', value => u32(value, 'meter_id')),
  }
  const present = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
  return { type: 'controller2', ...present }
}

export function resubmit(text: string): Action {
  const [inPort, table, ct] = text.split(',').map(part => part.trim()) as [string, string?, string?]
  const any = ports.inPort & 0xffff
  return {
    type: ct === 'ct' ? 'resubmit_table_ct' : 'resubmit_table',
    inPort: inPort === '' ? any : port16(inPort),
    tableId: table ? u8(table, 'a table') : 255,
  }
}

export function note(text: string): Action {
  const given = parseHex(text.replaceAll('.', ''), 'note')
  const size = given.length <= 6 ? 6 : given.length + ((6 - given.length) & 7)
  return { type: 'note', note: Buffer.concat([given, Buffer.alloc(size - given.length)]) }
}

export function nat(text: string): Action {
  const [target, ...flags] = splitList(text)
  if (target === undefined) return { type: 'nat', flags: 0 }
  const [, direction, addresses] = /^(src|dst)(?:=(.*))?$/.exec(target) ?? unexpected('src or dst', target)
  const bits = flags.map(flag => {
    const i = ['persistent', 'hash', 'random'].indexOf(flag)
    return i === -1 ? unexpected('persistent, hash or random', flag) : 4 << i
  })
  const all = bits.reduce((a, b) => a | b, direction === 'src' ? 1 : 2)
  return { type: 'nat', flags: all, ...(addresses === undefined ? {} : natRange(addresses)) }
}

export function natRange(text: string): object {
  const v6 =
    /^(?:\[([0-9a-f:.]+)\]|([0-9a-f]*:[0-9a-f:.]*))(?:-(?:\[([0-9a-f:.]+)\]|([0-9a-f]*:[0-9a-f:]*)))?(?::(\d+)(?:-(\d+))?)?$/i
  const v4 = /^([\d.]+)?(?:-([\d.]+))?(?::(\d+)(?:-(\d+))?)?$/.exec(text)
  const number = (value: string | undefined): number | undefined =>
    value === undefined ? undefined : u16(value, 'a port')
  const found = v4 ?? v6.exec(text) ?? unexpected('an address or a range, and perhaps ports', text)
  const range = v4
    ? { ipv4Min: found[1], ipv4Max: found[2], protoMin: number(found[3]), protoMax: number(found[4]) }
    : {
        ipv6Min: found[1] ?? found[2],
        ipv6Max: found[3] ?? found[4],
        protoMin: number(found[5]),
        protoMax: number(found[6]),
      }
  return Object.fromEntries(Object.entries(range).filter(([, value]) => value !== undefined))
}

const algorithms: Readonly<Record<string, number>> = { ftp: 21, tftp: 69 }

export function ct(text: string, parseActions: (text: string) => readonly Action[]): Action {
  let flags = 0
  let zone: number | Bits = 0
  let recircTable = 255
  let alg = 0
  const actions: Action[] = []
  for (const part of splitList(text)) {
    const inner = /^(\w+)\((.*)\)$/s.exec(part)
    const [key, value] = splitPair(part)
    if (part === 'commit') flags |= ctFlags.commit
    else if (part === 'force') flags |= ctFlags.force
    else if (part === 'nat') actions.unshift(nat(''))
    else if (inner?.[1] === 'nat') actions.unshift(nat(inner[2]!))
    else if (inner?.[1] === 'exec') actions.push(...parseActions(inner[2]!))
    else if (key === 'table') recircTable = u8(value ?? '', 'table')
    else if (key === 'zone') zone = /^[\dx]/i.test(value ?? '') ? u16(value!, 'zone') : parseBits(value ?? '')
    else if (key === 'alg') alg = algorithms[value ?? ''] ?? u16(value ?? '', 'alg')
    else unexpected('commit, force, table=, zone=, nat, exec() or alg=', part)
  }
  return { type: 'ct', flags, zone, recircTable, alg, actions }
}

export function conjunction(text: string): Action {
  const parts = /^(\w+)\s*,\s*(\d+)\s*\/\s*(\d+)$/.exec(text) ?? unexpected('an id and k/n', text)
  const clause = u8(parts[2]!, 'k')
  if (clause < 1) unexpected('k of at least 1', text)
  return { type: 'conjunction', id: u32(parts[1]!, 'an id'), clause: clause - 1, nClauses: u8(parts[3]!, 'n') }
}

export function sample(text: string): Action {
  const given = options(text)
  const number = (key: string): number => u32(given.get(key) ?? '0', key)
  const plain = {
    probability: u16(given.get('probability') ?? unexpected('probability=', text), 'probability'),
    collectorSetId: number('collector_set_id'),
    obsDomainId: number('obs_domain_id'),
    obsPointId: number('obs_point_id'),
  }
  const direction = given.has('ingress') ? 1 : given.has('egress') ? 2 : u8(given.get('direction') ?? '0', 'direction')
  if (!given.has('sampling_port') && direction === 0) return { type: 'sample', ...plain }
  const samplingPort = given.has('sampling_port') ? port16(given.get('sampling_port')!) : 0xffff
  return { type: direction === 0 ? 'sample2' : 'sample3', ...plain, samplingPort, direction }
}

export function finTimeout(text: string): Action {
  const given = options(text)
  const number = (key: string): number => u16(given.get(key) ?? '0', key)
  return { type: 'fin_timeout', finIdleTimeout: number('idle_timeout'), finHardTimeout: number('hard_timeout') }
}

export function checkPktLarger(text: string, to: string): Action {
  const { field, offset } = parseBits(to)
  return { type: 'check_pkt_larger', pktLen: u16(text, 'a length'), offset, dst: field }
}

export const stack = (type: 'stack_push' | 'stack_pop', text: string): Action => ({ type, ...parseBits(text) })

export const enqueue = (text: string): Action[] => {
  const [to, queue] = text.split(/[:,]/) as [string, string?]
  return [{ type: 'set_queue', queueId: u32(queue ?? '', 'a queue') }, output(to), { type: 'pop_queue' }]
}

export const bytesOf = (text: string): [number, Buffer] => {
  const [code, payload] = text.split(',') as [string, string?]
  return [u32(code, 'a number'), parseHex(payload ?? '', 'a payload')]
}

export function decapType(text: string): number {
  if (text === '') return 0xfffe
  const parts = /^packet_type\(ns=(\w+),type=(\w+)\)$/.exec(text) ?? unexpected('packet_type(ns=,type=)', text)
  return u16(parts[1]!, 'ns') * 0x10000 + u16(parts[2]!, 'type')
}

const indexIn = (names: readonly string[], text: string | undefined): number => {
  const i = names.indexOf(text ?? '')
  return i === -1 ? u16(text ?? '', `one of ${names.join(', ')}, or its number`) : i
}

export function multipath(text: string): Action {
  const [fields, basis, algorithm, links, arg, to] = splitList(text)
  const { field, offset, nBits } = parseBits(to ?? unexpected('six arguments', text))
  return {
    type: 'multipath',
    fields: indexIn(hashFields, fields),
    basis: u16(basis!, 'a basis'),
    algorithm: indexIn(linkAlgorithms, algorithm),
    maxLink: u16(links!, 'a number of links') - 1,
    arg: u32(arg!, 'an argument'),
    range: { offset, nBits },
    dst: field,
  }
}

export function bundle(text: string): Action {
  const [head, list] = text.split(/,?\s*(?:members|slaves):/) as [string, string?]
  const [fields, basis, algorithm, memberType, to] = splitList(head)
  if (list === undefined || memberType !== 'ofport')
    unexpected('a hash, a basis, an algorithm, ofport and members:', text)
  const plain = {
    algorithm: indexIn(memberAlgorithms, algorithm),
    fields: indexIn(hashFields, fields),
    basis: u16(basis!, 'a basis'),
    memberType: 'nxm_of_in_port' as const,
    members: splitList(list!.replace(/^\[(.*)\]$/, '$1')).map(port16),
  }
  if (to === undefined) return { type: 'bundle', ...plain }
  const { field, offset, nBits } = parseBits(to)
  return { type: 'bundle_load', ...plain, range: { offset, nBits }, dst: field }
}
