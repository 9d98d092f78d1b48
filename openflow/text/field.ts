// Values of fields as ovs-ofctl writes them.

import type { Field } from '../messages/fields.ts'
import { ports } from '../wire/constants.ts'
import type { FieldText } from './words.ts'

const portNames: ReadonlyMap<number, string> = new Map([
  [ports.inPort, 'IN_PORT'],
  [ports.table, 'TABLE'],
  [ports.normal, 'NORMAL'],
  [ports.flood, 'FLOOD'],
  [ports.all, 'ALL'],
  [ports.controller, 'CONTROLLER'],
  [ports.local, 'LOCAL'],
  [ports.any, 'ANY'],
  // OFPP_UNSET of OpenFlow 1.5: what actset_output says when the action set has no output.
  [0xfffffff7, 'UNSET'],
])
export const formatPort = (port: number): string =>
  port >= ports.max ? (portNames.get(port) ?? String(port)) : String(port)
/** A port in 16 bits, as NXM and some of Open vSwitch's actions have it: reserved ones keep their last digits. */
export const formatPort16 = (port: number): string => formatPort(port >= 0xff00 ? port + 0xffff0000 : port)
export const parsePort = (text: string): number | undefined => {
  for (const [port, name] of portNames) if (name === text.toUpperCase()) return port
  if (text.toUpperCase() === 'NONE') return ports.any
  const port = Number(text)
  return /^(0x[0-9a-fA-F]+|\d+)$/.test(text) && port <= 0xffffffff ? port : undefined
}

const cidr4: ReadonlyMap<string, number> = new Map(Array.from({ length: 33 }, (_, n) => [ipv4Mask(n), n] as const))
const cidr6: ReadonlyMap<string, number> = new Map(Array.from({ length: 129 }, (_, n) => [ipv6Mask(n), n] as const))
export function ipv4Mask(bits: number): string {
  const mask = bits === 0 ? 0 : (0xffffffff << (32 - bits)) >>> 0
  return [24, 16, 8, 0].map(shift => (mask >>> shift) & 0xff).join('.')
}
export function ipv6Mask(bits: number): string {
  const groups = Array.from({ length: 8 }, (_, i) => {
    const n = Math.min(16, Math.max(0, bits - i * 16))
    return ((0xffff << (16 - n)) & 0xffff).toString(16)
  })
  const full = groups.filter(group => group !== '0').length
  return 8 - full > 1 ? `${groups.slice(0, full).join(':')}::` : groups.join(':')
}

type Value = number | bigint | string | Buffer

const octets = (value: Buffer): string => `0x${value.toString('hex').replace(/^0+(?=.)/, '') || '0'}`
const hex = (value: number | bigint): string => `0x${value.toString(16)}`
/** As C's %#x: zero has no prefix. */
const sharp = (value: number | bigint): string => (value ? hex(value) : '0')
const padded = (value: number | bigint, digits: number): string => `0x${value.toString(16).padStart(digits, '0')}`

/** A mask that has all bits says no more than none. */
export const isAllOnes = (field: Field | undefined, mask: Value): boolean => {
  if (typeof mask === 'number') return mask === 2 ** ((field?.value?.size ?? 4) * 8) - 1
  if (typeof mask === 'bigint') return mask === (field?.value?.size === 16 ? all128 : all64)
  if (typeof mask === 'string') return mask === 'ff:ff:ff:ff:ff:ff' || cidr4.get(mask) === 32 || cidr6.get(mask) === 128
  return mask.every(byte => byte === 0xff)
}
const all64 = 2n ** 64n - 1n
const all128 = 2n ** 128n - 1n

export const formatAddress = (value: string, mask: string | undefined): string => {
  if (mask === undefined) return value
  return `${value}/${cidr4.get(mask) ?? cidr6.get(mask) ?? mask}`
}

export function formatFlags(flags: readonly string[], value: number, mask: number | undefined): string {
  // Bits that have no name are shown as numbers, with all the others.
  if ((value | (mask ?? 0)) >>> flags.length !== 0)
    return mask === undefined ? hex(value) : `${hex(value)}/${hex(mask)}`
  if (mask === undefined) return flags.filter((_, i) => value & (1 << i)).join('|') || '0'
  if (mask === 0) return '0/0'
  return flags.map((flag, i) => (mask & (1 << i) ? `${value & (1 << i) ? '+' : '-'}${flag}` : '')).join('')
}

const formatFrag = (value: number, mask: number | undefined): string => {
  const bits = mask ?? 3
  if (bits === 3) return value & 1 ? (value & 2 ? 'later' : 'first') : 'no'
  return bits === 1 ? (value & 1 ? 'yes' : 'no') : value & 2 ? 'later' : 'not_later'
}

/** `(1,0x800)`: namespace and type. */
const formatPacketType = (value: number): string => `(${value >>> 16},${sharp(value & 0xffff)})`

/** A value as a match shows it. `mask` is undefined where all bits count. */
export function formatMatchValue(text: FieldText, value: any, mask: any): string {
  switch (text.style) {
    case 'address':
      return formatAddress(value, mask)
    case 'hex':
      return mask === undefined ? sharp(value) : `${sharp(value)}/${sharp(mask)}`
    case 'hex4':
      return mask === undefined ? padded(value, 4) : `${padded(value, 4)}/${padded(mask, 4)}`
    case 'packet':
      return mask === undefined ? formatPacketType(value) : `${hex(value)}/${hex(mask)}`
    case 'hex5':
      return mask === undefined ? padded(value, 5) : `${padded(value, 5)}/${padded(mask, 5)}`
    case 'port':
      return mask === undefined ? formatPort(value) : `${hex(value)}/${hex(mask)}`
    case 'port16':
      return mask === undefined ? formatPort16(value) : `${hex(value)}/${hex(mask)}`
    case 'bits':
      return formatFlags(text.flags!, value, mask ?? text.defaultMask)
    case 'frag':
      return formatFrag(value, mask)
    case 'octets':
      return mask === undefined ? octets(value) : `${octets(value)}/${octets(mask)}`
    default:
      return mask === undefined ? String(value) : `${hex(value)}/${hex(mask)}`
  }
}

/** A value as set_field shows it: hexadecimal or decimal by the field alone, masks always hexadecimal. */
export function formatSetValue(text: FieldText, value: any, mask: any): string {
  const plain =
    text.style === 'dec' && !text.hexOnSet
      ? String(value)
      : text.style === 'dec' || text.style.startsWith('hex')
        ? sharp(value)
        : undefined
  if (plain === undefined) return formatMatchValue(text, value, mask)
  return mask === undefined ? plain : `${plain}/${hex(mask)}`
}
