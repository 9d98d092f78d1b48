import { type Cursor, type Fixed, fixed, wrong } from './wire.ts'

const hexPairs: readonly string[] = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'))

const withColon: readonly string[] = hexPairs.map(pair => `${pair}:`)

const digit = (code: number): number => {
  if (code >= 48 && code <= 57) return code - 48
  const lower = code | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}

/** `aa:bb:cc:dd:ee:ff`, lower case. */
export const mac: Fixed<string> = fixed(
  6,
  ({ view }, at) =>
    withColon[view.getUint8(at)]! +
    withColon[view.getUint8(at + 1)]! +
    withColon[view.getUint8(at + 2)]! +
    withColon[view.getUint8(at + 3)]! +
    withColon[view.getUint8(at + 4)]! +
    hexPairs[view.getUint8(at + 5)]!,
  ({ view }, at, value) => {
    if (typeof value !== 'string' || value.length !== 17) wrong('a MAC address such as 02:00:00:00:00:01', value)
    for (let i = 0; i < 6; i++) {
      const high = digit(value.charCodeAt(i * 3))
      const low = digit(value.charCodeAt(i * 3 + 1))
      if (high < 0 || low < 0 || (i < 5 && value.charCodeAt(i * 3 + 2) !== 58))
        wrong('a MAC address such as 02:00:00:00:00:01', value)
      view.setUint8(at + i, (high << 4) | low)
    }
  },
)

/** `10.0.0.1`; a mask is written as one as well, `255.255.255.0`. */
export const ipv4: Fixed<string> = fixed(
  4,
  ({ view }, at) => `${view.getUint8(at)}.${view.getUint8(at + 1)}.${view.getUint8(at + 2)}.${view.getUint8(at + 3)}`,
  ({ view }, at, value) => {
    const expected = 'an IPv4 address such as 10.0.0.1'
    if (typeof value !== 'string') wrong(expected, value)
    let octet = -1
    let i = 0
    for (let k = 0; k <= value.length; k++) {
      const code = k === value.length ? 46 : value.charCodeAt(k)
      if (code === 46) {
        if (octet < 0 || i > 3) wrong(expected, value)
        view.setUint8(at + i++, octet)
        octet = -1
      } else {
        if (code < 48 || code > 57 || octet === 0) wrong(expected, value)
        octet = (octet < 0 ? 0 : octet * 10) + code - 48
        if (octet > 255) wrong(expected, value)
      }
    }
    if (i !== 4) wrong(expected, value)
  },
)

/** As RFC 5952 writes it: lower case, the longest run of at least two zero groups as `::`. */
export const ipv6: Fixed<string> = fixed(16, formatIpv6, (c, at, value) => {
  const groups = typeof value === 'string' ? parseIpv6(value) : undefined
  if (groups === undefined) return wrong('an IPv6 address such as fe80::1', value)
  for (let i = 0; i < 8; i++) c.view.setUint16(at + i * 2, groups[i]!)
})

function formatIpv6({ view }: Cursor, at: number): string {
  let bestStart = -1
  let bestLength = 1
  for (let i = 0; i < 8; i++) {
    let length = 0
    while (i + length < 8 && view.getUint16(at + (i + length) * 2) === 0) length++
    if (length > bestLength) {
      bestStart = i
      bestLength = length
    }
    i += length
  }
  const group = (i: number): string => view.getUint16(at + i * 2).toString(16)
  const join = (from: number, to: number): string =>
    Array.from({ length: to - from }, (_, i) => group(from + i)).join(':')
  return bestStart < 0 ? join(0, 8) : `${join(0, bestStart)}::${join(bestStart + bestLength, 8)}`
}

function parseIpv6(value: string): number[] | undefined {
  const halves = value.split('::')
  if (halves.length > 2 || value.length > 45) return undefined
  const groups = halves.map((half, i) => parseGroups(half, i === halves.length - 1))
  const [head, tail] = groups
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined
  if (tail === undefined) return head.length === 8 ? head : undefined
  const zeros = 8 - head.length - tail.length
  return zeros < 1 ? undefined : [...head, ...new Array<number>(zeros).fill(0), ...tail]
}

/** Groups of hex digits; the last may be an IPv4 address, which counts as two groups. */
function parseGroups(half: string, last: boolean): number[] | undefined {
  if (half === '') return []
  const parts = half.split(':')
  const groups: number[] = []
  for (const [i, part] of parts.entries()) {
    const octets = last && i === parts.length - 1 && part.includes('.') ? part.split('.') : undefined
    if (octets !== undefined) {
      if (octets.length !== 4 || !octets.every(o => /^(0|[1-9]\d{0,2})$/.test(o) && Number(o) < 256)) return undefined
      const [a, b, c, d] = octets.map(Number) as [number, number, number, number]
      groups.push((a << 8) | b, (c << 8) | d)
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined
      groups.push(Number.parseInt(part, 16))
    }
  }
  return groups
}
