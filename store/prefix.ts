import { parseAddress, parseIp } from './parse.ts'

/** Addresses that begin with the same bits. Of one address, `length` is 32 or 128. */
export type Prefix = {
  readonly family: 4 | 6
  /** The first of them, in its one spelling (RFC 5952). */
  readonly address: string
  readonly length: number
}

const widths = { 4: 32, 6: 128 } as const
/** How many bits an address of this family has. */
export const widthOf = (family: 4 | 6): number => widths[family]

const familyOf = (text: string): 4 | 6 => (text.includes(':') ? 6 : 4)

/** An address of an interface, without the length of its subnet; undefined if it is one that no interface has (0.0.0.0, ::, multicast). */
export const parseSource = (text: string): Prefix | undefined => {
  const address = parseIp(text) === undefined ? undefined : parseAddress(text.split('/')[0]!)
  if (address === undefined) return undefined
  const family = familyOf(address)
  return { family, address, length: widthOf(family) }
}

/** An address, or a prefix whose other bits are 0; 0.0.0.0/0 and ::/0 are all of them. Undefined for anything else. */
export const parsePrefix = (text: string): Prefix | undefined => {
  if (parseIp(text) === undefined) return undefined
  const [name = '', given] = text.split('/')
  const family = familyOf(name)
  const length = given === undefined ? widthOf(family) : Number(given)
  // No interface has the address of nobody; as the begin of a prefix it stands for others.
  if (length === widthOf(family)) return parseSource(text)
  const bytes = bytesOf(spelled(name))
  const isClean = bytes.every((byte, i) => (byte & ~maskByte(length, i)) === 0)
  // Multicast is no source, and so is no prefix of it.
  const isMulticast = family === 4 ? bytes[0]! >= 224 : bytes[0] === 0xff
  return isClean && !(isMulticast && length > 0) ? { family, address: spelled(name), length } : undefined
}

/** As it is written: `10.0.0.0/24`, or without the length when it is one address. */
export const prefixText = ({ family, address, length }: Prefix): string =>
  length === widthOf(family) ? address : `${address}/${length}`

/** The mask of a prefix, written as an address. */
export const maskText = ({ family, length }: Prefix): string => {
  const bytes = Array.from({ length: widthOf(family) / 8 }, (_, i) => maskByte(length, i))
  if (family === 4) return bytes.join('.')
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[i * 2]! << 8) | bytes[i * 2 + 1]!).toString(16))
  return spelled(groups.join(':'))
}

/** Every address of `inner` is one of `outer`. */
export const contains = (outer: Prefix, inner: Prefix): boolean => {
  if (outer.family !== inner.family || outer.length > inner.length) return false
  const bytes = bytesOf(inner.address)
  return bytesOf(outer.address).every((byte, i) => byte === (bytes[i]! & maskByte(outer.length, i)))
}

/** The link-local address that follows from a MAC address (RFC 4291, appendix A). */
export const linkLocalOf = (mac: string): Prefix => {
  const [a, b, c, d, e, f] = mac.split(':').map(byte => Number.parseInt(byte, 16)) as Six
  const groups = [((a ^ 2) << 8) | b, (c << 8) | 0xff, 0xfe00 | d, (e << 8) | f].map(group => group.toString(16))
  return { family: 6, address: spelled(`fe80:0:0:0:${groups.join(':')}`), length: 128 }
}
type Six = [number, number, number, number, number, number]

const maskByte = (length: number, i: number): number => (0xff00 >> Math.min(8, Math.max(0, length - i * 8))) & 0xff

/** IPv6 as RFC 5952 has it. */
const spelled = (text: string): string =>
  text.includes(':') ? new URL(`http://[${text}]/`).hostname.slice(1, -1) : text

/** @param address In its one spelling. */
const bytesOf = (address: string): readonly number[] => {
  if (!address.includes(':')) return address.split('.').map(Number)
  const [head = '', tail] = address.split('::')
  const groups = (part: string) => (part === '' ? [] : part.split(':').map(group => Number.parseInt(group, 16)))
  const [left, right] = [groups(head), groups(tail ?? '')]
  const zeros = new Array<number>(8 - left.length - right.length).fill(0)
  return [...left, ...zeros, ...right].flatMap(group => [group >> 8, group & 0xff])
}
