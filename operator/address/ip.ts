/** IP addresses as numbers, and subnets of them (RFC 4632, RFC 4291, RFC 5952). Pure. */

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
  const family = text.includes(':') ? 6 : 4
  const [groups, bits] = family === 6 ? [groupsOf(text), 16n] : [octetsOf(text), 8n]
  return groups && { family, value: groups.reduce((sum, group) => (sum << bits) + BigInt(group), 0n) }
}

/** A leading zero could mean octal: it is refused, as by inet_pton. */
const octetsOf = (text: string): number[] | undefined => {
  if (!/^((0|[1-9][0-9]{0,2})\.){3}(0|[1-9][0-9]{0,2})$/.test(text)) return undefined
  const octets = text.split('.').map(Number)
  return octets.every(octet => octet < 256) ? octets : undefined
}

/** RFC 4291 §2.2: eight groups, one run of zeros left out as `::`, the last two perhaps dotted. */
const groupsOf = (text: string): number[] | undefined => {
  const [, before = '', last = ''] = /^(.*:)([0-9]+\..*)$/.exec(text) ?? []
  const octets = last === '' ? [] : octetsOf(last)
  if (!octets) return undefined
  const pair = (high: number, low: number) => ((high << 8) | low).toString(16)
  const plain = octets.length === 4 ? `${before}${pair(octets[0]!, octets[1]!)}:${pair(octets[2]!, octets[3]!)}` : text
  const halves = plain.split('::').map(half => (half === '' ? [] : half.split(':')))
  const groups = halves.flat()
  const [head = [], tail] = halves
  const missing = 8 - groups.length
  const isWhole = tail === undefined ? missing === 0 : missing > 0 && halves.length === 2
  if (!isWhole || !groups.every(group => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined
  const all = tail === undefined ? head : [...head, ...Array<string>(missing).fill('0'), ...tail]
  return all.map(group => Number.parseInt(group, 16))
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
