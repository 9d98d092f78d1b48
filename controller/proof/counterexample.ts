// One frame that breaks the law, of a set of them: its bytes, the way that it takes, and the entry to blame.
import { formatFlow } from '../../openflow/index.ts'
import { type DatapathId, type Endpoint, endpointKey } from '../../topology/topology.ts'
import type { Entry } from './data-plane.ts'
import { type Step, untouched } from './flight.ts'
import { slots, valueIn } from './frame-bits.ts'
import { frameOf, liked } from './frame-bytes.ts'
import type { Bits, FrameSet, FrameSpace } from './frame-sets.ts'
import { type Fabric, newMemory, travel } from './journey.ts'
import { type Breach, type Fault, faults } from './law.ts'

/** An entry, where it stands, in the words of ovs-ofctl. */
export type NamedEntry = { readonly dpid: DatapathId; readonly tableId: number; readonly entry: string }
export type Counterexample = {
  readonly fault: Fault
  readonly sentence: string
  /** The number of the network whose law it breaks; 0: of none. */
  readonly network: number
  /** In hex; absent where the fault is an entry's alone. */
  readonly frame?: string
  /** The port that it is to be sent into. */
  readonly from?: Endpoint
  /** It comes over a link, with this VNI. */
  readonly tunnel?: number
  /** Where it comes out, or does not; a member that is there by a tag is named with it. */
  readonly at?: Endpoint & { readonly vlan?: number }
  readonly blame?: NamedEntry
  /** The entries that it meets on its way there. */
  readonly path: readonly (NamedEntry & { readonly inPort: number })[]
}

export const named = (dpid: DatapathId, { tableId, item, unreadable }: Entry): NamedEntry => ({
  ...{ dpid, tableId },
  entry: unreadable === undefined ? formatFlow(item as Parameters<typeof formatFlow>[0]) : `unreadable: ${unreadable}`,
})

/** @param numbers What the network is known by: its own, its mirror's. */
export function counterexample(fabric: Fabric, breach: Breach, numbers: readonly number[]): Counterexample {
  const { space } = fabric
  const { fault, network, from, tunnel, frames, at, pushed = [], what } = breach
  const bits = whole(space.one(frames, liked)!)
  // Of a frame that goes nowhere, the last entry that it met.
  let last: readonly Step[] = []
  const seen: { at: Endpoint; trail: readonly Step[] }[] = []
  const watch = {
    records: true,
    met(trail: readonly Step[]) {
      if (trail.length >= last.length) last = trail
    },
  }
  const ways = travel({ ...fabric, watch }, newMemory())
  const set = setOf(space, bits)
  const journey = ways.from(from, tunnel, { set, pushed, popped: 0, rewritten: untouched, trail: [] })
  for (const { at, flight } of [...journey.arrivals, ...journey.loops]) seen.push({ at, trail: flight.trail })
  const ended = fault === 'controller' ? journey.copies : []
  const steps =
    seen.find(s => at !== undefined && endpointKey(s.at) === endpointKey(at))?.trail ?? ended.at(-1)?.trail ?? last
  const isOthers = ({ entry }: Step) => entry.owner !== 0 && !numbers.includes(entry.owner)
  const blame = steps.findLast(isOthers) ?? steps.at(-1)
  return {
    ...{ fault, sentence: what === undefined ? faults[fault].sentence : `${faults[fault].sentence}: ${what}`, network },
    ...{ frame: frameOf(bits, pushed).toString('hex'), from },
    ...(tunnel !== 0n && { tunnel: Number(tunnel) }),
    ...(at && { at: { dpid: at.dpid, port: at.port, ...(at.vlan !== undefined && { vlan: at.vlan }) } }),
    ...(blame && { blame: named(blame.dpid, blame.entry) }),
    path: steps.map(({ dpid, inPort, entry }) => ({ ...named(dpid, entry), inPort })),
  }
}

/** Every bit of it. */
function whole(asked: Bits): Bits {
  const bits = new Map<number, 0 | 1>()
  for (const { at, width } of Object.values(slots))
    for (let i = at; i < at + width; i++) bits.set(i, asked.get(i) ?? liked(i))
  return bits
}
function setOf(space: FrameSpace, bits: Bits): FrameSet {
  let set: FrameSet = 1
  for (const [field, { at, width }] of Object.entries(slots).toReversed())
    set = space.and(set, space.field(at, width, valueIn(bits, field as keyof typeof slots), (1n << BigInt(width)) - 1n))
  return set
}
