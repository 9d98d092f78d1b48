/** Which addresses the pods of a network get. Pure. */

import { contains, type Family, type Ip, isReserved, parseIp, parseSubnet, type Subnet, spellIp } from './ip.ts'

export type Pool = {
  readonly subnet: Subnet
  /** Of it, what is given out to pods that do not ask for an address. */
  readonly range: { readonly first: bigint; readonly last: bigint }
}
/** One of each family at most; none: the network is plain layer 2. */
export type Pools = readonly Pool[]

type Spec = { readonly networkCIDR?: string | undefined; readonly podAddressRange?: string | undefined }

/** Reads them, or says what is wrong with them. */
export const poolsOf = ({ networkCIDR, podAddressRange }: Spec): Pools | { readonly fault: string } => {
  const listed = (text: string | undefined) =>
    (text ?? '')
      .split(',')
      .map(part => part.trim())
      .filter(part => part !== '')
  const [cidrs, ranges] = [listed(networkCIDR), listed(podAddressRange)]
  const subnets: Subnet[] = []
  for (const text of cidrs.length > 0 ? cidrs : ranges) {
    const subnet = parseSubnet(text)
    const field = cidrs.length > 0 ? 'networkCIDR' : 'podAddressRange'
    if (!subnet) return { fault: `${field} ${JSON.stringify(text)} is no subnet: expected such as 10.101.0.0/16` }
    if (subnets.some(({ family }) => family === subnet.family))
      return { fault: `${field} names two IPv${subnet.family} subnets: expected one of each family at most` }
    subnets.push(subnet)
  }
  const pools: Pool[] = []
  for (const subnet of subnets) pools.push({ subnet, range: subnet })
  for (const text of ranges) {
    const range = parseRange(text)
    if (!range) return { fault: `podAddressRange ${JSON.stringify(text)} is no range: expected such as 10.101.2.0/24` }
    const index = pools.findIndex(
      ({ subnet }) =>
        contains(subnet, { ...range, value: range.first }) && contains(subnet, { ...range, value: range.last }),
    )
    if (index < 0) return { fault: `podAddressRange ${text} is not within networkCIDR ${networkCIDR}` }
    pools[index] = { subnet: pools[index]!.subnet, range }
  }
  return pools
}

/** A subnet, or `10.0.0.10-10.0.0.20`. */
const parseRange = (
  text: string,
): { readonly family: Family; readonly first: bigint; readonly last: bigint } | undefined => {
  const [from = '', to, rest] = text.split('-')
  if (to === undefined) return parseSubnet(text)
  const [first, last] = [parseIp(from.trim()), parseIp(to.trim())]
  if (!first || !last || rest !== undefined || first.family !== last.family || first.value > last.value)
    return undefined
  return { family: first.family, first: first.value, last: last.value }
}

/**
 * The addresses that may be given out, in order: from the second of the range, as people expect .1 to be the first;
 * the very first comes last, where it is one.
 */
export function* candidates({ subnet, range }: Pool): Generator<Ip> {
  const { family } = subnet
  const usable = (value: bigint) => !isReserved(subnet, { family, value })
  for (let value = range.first + 1n; value <= range.last; value++) if (usable(value)) yield { family, value }
  if (usable(range.first)) yield { family, value: range.first }
}

/** The first one that is not taken. `taken` as spellIp writes them. Undefined: all are. */
export const firstFree = (pool: Pool, taken: (address: string) => boolean): string | undefined => {
  for (const ip of candidates(pool)) {
    const address = spellIp(ip)
    if (!taken(address)) return address
  }
  return undefined
}

/** How many addresses there are to give out, for people: exact up to a million. */
export const capacity = ({ subnet, range }: Pool): string => {
  const all = range.last - range.first + 1n
  const reserved = [subnet.first, subnet.last].filter(
    (value, i, both) =>
      both.indexOf(value) === i &&
      value >= range.first &&
      value <= range.last &&
      isReserved(subnet, { family: subnet.family, value }),
  )
  const count = all - BigInt(reserved.length)
  return count > 1_000_000n ? 'more than a million' : String(count)
}
