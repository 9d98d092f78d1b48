/**
 * Pairs of veth for pods: what is missing is made, what is wrong with a free one is put right, and what is not needed any
 * more goes. A pair whose other end is in a pod is only ever put up. Pure.
 *
 * The end for a pod gets its name last: until then Multus does not find it, and whoever was killed half-way through finds
 * by the name how far it got.
 */

import type { NodePlan } from '../../api/contract/node-schemas.ts'
import type { Device } from './devices.ts'
import { numberOf, type Stock } from './stock.ts'

export type Pair = { readonly bridgeEnd: string; readonly podEnd: string; readonly unfinished: string }

export type PairSteps = {
  /** These do not exist at all. */
  readonly make: readonly Pair[]
  /** These get their last settings and the pod end's name; those in `make` are among them. */
  readonly finish: readonly Pair[]
  /** Lines for `ip -batch`. */
  readonly adjust: readonly string[]
  /** Ends on the bridge of pairs that nobody needs; each only when the switch has no port of it any more. */
  readonly surplus: readonly string[]
  readonly changes: readonly string[]
}

type Names = Pick<NodePlan['interfaces'], 'bridgePrefix' | 'podPrefix'>

export const pairOf = ({ bridgePrefix, podPrefix }: Names, number: number): Pair => ({
  ...{ bridgeEnd: `${bridgePrefix}${number}`, podEnd: `${podPrefix}${number}` },
  // Linux takes 15 characters: prefixes have 7, numbers at most 5.
  unfinished: `${bridgePrefix}${number}.x`,
})

export function pairSteps(
  names: Names,
  { wanted, live }: Stock,
  devices: ReadonlyMap<string, Device>,
  mtu: number,
): PairSteps {
  const make: Pair[] = []
  const finish: Pair[] = []
  const adjust: string[] = []
  const changes: string[] = []
  for (const number of wanted) {
    const pair = pairOf(names, number)
    const bridgeEnd = devices.get(pair.bridgeEnd)
    if (!bridgeEnd) make.push(pair)
    if (!bridgeEnd || devices.has(pair.unfinished)) finish.push(pair)
    if (!bridgeEnd) continue
    if (!bridgeEnd.up && !devices.has(pair.unfinished)) {
      adjust.push(`link set ${pair.bridgeEnd} up`)
      changes.push(`${pair.bridgeEnd} was down, put up`)
    }
    if (live.has(number)) continue
    for (const name of [pair.bridgeEnd, pair.podEnd]) {
      const device = devices.get(name)
      if (!device || device.mtu === mtu) continue
      adjust.push(`link set ${name} mtu ${mtu}`)
      changes.push(`${name}: MTU set to ${mtu}, was ${device.mtu}`)
    }
  }
  if (make.length > 0)
    changes.push(`${make.map(({ bridgeEnd }) => bridgeEnd).join(' ')} made, with ${make[0]!.podEnd} and so on for pods`)
  const kept = new Set(wanted)
  const surplus = [...devices.values()].flatMap(({ name, peer }) => {
    const number = peer === 'here' ? numberOf(names.bridgePrefix, name) : undefined
    return number === undefined || kept.has(number) ? [] : [name]
  })
  return { make, finish, adjust, surplus, changes }
}

/** For `ip -batch`. Whoever is killed between two lines leaves whole pairs, unfinished ones. */
export const making = (pairs: readonly Pair[], mtu: number): string[] =>
  pairs.map(
    ({ bridgeEnd, unfinished }) => `link add name ${bridgeEnd} mtu ${mtu} type veth peer name ${unfinished} mtu ${mtu}`,
  )

export const finishing = (pairs: readonly Pair[]): string[] =>
  pairs.flatMap(({ bridgeEnd, podEnd, unfinished }) => [
    `link set ${bridgeEnd} up`,
    `link set ${unfinished} name ${podEnd}`,
  ])

/**
 * What the kernel must not do with a device that a switch reads: it sees each frame of a pod as well, and would answer ARP
 * for the node's own addresses, take in packets for it, and greet the pod by IPv6.
 */
export const silencing = (bridgeEnd: string): readonly (readonly [path: string, value: string])[] => [
  [`/proc/sys/net/ipv6/conf/${bridgeEnd}/disable_ipv6`, '1'],
  [`/proc/sys/net/ipv4/conf/${bridgeEnd}/arp_ignore`, '8'],
  [`/proc/sys/net/ipv4/conf/${bridgeEnd}/rp_filter`, '1'],
  [`/proc/sys/net/ipv4/conf/${bridgeEnd}/forwarding`, '0'],
]
