// Addresses that two ports claim. The one that has it is asked before it loses it, and nothing waits for an event that may
// not come: who is silent, gone or out of reach loses the address by the clock.
//
// Example: M speaks at port 1, then moves to port 2, says so five times in 0.8 s, and is silent. The holder, port 1, is probed
// at 0, 0.4 and 0.8 s; its entry counts no packet; at 1.2 s M is at port 2. Had it answered, M would have stayed.
// Pure: time is an argument.
import { type Place, placeText, samePlace } from './learned-addresses.ts'

/** Milliseconds. */
export const contestTimes = {
  /** A holder that was asked and has sent nothing for so long is silent. Open vSwitch's counters are up to 0.6 s late. */
  silence: 1200,
  /** The same where the switch does not count packets: then only copies of the holder's frames show that it speaks. */
  uncounted: 15_000,
  /** A holder whose switch is not connected, or to which no way leads, may come back so soon. Doubles with each move to and fro. */
  unreachable: 1000,
  longestUnreachable: 60_000,
  reading: 250,
  /** A switch that has not said in so long what it counted does not count, for now. */
  answer: 2000,
  /** One that has not answered an echo request in so long, either, is out of reach, though its connection stands. */
  deaf: 1500,
  probing: 400,
  /** A claim that is not repeated counts for so long. */
  claim: 3000,
  /** Between two denials of one claim that go on being counted. */
  denial: 1000,
  /** So long a denial counts against its port. */
  offence: 60_000,
  /** So long the port that had an address before gets it back as soon as it speaks. */
  older: 300_000,
}
/** Denials after which a port is suppressed. */
export const mostDenials = 3
/** Contests at a time: of one claiming port, and of all. Who contests more waits. */
const perClaimant = 16
const most = 1000

/** `gone`: the port does not exist, or has no carrier. `unreachable`: its switch is not connected, or no way leads there. */
export type Presence = 'there' | 'gone' | 'unreachable'

export type Contested = {
  readonly network: number
  readonly mac: number
  readonly holder: Place
  readonly claimant: Place
}

export type Contest = Contested & {
  readonly since: number
  /** IPv4 addresses that are said to be there: what the holder is asked for by ARP. */
  readonly ipv4: Set<number>
  claimedAt: number
  /** When the holder was last known to speak; at first, when the contest began. */
  spokeAt: number
  /** How often it was heard since. */
  spoken: number
  /** As its entry counted when it was last read; undefined before. */
  packets: bigint | undefined
  isCounted: boolean
  isReading: boolean
  readAt: number
  /** The holder's switch has answered anything. */
  answeredAt: number
  probedAt: number
  probes: number
  unreachableSince: number | undefined
  deniedAt: number
}

/** What is to be done. */
export type Step =
  /** Read the packets of the holder's entry (then `counted`), and after that ask it for a sign of life if `probe`. */
  | { readonly is: 'ask'; readonly contest: Contest; readonly probe: boolean }
  /** The address is at `to` now. */
  | { readonly is: 'move'; readonly network: number; readonly mac: number; readonly to: Place }
  /** Both speak. */
  | ({ readonly is: 'conflict' } & Contested)
  /** This port has claimed others' addresses again and again. */
  | { readonly is: 'suppress'; readonly network: number; readonly at: Place }
  /** The holder's frames are to be copied to us, or no more. */
  | { readonly is: 'watch'; readonly network: number; readonly mac: number; readonly isWatched: boolean }

type Claimed = Contested & { readonly ipv4?: number | undefined }

export type Contests = {
  /** A frame from this address came in at `claimant`, while `holder` has it. */
  claimed(claim: Claimed, presence: Presence, now: number): readonly Step[]
  /** A frame of the holder came to us. */
  spoke(network: number, mac: number, now: number): void
  /** What its entry has counted; undefined: the switch does not count, or does not say. */
  counted(contest: Contest, packets: bigint | undefined, now: number): readonly Step[]
  /** The holder's switch has answered an echo request. */
  answered(contest: Contest, now: number): void
  /** A frame from an address that was given to another port: nobody can learn it. */
  claimedPinned(claim: Contested, now: number): readonly Step[]
  /** A switch shows an address at `older`, which has meanwhile been given to another port. */
  remember(network: number, mac: number, older: Place, now: number): void
  tick(now: number, around: Around): readonly Step[]
  /** Contests under way. */
  all(): Iterable<Contest>
}
type Around = {
  holderOf(network: number, mac: number): Place | undefined
  presence(contest: Contested): Presence
}

type Older = { readonly place: Place; readonly movedAt: number; readonly moves: number }

export function contests(): Contests {
  const open = new Map<string, Contest>()
  const olders = new Map<string, Older>()
  const offenders = denials()
  /** When a port was last denied an address that was given to another. */
  const pinned = new Map<string, number>()
  const keyOf = ({ network, mac }: { network: number; mac: number }) => `${network} ${mac}`
  const isOpen = (contest: Contest) => open.get(keyOf(contest)) === contest

  const close = (contest: Contest): readonly Step[] => {
    const { network, mac, isCounted } = contest
    open.delete(keyOf(contest))
    return isCounted ? [] : [{ is: 'watch', network, mac, isWatched: false }]
  }
  const move = (contest: Contested, now: number): readonly Step[] => {
    const { network, mac, holder, claimant } = contest
    const key = keyOf(contest)
    const before = olders.get(key)
    const moves = before && now - before.movedAt < contestTimes.older ? before.moves + 1 : 0
    olders.delete(key)
    olders.set(key, { place: holder, movedAt: now, moves })
    forgetOldest(olders)
    open.delete(key)
    return [{ is: 'move', network, mac, to: claimant }]
  }
  /** The holder speaks, and so does the claimant. */
  const deny = (contest: Contested, now: number): readonly Step[] => {
    const { network, mac, holder, claimant } = contest
    const steps: Step[] = [{ is: 'conflict', network, mac, holder, claimant }]
    if (offenders.add(network, claimant, now) < mostDenials) return steps
    return [...steps, ...suppress(network, claimant)]
  }
  const suppress = (network: number, at: Place): readonly Step[] => {
    const theirs = [...open.values()].filter(c => c.network === network && samePlace(c.claimant, at))
    return [...theirs.flatMap(close), { is: 'suppress', network, at }]
  }
  const begin = ({ network, mac, holder, claimant }: Contested, now: number): Contest | undefined => {
    if (open.size >= most) return undefined
    let own = 0
    for (const c of open.values()) if (samePlace(c.claimant, claimant)) own += 1
    if (own >= perClaimant) return undefined
    const contest: Contest = {
      ...{
        network,
        mac,
        holder,
        claimant,
        since: now,
        ipv4: new Set<number>(),
        claimedAt: now,
        spokeAt: now,
        spoken: 0,
      },
      ...{
        packets: undefined,
        isCounted: true,
        isReading: false,
        readAt: -Infinity,
        answeredAt: -Infinity,
        probedAt: -Infinity,
        probes: 0,
      },
      ...{ unreachableSince: undefined, deniedAt: -Infinity },
    }
    open.set(keyOf(contest), contest)
    return contest
  }
  const contestOf = (claim: Claimed, now: number): Contest | undefined => {
    const known = open.get(keyOf(claim))
    if (!known || !samePlace(known.holder, claim.holder)) return begin(claim, now)
    if (samePlace(known.claimant, claim.claimant)) return known
    // Who came first is heard first; who has fallen silent gives way.
    return now - known.claimedAt > contestTimes.silence ? begin(claim, now) : undefined
  }
  const ask = (contest: Contest, now: number): readonly Step[] => {
    if (contest.isReading || now - contest.readAt < contestTimes.reading) return []
    const probe = now - contest.probedAt >= contestTimes.probing
    contest.isReading = true
    contest.readAt = now
    if (probe) {
      contest.probedAt = now
      contest.probes += 1
    }
    return [{ is: 'ask', contest, probe }]
  }
  const counted: Contests['counted'] = (contest, packets, now) => {
    contest.isReading = false
    contest.answeredAt = now
    if (!isOpen(contest)) return []
    const wasCounted = contest.isCounted
    contest.isCounted = packets !== undefined
    if (packets !== undefined) {
      if (contest.packets !== undefined && contest.packets !== packets) hear(contest, now)
      contest.packets = packets
    }
    if (contest.isCounted === wasCounted) return []
    const { network, mac } = contest
    return [{ is: 'watch', network, mac, isWatched: wasCounted }]
  }
  const isUnreachable = (contest: Contest, now: number): boolean => {
    contest.unreachableSince ??= isDeaf(contest, now) ? contest.readAt : now
    const { moves, movedAt } = olders.get(keyOf(contest)) ?? { moves: -1, movedAt: -Infinity }
    const lately = now - movedAt < contestTimes.older ? moves + 1 : 0
    const patience = Math.min(contestTimes.longestUnreachable, contestTimes.unreachable * 2 ** lately)
    return now - contest.unreachableSince >= patience
  }
  const look = (contest: Contest, now: number, around: Around): readonly Step[] => {
    const { network, mac, holder, claimant, claimedAt } = contest
    const current = around.holderOf(network, mac)
    // Its entry has timed out meanwhile: the address is free.
    if (!current) return [...close(contest), { is: 'move', network, mac, to: claimant }]
    if (!samePlace(current, holder)) return close(contest)
    const presence = isDeaf(contest, now) ? 'unreachable' : around.presence(contest)
    if (presence === 'gone') return move(contest, now)
    if (presence === 'unreachable') {
      if (isUnreachable(contest, now)) return move(contest, now)
      return now - claimedAt > contestTimes.longestUnreachable ? close(contest) : []
    }
    contest.unreachableSince = undefined
    if (contest.isReading && now - contest.readAt >= contestTimes.answer) return counted(contest, undefined, now)
    const { silence, uncounted, claim } = contestTimes
    const patience = contest.isCounted ? silence : uncounted
    if (isSilent(contest, now, patience)) return move(contest, now)
    if (now - claimedAt > patience + claim) return close(contest)
    return ask(contest, now)
  }

  return {
    all: () => open.values(),
    claimed(claim, presence, now) {
      const { network, mac, claimant } = claim
      if (offenders.count(network, claimant, now) >= mostDenials) return suppress(network, claimant)
      const older = olders.get(keyOf(claim))
      if (
        older &&
        samePlace(older.place, claimant) &&
        now - older.movedAt < contestTimes.older &&
        presence !== 'unreachable'
      ) {
        olders.delete(keyOf(claim))
        open.delete(keyOf(claim))
        const steps: Step[] = [{ is: 'move', network, mac, to: claimant }]
        // It had only been silent, and who took its address still speaks.
        const isRobbed = now - older.movedAt < contestTimes.claim
        return isRobbed ? [...steps, ...deny({ ...claim, holder: claimant, claimant: claim.holder }, now)] : steps
      }
      const contest = contestOf(claim, now)
      if (!contest) return []
      contest.claimedAt = now
      if (claim.ipv4 !== undefined && contest.ipv4.size < 4) contest.ipv4.add(claim.ipv4)
      if (presence === 'gone') return move(contest, now)
      if (presence === 'unreachable') {
        contest.unreachableSince ??= now
        return []
      }
      // Once may have been its last word.
      if (contest.spoken >= 2 && now - contest.deniedAt >= contestTimes.denial) {
        contest.deniedAt = now
        const steps = deny(contest, now)
        return isOpen(contest) ? [...steps, ...ask(contest, now)] : steps
      }
      return ask(contest, now)
    },
    spoke(network, mac, now) {
      const contest = open.size === 0 ? undefined : open.get(`${network} ${mac}`)
      if (contest) hear(contest, now)
    },
    counted,
    answered(contest, now) {
      contest.answeredAt = now
    },
    claimedPinned(claim, now) {
      const { network, claimant } = claim
      if (offenders.count(network, claimant, now) >= mostDenials) return suppress(network, claimant)
      const key = `${keyOf(claim)} ${placeText(claimant)}`
      if (now - (pinned.get(key) ?? -Infinity) < contestTimes.denial) return []
      pinned.delete(key)
      pinned.set(key, now)
      forgetOldest(pinned)
      return deny(claim, now)
    },
    remember(network, mac, place, now) {
      const key = `${network} ${mac}`
      if (!olders.has(key)) olders.set(key, { place, movedAt: now - contestTimes.claim, moves: 0 })
      forgetOldest(olders)
    },
    tick: (now, around) => [...open.values()].flatMap(contest => (isOpen(contest) ? look(contest, now, around) : [])),
  }
}

const isDeaf = ({ isReading, readAt, answeredAt }: Contest, now: number): boolean =>
  isReading && answeredAt < readAt && now - readAt >= contestTimes.deaf

function hear(contest: Contest, now: number): void {
  contest.spokeAt = now
  contest.spoken += 1
}

/** Asked at least twice, and nothing was counted that long; the last reading saw most of that time. */
const isSilent = ({ probes, spokeAt, readAt, isReading, isCounted }: Contest, now: number, patience: number): boolean =>
  now - spokeAt >= patience &&
  probes >= 2 &&
  (!isCounted || (!isReading && readAt - spokeAt >= patience - 2 * contestTimes.reading))

/** How often each port was denied an address lately. */
function denials() {
  const byPort = new Map<string, readonly number[]>()
  const lately = (times: readonly number[] | undefined, now: number) =>
    (times ?? []).filter(at => now - at < contestTimes.offence)
  const keyOf = (network: number, at: Place) => `${network} ${placeText(at)}`
  return {
    count: (network: number, at: Place, now: number): number =>
      byPort.size === 0 ? 0 : lately(byPort.get(keyOf(network, at)), now).length,
    add(network: number, at: Place, now: number): number {
      const key = keyOf(network, at)
      const times = [...lately(byPort.get(key), now), now].slice(-mostDenials)
      byPort.delete(key)
      byPort.set(key, times)
      forgetOldest(byPort)
      return times.length
    },
  }
}

/** Whoever contests many addresses costs us no memory. */
function forgetOldest(kept: Map<string, unknown>): void {
  for (const key of kept.keys()) {
    if (kept.size <= most) return
    kept.delete(key)
  }
}
