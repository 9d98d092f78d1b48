// NXAST_NAT of Open vSwitch: an action inside ct.
import { ipv4, ipv6 } from '../wire/address.ts'
import { align8, type Codec, type Fixed, pad, refuse, u16 } from '../wire/wire.ts'

export type Nat = {
  /** natFlags */
  readonly flags: number
  readonly ipv4Min?: string
  readonly ipv4Max?: string
  readonly ipv6Min?: string
  readonly ipv6Max?: string
  readonly protoMin?: number
  readonly protoMax?: number
}
export const natFlags = { src: 1, dst: 2, persistent: 4, protoHash: 8, protoRandom: 16 } as const

/** In the order of the bits that say which of them are there, from bit 0; they follow in this order, too. */
const ranges: readonly (readonly [name: keyof Nat, codec: Fixed<any>])[] = [
  ['ipv4Min', ipv4],
  ['ipv4Max', ipv4],
  ['ipv6Min', ipv6],
  ['ipv6Max', ipv6],
  ['protoMin', u16],
  ['protoMax', u16],
]
const zeros = pad(2)

export const nat: Codec<Nat> = {
  read(c) {
    zeros.read(c)
    const value: Record<string, unknown> = { flags: u16.read(c) }
    const present = u16.read(c)
    if (present >> ranges.length !== 0) refuse(c, c.at - 2, `nat has unknown ranges in 0x${present.toString(16)}`)
    ranges.forEach(([name, codec], i) => {
      if (present & (1 << i)) value[name] = codec.read(c)
    })
    align8.read(c)
    return value as Nat
  },
  write(c, value) {
    zeros.write(c, undefined)
    u16.write(c, value.flags)
    const given = ranges.filter(([name]) => value[name] !== undefined)
    u16.write(
      c,
      given.reduce((bits, range) => bits | (1 << ranges.indexOf(range)), 0),
    )
    for (const [name, codec] of given) codec.write(c, value[name])
    align8.write(c, undefined)
  },
}
