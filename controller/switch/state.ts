// What we know of one switch: its connection, what it holds, and how far it is with each network.
import type { Conflict, Session } from '../../openflow/session/session.ts'
import type { DatapathId } from '../../topology/topology.ts'
import type { Item } from '../compile/item.ts'
import type { Touched } from '../compile/parts.ts'
import type { EventOf } from '../view/event.ts'
import { type Holdings, holdings } from './content.ts'
import { allRead, type Unread } from './unread.ts'

/** Where a switch stands. Only `live` may be told to forget something. */
export type Phase =
  | { readonly is: 'disconnected'; readonly reason: string }
  | { readonly is: 'comparing' }
  /** It cannot do what our pipeline needs (unsupported.ts): nothing is sent to it. */
  | { readonly is: 'unsupported'; readonly missing: string }
  /** Flows of somebody else stand in our tables: nothing is sent until takeover. */
  | { readonly is: 'unsafe'; readonly foreign: readonly Item[] }
  /** It holds the flows of another store: what is new is added, nothing is taken away, nothing is called programmed. */
  | { readonly is: 'unadopted'; readonly instance: string | undefined }
  | { readonly is: 'live' }

/** Why a switch is not live, in words. */
export function phaseReason({ phase }: Pick<Switch, 'phase'>): string {
  switch (phase.is) {
    case 'disconnected':
      return phase.reason
    case 'comparing':
      return 'its flows are being read'
    case 'unsupported':
      return `it cannot run our pipeline: ${phase.missing}`
    case 'unsafe':
      return `it holds ${phase.foreign.length} flows or groups that are not ours; POST /v1/switches/{dpid}/takeover lists and removes them`
    case 'unadopted':
      return `it holds the flows of another store (${phase.instance ?? 'without a marker'}); PUT /v1/state or --adopt declares this one complete`
    case 'live':
      return 'its flows are being put right'
  }
}

/** That it went from one phase to another. */
export const phaseEvent = (dpid: DatapathId, from: Phase, to: Phase): EventOf<'switch-phase'> => ({
  ...{ kind: 'switch-phase', dpid, from: from.is, to: to.is },
  ...(to.is !== 'live' && { reason: phaseReason({ phase: to }) }),
})

/**
 * How far a switch is with one network:
 *
 *     wanted ──► sent ──► confirmed ──► drifted ──► confirmed    an audit found it otherwise, and put it right
 *       ▲          │
 *       └─ refused ┘        asked again after a pause, or when the network changes
 *
 * Serials count compiles (Compiled.serial). The switch has the network when `confirmed` is not below `wanted`.
 */
export type Programming = {
  /** Serial of the last compile that changed something there. */
  wanted: number
  /** What had been compiled when the switch was last sent this network, and answered its barrier without an error. */
  confirmed: number
  /** Store revision of the first change that it has not confirmed. */
  since: number
  /** Why it does not have the network, though all was asked of it that may be. */
  refused?: Refusal | undefined
}

/** The switch refused it, and what it said; or it was not sent, for it would break isolation (--prove enforce). */
export type Refusal = { readonly by: 'switch' | 'proof'; readonly words: string }

export const refusalReason = (dpid: DatapathId, { by, words }: Refusal): string =>
  by === 'switch' ? `switch ${dpid} refused its flows: ${words}` : `its flows are not sent to switch ${dpid}: ${words}`

export type Switch = {
  readonly dpid: DatapathId
  session: Session | undefined
  phase: Phase
  held: Holdings
  /** When it was last read in full. */
  readAt: Date | undefined
  /** When what was read there last was as it should be, or had been put right. */
  rightAt: Date | undefined
  /** Read at least once since we started: what it has learned is known. */
  seen: boolean
  /** What to look at again, by network number; under 0, what the switch itself must hold. */
  readonly dirty: Map<number, Touched | 'all'>
  /** By network number, 0 the switch itself. A network that is not here has changed nothing there since the last comparison. */
  readonly networks: Map<number, Programming>
  /** Of all switches: see `Lacking`. */
  readonly lacking: Lacking
  /** Networks of which something is kept there that we do not want, until other switches are read. */
  readonly retaining: Set<number>
  /** Why everything is to be read again, if it is. */
  compare: 'connected' | 'audit' | 'refused' | 'asked' | undefined
  running: boolean
  /** It failed to answer: nothing more is asked of it until the pause is over. */
  pausing: boolean
  /** What it refused will be asked of it again; `soon` when something of ours has made room there. */
  retrying: false | 'later' | 'soon'
  takeover: boolean
  /** Another switch claims its datapath id. */
  conflict: Conflict | undefined
  /** Flows that it did not tell when it was read last. */
  unread: Unread
  /** When its last connection ended. */
  leftAt: Date | undefined
  /** It came back without its flows: when that was found, since when it may have been so (undefined: from before our start), how many it had. */
  emptied: { readonly found: Date; readonly since: Date | undefined; readonly flows: number | undefined } | undefined
  /** Flows found wrong by the last comparison. */
  drift: number
  retries: number
}

export const newSwitch = (dpid: DatapathId, lacking = newLacking()): Switch => ({
  dpid,
  session: undefined,
  phase: { is: 'disconnected', reason: 'it has not connected since the controller started' },
  held: holdings(),
  readAt: undefined,
  rightAt: undefined,
  seen: false,
  dirty: new Map(),
  networks: new Map(),
  lacking,
  retaining: new Set(),
  compare: undefined,
  running: false,
  pausing: false,
  retrying: false,
  takeover: false,
  conflict: undefined,
  unread: allRead,
  leftAt: undefined,
  emptied: undefined,
  drift: 0,
  retries: 0,
})

/** Notes what is to be looked at again. What was noted before stays. `touched` is the switch's from now on. */
export function touch(sw: Switch, number: number, touched: Touched | 'all'): void {
  const before = sw.dirty.get(number)
  if (before === 'all') return
  if (before === undefined || touched === 'all') sw.dirty.set(number, touched)
  else for (const [key, item] of touched) before.set(key, item)
}

/** Which switches lack something of a network: few look, and those that do need not ask all. */
export type Lacking = {
  of(number: number): Iterable<Switch>
  note(sw: Switch, number: number, lacks: boolean): void
}

export function newLacking(): Lacking {
  const byNumber = new Map<number, Set<Switch>>()
  return {
    of: number => byNumber.get(number) ?? [],
    note(sw, number, lacks) {
      const switches = byNumber.get(number)
      if (lacks) {
        if (switches) switches.add(sw)
        else byNumber.set(number, new Set([sw]))
      } else if (switches?.delete(sw) && switches.size === 0) byNumber.delete(number)
    },
  }
}

/** Notes whether the switch lacks something of this network. */
function count(sw: Switch, number: number): void {
  const at = sw.networks.get(number)
  sw.lacking.note(sw, number, at !== undefined && (at.refused !== undefined || at.confirmed < at.wanted))
}

/** The switch must confirm a compile before it has the network (again). */
export function want(sw: Switch, number: number, serial: number, revision: number): void {
  const at = sw.networks.get(number)
  if (!at) sw.networks.set(number, { wanted: serial, confirmed: -1, since: revision })
  else {
    if (at.confirmed >= at.wanted) at.since = revision
    at.wanted = serial
  }
  count(sw, number)
}

/** Nothing is known of what the switch has of this network: a comparison will tell. */
export function doubt(sw: Switch, number: number, serial: number, revision: number): void {
  sw.networks.set(number, { wanted: serial, confirmed: -1, since: revision })
  count(sw, number)
}

/** Why it does not have the network; undefined: it is refused no more. */
export function refuse(sw: Switch, number: number, refusal: Refusal | undefined): void {
  const at = sw.networks.get(number)
  if (at) at.refused = refusal
  count(sw, number)
}

/** It has nothing of this network, and lacks nothing. */
export function leave(sw: Switch, number: number): void {
  sw.networks.delete(number)
  count(sw, number)
}

/** Nothing is known any more of how far the switch is. */
export function leaveAll(sw: Switch): void {
  for (const number of sw.networks.keys()) leave(sw, number)
}

/** It has all that was compiled up to this serial. */
export function confirm(sw: Switch, number: number, serial: number): void {
  const at = sw.networks.get(number)
  if (at) at.confirmed = Math.max(at.confirmed, serial)
  else sw.networks.set(number, { wanted: serial, confirmed: serial, since: 0 })
  count(sw, number)
}

/** It has confirmed the last change of this network that concerns it, or, given a serial, a compile that late. */
export function has(sw: Switch | undefined, number: number, serial = Number.POSITIVE_INFINITY): boolean {
  if (!sw?.session || sw.phase.is !== 'live') return false
  const at = sw.networks.get(number)
  return !at || (at.refused === undefined && at.confirmed >= Math.min(at.wanted, serial))
}

/** Compared is not enough: until the switch has confirmed what it lacked, it is not live for anybody who asks. */
export const isLive = (sw: Switch): boolean =>
  has(sw, 0) || (sw.phase.is === 'live' && sw.networks.get(0)?.refused !== undefined)

/** By network number, those that it does not have, and why. */
export function refusals(sw: Switch): ReadonlyMap<number, Refusal> {
  const found = new Map<number, Refusal>()
  for (const [number, { refused }] of sw.networks) if (refused) found.set(number, refused)
  return found
}
