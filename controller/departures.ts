// Ports that have left a network: none enters another before its switch has said that it has left, and its caches have followed.
// So a port that moves is in the one network, then in none for a moment, then in the other, whatever its switch can do.
import { attachmentKey, attachmentsAt } from '../store/attachments.ts'
import type { State } from '../store/state.ts'
import type { Write } from '../store/store.ts'
import { type DatapathId, endpointKey, type PortNo } from '../topology/topology.ts'
import type { Cancel, Clock } from './clock/clock.ts'
import { placeOf } from './compile/local-network.ts'

/**
 * Milliseconds from a switch's word that a port has left until it is let in elsewhere. Open vSwitch answers a barrier before its
 * caches have followed, which it revalidates every 500 ms at the latest (max-revalidator).
 */
export const leavingMs = 500
const tickMs = 50

/** A port by its number, and its tag if it is in a network by one. */
export type Way = { readonly dpid: DatapathId; readonly port: PortNo; readonly vlan?: number | undefined }

export type Departures = {
  /** A write is on disk, and nothing of it is compiled yet. */
  written(write: Write, state: State): void
  /** A switch was read that lets a port into a network by this number, although it should not. */
  found(number: number, way: Way): void
  stop(): void
}

type Around = {
  state(): State
  connected(dpid: DatapathId): boolean
  numberOf(id: string): number | undefined
  /** The network was compiled at this revision or later, and the switch has confirmed it. */
  hasLeft(number: number, dpid: DatapathId, revision: number): boolean
  /** Members that are not let in, by placeOf. */
  readonly withheld: Map<string, 'leaving' | 'loop'>
  /** The network is to be compiled. */
  look(id: string): void
  readonly clock: Clock
}

type Departure = { readonly revision: number; leftAt: number | undefined }

export function departures(around: Around): Departures {
  const { state, connected, numberOf, hasLeft, withheld, look, clock } = around
  /** By attachmentKey, and then by the number of the network that was left. */
  const leaving = new Map<string, { readonly way: Way; readonly from: Map<number, Departure> }>()

  const leave = (way: Way, number: number, revision: number) => {
    const key = attachmentKey(way)
    const known = leaving.get(key) ?? { way, from: new Map<number, Departure>() }
    leaving.set(key, known)
    known.from.set(number, { revision, leftAt: undefined })
    ticking ??= clock.every(tickMs, tick)
  }
  /** Keeps the port out of the network that it is to be in, if it is on its way out of another. */
  const withhold = (key: string, number: number | undefined) => {
    const known = leaving.get(key)
    if (!known || number === undefined || [...known.from.keys()].every(from => from === number)) return
    const place = placeOf(number, known.way.dpid, known.way.port)
    if (!withheld.has(place)) withheld.set(place, 'leaving')
  }
  /** It has left all: it may enter. */
  const arrive = (key: string, { dpid, port }: Way) => {
    leaving.delete(key)
    // Another tag of the port may still be on its way.
    for (const { way } of leaving.values()) if (way.dpid === dpid && way.port === port) return
    for (const [place, why] of withheld)
      if (why === 'leaving' && place.endsWith(` ${dpid}/${port}`)) withheld.delete(place)
    for (const { network } of attachmentsAt(state(), endpointKey({ dpid, port }))) look(network)
  }
  let ticking: Cancel | undefined
  const tick = () => {
    for (const [key, { way, from }] of leaving) {
      let isThrough = true
      for (const [number, departure] of from) {
        if (departure.leftAt === undefined && hasLeft(number, way.dpid, departure.revision))
          departure.leftAt = clock.now()
        if (departure.leftAt === undefined || clock.now() - departure.leftAt < leavingMs) isThrough = false
      }
      if (isThrough) arrive(key, way)
    }
    if (leaving.size === 0) stop()
  }
  const stop = () => {
    ticking?.()
    ticking = undefined
  }
  return {
    written({ changes }, { revision }) {
      // Of a network that goes with its ports, only the write still says the number.
      const gone = new Map<string, number>()
      for (const change of changes)
        if (change.kind === 'network' && change.before) gone.set(change.key, change.before.number)
      for (const change of changes) {
        if (change.kind !== 'attachment') continue
        const { key, before, after } = change
        // What a switch holds that is not connected is seen when it is.
        if (before && before.network !== after?.network && connected(before.dpid)) {
          const number = gone.get(before.network) ?? numberOf(before.network)
          // Where it was not let in yet it has nothing to leave.
          const place = number === undefined ? '' : placeOf(number, before.dpid, before.port)
          if (withheld.get(place) === 'leaving') withheld.delete(place)
          else if (number !== undefined) leave(before, number, revision)
        }
        if (after) withhold(key, numberOf(after.network))
      }
    },
    found(number, way) {
      const key = attachmentKey(way)
      const network = state().attachments.get(key)?.network
      const wanted = network === undefined ? undefined : numberOf(network)
      if (network === undefined || wanted === undefined || wanted === number) return
      leave(way, number, 0)
      withhold(key, wanted)
      look(network)
    },
    stop,
  }
}
