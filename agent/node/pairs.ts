/**
 * Pairs of veth for pods: what is missing is made, what is wrong with a free one is put right, and what is not needed any
 * more goes. A pair whose other end is in a pod is only ever put up. One that came back from a pod is made anew: who had it
 * may have changed anything about it. Pure.
 *
 * The end for a pod gets its name last: until then Multus does not find it, and whoever was killed half-way through finds
 * by the name how far it got.
 */

import type { NodePlan } from '../../api/contract/node-schemas.ts'
import type { Device } from './devices.ts'
import { numberOf, type Stock } from './stock.ts'

export type Pair = { readonly bridgeEnd: string; readonly podEnd: string; readonly unfinished: string }

export type PairSteps = {
  /** Ends on the bridge of pairs that came back from a pod: they go, and are made again. */
  readonly discard: readonly string[]
  /** These do not exist at all, or not any more. */
  readonly make: readonly Pair[]
  /** These get their last settings and the pod end's name; those in `make` are among them. */
  readonly finish: readonly Pair[]
  /** Lines for `ip -batch`. */
  readonly adjust: readonly string[]
  /** Ends on the bridge of pairs that nobody needs; each only when the switch has no port of it any more. */
  readonly surplus: readonly string[]
  readonly changes: readonly string[]
  /** Devices of others that have the names. */
  readonly faults: readonly string[]
}

type Names = Pick<NodePlan['interfaces'], 'bridgePrefix' | 'podPrefix'>

export const pairOf = ({ bridgePrefix, podPrefix }: Names, number: number): Pair => ({
  ...{ bridgeEnd: `${bridgePrefix}${number}`, podEnd: `${podPrefix}${number}` },
  // Linux takes 15 characters: prefixes have 7, numbers at most 5.
  unfinished: `${bridgePrefix}${number}.x`,
})

/** What is written into a device that an agent makes, so that it touches no other one. */
export const markOf = ({ bridge, node }: Pick<NodePlan, 'bridge' | 'node'>): string =>
  `l2sm:${bridge}:${node}`.slice(0, 255)

/** Whether an agent made a device. */
export const isMarked = ({ alias }: Device): boolean => alias?.startsWith('l2sm:') === true

/**
 * A number that the kernel keeps with a device for whoever wants to (`tag`), and forgets when it goes to another network
 * namespace: a device that still has it was never in a pod.
 */
export const freshTag = '1'
export const tagPath = (device: string): string => `/proc/sys/net/ipv4/conf/${device}/tag`

export type Pairs = {
  readonly names: Names
  readonly mark: string
  readonly devices: ReadonlyMap<string, Device>
  /** Ends on the bridge that belong to this agent. */
  readonly own: ReadonlySet<string>
  readonly mtu: number
  /** Numbers of those that came back from a pod, and have been here for a while. */
  readonly settled: ReadonlySet<number>
}

export function pairSteps({ names, devices, own, mtu, settled }: Pairs, { wanted, live, stale }: Stock): PairSteps {
  const pairs = wanted.map(number => ({ ...pairOf(names, number), number }))
  const foreign = pairs.filter(({ bridgeEnd }) => devices.has(bridgeEnd) && !own.has(bridgeEnd))
  const ours = pairs.filter(pair => !foreign.includes(pair))
  const discard = ours.filter(({ number }) => stale.has(number) && settled.has(number))
  const make = ours.filter(pair => discard.includes(pair) || !devices.has(pair.bridgeEnd))
  const finish = ours.filter(pair => make.includes(pair) || devices.has(pair.unfinished))
  const adjusted = ours
    .filter(pair => !make.includes(pair))
    .map(pair => adjustment(pair, devices, mtu, live.has(pair.number)))
  const listed = (list: readonly Pair[]) => list.map(({ bridgeEnd }) => bridgeEnd).join(' ')
  const made = make.filter(pair => !discard.includes(pair))
  return {
    ...{ discard: discard.map(({ bridgeEnd }) => bridgeEnd), make, finish },
    adjust: adjusted.flatMap(({ lines }) => lines),
    surplus: surplusOf(names, devices, own, new Set(wanted)),
    changes: [
      ...adjusted.flatMap(({ changes }) => changes),
      ...(made.length > 0 ? [`${listed(made)} made, with ${made[0]!.podEnd} and so on for pods`] : []),
      ...(discard.length > 0 ? [`${listed(discard)} made anew: came back from a pod`] : []),
    ],
    faults: foreign.map(
      ({ bridgeEnd }) =>
        `device ${bridgeEnd} exists and was not made by this agent: rename it, or ip link del ${bridgeEnd}`,
    ),
  }
}

function adjustment(pair: Pair, devices: ReadonlyMap<string, Device>, mtu: number, isLive: boolean) {
  const lines: string[] = []
  const changes: string[] = []
  if (!devices.get(pair.bridgeEnd)!.up && !devices.has(pair.unfinished)) {
    lines.push(`link set ${pair.bridgeEnd} up`)
    changes.push(`${pair.bridgeEnd} was down, put up`)
  }
  for (const name of isLive ? [] : [pair.bridgeEnd, pair.podEnd]) {
    const device = devices.get(name)
    if (!device || device.mtu === mtu) continue
    lines.push(`link set ${name} mtu ${mtu}`)
    changes.push(`${name}: MTU set to ${mtu}, was ${device.mtu}`)
  }
  return { lines, changes }
}

const surplusOf = (
  { bridgePrefix }: Names,
  devices: ReadonlyMap<string, Device>,
  own: ReadonlySet<string>,
  wanted: ReadonlySet<number>,
): string[] =>
  [...devices.values()].flatMap(({ name, peer }) => {
    const number = peer === 'here' && own.has(name) ? numberOf(bridgePrefix, name) : undefined
    return number === undefined || wanted.has(number) ? [] : [name]
  })

/** For `ip -batch`. Whoever is killed between two lines leaves whole pairs, unfinished ones. */
export const making = ({ discard, make }: PairSteps, mark: string, mtu: number): string[] => [
  ...discard.map(name => `link del ${name}`),
  ...make.flatMap(({ bridgeEnd, unfinished }) => [
    `link add name ${bridgeEnd} mtu ${mtu} type veth peer name ${unfinished} mtu ${mtu}`,
    `link set ${bridgeEnd} alias ${mark}`,
  ]),
]

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
