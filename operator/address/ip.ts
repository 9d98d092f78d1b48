/** IP addresses as numbers, and subnets of them (RFC 4632, RFC 4291, RFC 5952). Pure. */

import { isIP } from 'node:net'

export type Family = 4 | 6
export type Subnet = {
  readonly family: Family
  readonly length: number
  /** The first address and the last, both included. */
  readonly first: bigint
  readonly last: bigint
}
export type Ip = { readonly family: Family; readonly value: bigint }

const bits = { 4: 32, 6: 128 } as const

/** Undefined for what is no address. */
export const parseIp = (text: string): Ip | undefined => {
  const family = isIP(text)
  if (family === 4) return { family, value: text.split('.').reduce((sum, octet) => sum * 256n + BigInt(octet), 0n) }
  if (family !== 6 || text.includes('%')) return undefined
  return { family, value: groupsOf(text).reduce((sum, group) => sum * 65536n + BigInt(group), 0n) }
}

const groupsOf = (text: string): number[] => {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text)
  const [, before = '', a, b, c, d] = dotted ?? []
  const pair = (high: string | undefined, low: string | undefined) => ((Number(high) << 8) | Number(low)).toString(16)
  const plain = dotted ? `${before}${pair(a, b)}:${pair(c, d)}` : text
  const [head = '', tail] = plain.split('::')
  const read = (part: string) => (part === '' ? [] : part.split(':').map(group => Number.parseInt(group, 16)))
  const [start, end] = [read(head), read(tail ?? '')]
  return tail === undefined ? start : [...start, ...Array(8 - start.length - end.length).fill(0), ...end]
}

/** As RFC 5952 §4 writes it: lower case, the longest run of zero groups left out. */
export const spellIp = ({ family, value }: Ip): string => {
  if (family === 4) {
    const number = Number(value)
    return `${number >>> 24}.${(number >>> 16) & 255}.${(number >>> 8) & 255}.${number & 255}`
  }
  const groups = Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16))
  const runs = [...groups.join(':').matchAll(/(?<![0-9a-f])0(?::0)+(?![0-9a-f])/g)].map(([run]) => run)
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), '')
  const text = groups.join(':')
  if (longest === '') return text
  const at = text.search(new RegExp(`(?<![0-9a-f])${longest}(?![0-9a-f])`))
  return `${text.slice(0, at).replace(/:$/, '')}::${text.slice(at + longest.length).replace(/^:/, '')}`
}

/** `10.0.0.0/16`; bits beyond the prefix are passed over. Undefined for what is no subnet. */
export const parseSubnet = (text: string): Subnet | undefined => {
  const [address = '', digits = '', rest] = text.trim().split('/')
  const ip = parseIp(address)
  if (!ip || rest !== undefined || !/^\d{1,3}$/.test(digits)) return undefined
  const length = Number(digits)
  return length > bits[ip.family] ? undefined : subnetOf(ip, length)
}

export const subnetOf = ({ family, value }: Ip, length: number): Subnet => {
  const size = 1n << BigInt(bits[family] - length)
  const first = value - (value % size)
  return { family, length, first, last: first + size - 1n }
}

export const contains = (subnet: Pick<Subnet, 'family' | 'first' | 'last'>, { family, value }: Ip): boolean =>
  family === subnet.family && value >= subnet.first && value <= subnet.last

/**
 * What no host may have: the subnet itself and its broadcast address (RFC 922), which subnets of one or two addresses
 * do not have (RFC 3021); in IPv6 the routers' anycast address (RFC 4291 §2.6.1).
 */
export const isReserved = ({ family, length, first, last }: Subnet, { value }: Ip): boolean => {
  if (length >= bits[family] - 1) return false
  return value === first || (family === 4 && value === last)
}

/** `10.0.0.7/24` or `10.0.0.7`. `length` undefined: none is given. */
export const parseHost = (text: string): { readonly ip: Ip; readonly length: number | undefined } | undefined => {
  const [address = '', digits, rest] = text.split('/')
  const ip = parseIp(address)
  if (!ip || rest !== undefined) return undefined
  if (digits === undefined) return { ip, length: undefined }
  const length = /^\d{1,3}$/.test(digits) ? Number(digits) : Number.NaN
  return length <= bits[ip.family] ? { ip, length } : undefined
}
