// The law, for one network: what each of its ports may send and where all of it must come out, for all frames whatever.
import { type DatapathId, type Endpoint, endpointKey } from '../../topology/topology.ts'
import { pipeline } from '../compile/pipeline.ts'
import type { Member, PlaneNetwork } from './data-plane.ts'
import { anySender, type Common, isDeclaredCopy, rightOf, shareOf, toMac } from './declared.ts'
import { arriving, type Copy, type Flight, nothing, type Outcome, pass, type State, untouched } from './flight.ts'
import { hasTag, present, vidSet } from './frame-bits.ts'
import { all, type FrameSet, none } from './frame-sets.ts'
import { type Arrival, type Fabric, type Journey, type Travel, union } from './journey.ts'
import type { Spec } from './model.ts'
import { macBits } from './sender.ts'

/** How the law is broken. Those that let a frame out of its network, or us hear what is not ours, break isolation. */
export const faults = {
  crosses: { isolation: true, sentence: 'a frame gets to a port of another network' },
  stray: { isolation: true, sentence: 'a frame gets to a port that belongs to no network' },
  controller: { isolation: true, sentence: 'a frame gets to the controller that no rule of the network has declared' },
  loop: { isolation: true, sentence: 'a frame goes in a circle' },
  spoofed: { isolation: true, sentence: 'a frame is let in from an address that its port may not have' },
  twice: { isolation: false, sentence: 'a frame comes twice' },
  reflected: { isolation: false, sentence: 'a frame comes back to its sender' },
  misplaced: { isolation: false, sentence: 'a frame comes where its address is not' },
  lost: { isolation: false, sentence: 'a frame does not come where it should' },
  shadowed: { isolation: false, sentence: 'an entry can never match' },
  unknown: { isolation: true, sentence: 'what an entry does cannot be followed' },
} as const
export type Fault = keyof typeof faults

/** Frames that break the law: as they are sent, into which port, and where they come out. */
export type Breach = {
  readonly fault: Fault
  readonly network: number
  readonly from: Endpoint
  /** What the tunnel's header says of them, if they come over a link. */
  readonly tunnel: bigint
  readonly frames: FrameSet
  /** As they come over a plain link: with this tag. */
  readonly pushed?: readonly number[]
  readonly at?: Endpoint & { readonly vlan?: number }
  /** Of `unknown`. */
  readonly what?: string
}

export type Case = {
  readonly fabric: Fabric
  readonly travel: Travel
  readonly spec: Spec
  readonly common: Common
  /** Switches that this one is joined with by links that are up. */
  reaches(dpid: DatapathId): ReadonlySet<DatapathId>
  breach(breach: Breach): void
}

/** A network, as its law sees it. */
type Subject = Case & {
  readonly network: PlaneNetwork
  readonly members: readonly Member[]
  readonly addresses: Addresses
}
type Addresses = {
  /** By the key of the member at whose port they are. */
  readonly of: ReadonlyMap<string, readonly number[]>
  /** Two ports have them, or a port that is not there: where such frames go is not judged. */
  readonly doubtful: readonly number[]
}

/** Every port of the network, one after the other. */
export function* prove(the: Case, number: number): Generator<undefined, void> {
  const network = the.spec.networks.get(number)
  if (!network) return
  if (network.vlink) {
    yield* proveVlink(the, network, network.vlink.from, network.vlink.to)
    yield* proveVlink(the, network, network.vlink.to, network.vlink.from)
  }
  const members = the.spec.members(number).filter(member => isThere(the, member))
  const subject = { ...the, network, members, addresses: addressesOf(the, network, members) }
  for (const member of members) {
    proveMember(subject, member)
    proveRest(subject, member)
    yield
  }
  yield* proveUnderway(subject)
}

const isThere = ({ fabric }: Case, { dpid, port }: Endpoint): boolean => {
  const ports = fabric.switches.get(dpid)?.ports
  return ports !== undefined && (ports.size === 0 || ports.has(port))
}
export const memberKey = (m: Member): string => `${endpointKey(m)}${m.vlan === undefined ? '' : `/${m.vlan}`}`

/** Where addresses are: pinned by their attachment, or learned, which the tables tell. */
function addressesOf({ fabric, spec }: Case, { number }: PlaneNetwork, members: readonly Member[]): Addresses {
  const places = new Map<number, string | undefined>()
  for (const dpid of new Set(members.map(m => m.dpid)))
    for (const { port, mac } of fabric.switches.get(dpid)?.speakers.get(number)?.values() ?? []) {
      const member = members.find(m => m.dpid === dpid && m.port === port)
      const key = member && memberKey(member)
      places.set(mac, places.has(mac) && places.get(mac) !== key ? undefined : key)
    }
  const there = new Set(members.map(memberKey))
  for (const member of spec.members(number))
    if (member.mac !== undefined)
      places.set(Number(macBits(member.mac)), there.has(memberKey(member)) ? memberKey(member) : undefined)
  const of = new Map<string, number[]>()
  const doubtful: number[] = []
  for (const [mac, key] of [...places].sort(([a], [b]) => a - b))
    if (key === undefined) doubtful.push(mac)
    else of.set(key, [...(of.get(key) ?? []), mac])
  return { of, doubtful }
}

/** What came out, by member; and how far what was judged stands for what was sent. */
type Heard = Map<string, FrameSet>

function proveMember(subject: Subject, member: Member): void {
  const { fabric, common, travel, network } = subject
  const { space } = fabric
  const share = shareOf(space, common, member)
  const sw = fabric.switches.get(member.dpid)!
  const entered = nothing()
  const start = arriving(sw, member.port, 0n, { set: share, pushed: [], popped: 0, rewritten: untouched, trail: [] })
  pass({ ...fabric.watch, space, sw, stopAt: deliver }, 0, start, entered)
  // Where a switch has our probes for loops come to us, they are nobody else's.
  const probes = entered.copies.some(copy => isProbe(subject, copy)) ? common.probes : none
  const right = space.minus(rightOf(space, common, member, share), probes)
  const all = space.minus(member.trunk ? common.anyFrames : common.untaggedFrames, probes)
  const mirrored = travel.on(member.dpid, member.port, entered)
  const isPlain = isRegular(subject, member, right, all, entered, mirrored)
  // What is the same for all senders is worked out once: a frame whose own address and tag nobody asks for any more.
  const judged = isPlain ? all : right
  const states = isPlain ? [{ ...entered.stopped[0]!, set: judged, popped: 0, seen: start.seen }] : entered.stopped
  const out = nothing()
  for (const state of states)
    pass({ ...fabric.watch, space, sw, memory: memoryAt(travel, member.dpid) }, deliver, state, out)
  const journey = travel.on(member.dpid, member.port, out)
  const original = isPlain
    ? (set: FrameSet) => space.and(anySender(space, set, member), right)
    : (set: FrameSet) => space.and(set, share)
  const from = { network: network.number, from: { dpid: member.dpid, port: member.port }, tunnel: 0n }
  const heard: Heard = new Map()
  hear(subject, member, from, mirrored, set => set, isPlain ? new Map() : heard)
  hear(subject, member, from, journey, original, heard)
  if (!isPlain) {
    const wrong = space.minus(
      union(
        space,
        [...heard].filter(([key]) => key !== mirrorKey).map(([, set]) => set),
      ),
      right,
    )
    if (wrong !== none) subject.breach({ ...from, fault: 'spoofed', frames: wrong })
  }
  expect(subject, member, from, judged, heard, original)
}
const deliver = pipeline.deliver.id
const mirrorKey = 'mirror'
const memoryAt = ({ memory }: Travel, dpid: DatapathId): Map<string, Outcome> => {
  let of = memory.switches.get(dpid)
  if (!of) memory.switches.set(dpid, (of = new Map()))
  return of
}

/** All that the port may send, and nothing else, has come into its network as it should. */
function isRegular(
  { network, fabric }: Subject,
  member: Member,
  right: FrameSet,
  everybodys: FrameSet,
  { stopped }: Outcome,
  mirrored: Journey,
): boolean {
  const [first] = stopped
  if (!first || readsSender(fabric)) return false
  const own = mirrored.arrivals.every(
    ({ at }) => network.mirror !== undefined && endpointKey(at) === endpointKey(network.mirror),
  )
  const isIn = (state: State) =>
    state.metadata === first.metadata &&
    Number(state.metadata & 0xffff_ffffn) === network.number &&
    state.tunnel === 0n &&
    state.pushed.length === 0 &&
    state.rewritten.size === 0 &&
    (member.trunk !== true || state.popped === 0)
  if (!own || !stopped.every(isIn)) return false
  const { space } = fabric
  let together: FrameSet = none
  for (const { set } of stopped) {
    if (space.and(together, set) !== none) return false
    together = space.or(together, set)
  }
  return together === right && anySender(space, right, member) === anySender(space, everybodys, member)
}

/** Some entry behind the guard, or on the next switch, asks who the sender is. */
const readsSender = ({ switches }: Fabric): boolean => [...switches.values()].some(sw => sw.readsSender())

type From = Pick<Breach, 'network' | 'from' | 'tunnel' | 'pushed'>

/** Judges what came out and what went to us. @param heard What each member got so far. */
function hear(
  subject: Subject,
  member: Member | undefined,
  from: From,
  { arrivals, copies, unknown, loops }: Journey,
  original: (set: FrameSet) => FrameSet,
  heard: Heard,
): void {
  const { fabric, breach, network } = subject
  const { space } = fabric
  for (const { set, entry, what } of unknown)
    breach({ ...from, fault: 'unknown', frames: original(set), what: `${what} in table ${entry.tableId}` })
  for (const { flight, at } of loops) breach({ ...from, fault: 'loop', frames: original(flight.set), at })
  for (const copy of copies)
    if (
      !isProbe(subject, copy) &&
      (!member || !isDeclaredCopy(copy, member, network, { guard: pipeline.guard.id, listen: pipeline.listen.id }))
    )
      breach({ ...from, fault: 'controller', frames: original(copy.set) })
  for (const arrival of arrivals)
    for (const { key, set, fault } of receivers(subject, arrival)) {
      if (fault) breach({ ...from, fault, frames: original(set), at: arrival.at })
      else if (member && key === memberKey(member)) {
        if (!isAnswer(arrival.flight)) breach({ ...from, fault: 'reflected', frames: original(set), at: arrival.at })
      } else {
        const before = heard.get(key!) ?? none
        const again = before === none ? none : space.and(before, set)
        if (again !== none) breach({ ...from, fault: 'twice', frames: original(again), at: arrival.at })
        heard.set(key!, space.or(before, set))
      }
    }
}

/** The switch answered for whom was asked: ARP (RFC 826) or neighbour discovery (RFC 4861 §4.4). */
const isAnswer = ({ rewritten }: Flight): boolean =>
  rewritten.get('arp_op') === 2n || rewritten.get('icmpv6_type') === 136n

type Receiver = { readonly key?: string; readonly set: FrameSet; readonly fault?: 'crosses' | 'stray' }

/** Who gets what came out of a port: by its outermost tag, whoever is there by such. */
function receivers({ fabric: { space }, network, spec }: Subject, { at, flight }: Arrival): readonly Receiver[] {
  const owners = spec.at(at)
  const { set } = flight
  const { mirror, vlink } = network
  if (mirror && mirror.dpid === at.dpid && mirror.port === at.port) return [{ key: mirrorKey, set }]
  for (const end of vlink ? [vlink.from, vlink.to] : [])
    if (end.dpid === at.dpid && end.port === at.port) return [{ key: endpointKey(end), set }]
  const ends = spec.endsAt(at)
  const lost = (fault: boolean): 'crosses' | 'stray' => (fault || ends.size > 0 ? 'crosses' : 'stray')
  const judge = (set: FrameSet, owner: (typeof owners)[number] | undefined): Receiver[] => {
    if (set === none) return []
    if (owner?.network === network.number) return [{ key: memberKey(owner.member), set }]
    return [{ set, fault: lost(owner !== undefined) }]
  }
  const top = flight.pushed.at(-1)
  const plain = owners.find(({ member }) => member.vlan === undefined)
  if (top !== undefined && (top & 0xfff) !== 0) {
    const vlan = top & 0xfff
    return judge(set, owners.find(o => o.member.vlan === vlan) ?? (plain?.member.trunk ? plain : undefined))
  }
  if (top !== undefined) return judge(set, plain)
  const tagged = space.and(set, hasTag(space, flight.popped))
  const found = judge(space.minus(set, tagged), plain)
  let left = tagged
  for (const owner of left === none ? [] : owners)
    if (owner.member.vlan !== undefined) {
      const its = space.and(left, vidSet(space, flight.popped, present | owner.member.vlan, present | 0xfff) ?? all)
      found.push(...judge(its, owner))
      left = space.minus(left, its)
    }
  // Tags of nobody's go through to who is there without any (a trunk's frames keep theirs).
  return [...found, ...judge(left, plain)]
}

/** Whether everybody heard what they should, and nothing else. */
function expect(
  subject: Subject,
  member: Member,
  from: From,
  judged: FrameSet,
  heard: Heard,
  original: (set: FrameSet) => FrameSet,
): void {
  const { fabric, common, members, addresses, network, breach } = subject
  const { space } = fabric
  const reached = subject.reaches(member.dpid)
  const others = members.filter(m => m !== member && reached.has(m.dpid))
  // In a network with strict ports, what goes to nobody that is known is dropped, and ARP may be answered on the way.
  const isStrict = members.some(m => m.guard === 'strict')
  let unknownTo: FrameSet = judged
  for (const m of [member, ...others])
    for (const mac of addresses.of.get(memberKey(m)) ?? []) unknownTo = space.minus(unknownTo, toMac(space, mac))
  let unjudged: FrameSet = network.multicast === 'snoop' ? common.multicast : none
  for (const mac of addresses.doubtful) unjudged = space.or(unjudged, toMac(space, mac))
  const mirrored = network.mirror && endpointKey(network.mirror)
  for (const other of others) {
    const key = memberKey(other)
    // A member that is the mirror too has had its copies from the guard.
    if (mirrored === endpointKey(other)) continue
    let own: FrameSet = none
    for (const mac of addresses.of.get(key) ?? []) own = space.or(own, toMac(space, mac))
    const wanted = own === none ? unknownTo : space.or(unknownTo, space.and(judged, own))
    const got = heard.get(key) ?? none
    if (got === wanted) continue
    const missing = space.minus(space.minus(wanted, got), unjudged)
    const extra = space.minus(space.minus(got, wanted), unjudged)
    if (missing !== none && !isStrict) breach({ ...from, fault: 'lost', frames: original(missing), at: other })
    const misplaced = space.and(extra, judged)
    if (misplaced !== none) breach({ ...from, fault: 'misplaced', frames: original(misplaced), at: other })
  }
}

/** Frames of a member's port that are nobody's: with tags that no member there has. Judged with the first of them. */
function proveRest(subject: Subject, member: Member): void {
  const { fabric, spec, common, travel, network } = subject
  const { space } = fabric
  const owners = spec.at(member)
  if (owners[0]?.member !== member) return
  let rest = common.every
  for (const owner of owners) rest = space.minus(rest, shareOf(space, common, owner.member))
  if (rest === none) return
  const at = { dpid: member.dpid, port: member.port }
  const journey = travel.from(at, 0n, { set: rest, pushed: [], popped: 0, rewritten: untouched, trail: [] })
  silent(subject, { network: network.number, from: at, tunnel: 0n }, journey)
}

/** The first bytes of what looks like our own probe for loops. */
const isProbe = ({ fabric: { space }, common }: Case, { set, maxLen, tableId }: Copy): boolean =>
  tableId === 0 && maxLen <= 128 && space.minus(set, common.probes) === none

/** Nothing may come of these frames. */
export function silent(the: Case, from: From, { arrivals, copies, unknown, loops }: Journey): void {
  for (const { at, flight } of arrivals)
    the.breach({
      ...from,
      fault: the.spec.at(at).length + the.spec.endsAt(at).size > 0 ? 'crosses' : 'stray',
      frames: flight.set,
      at,
    })
  for (const copy of copies) if (!isProbe(the, copy)) the.breach({ ...from, fault: 'controller', frames: copy.set })
  for (const { at, flight } of loops) the.breach({ ...from, fault: 'loop', frames: flight.set, at })
  for (const { set, what, entry } of unknown)
    the.breach({ ...from, fault: 'unknown', frames: set, what: `${what} in table ${entry.tableId}` })
}

/** Frames that are under way between switches, also on ways that nothing enters any more, stay in the network. */
function* proveUnderway(subject: Subject): Generator<undefined, void> {
  const { fabric, common, travel, network, members } = subject
  // No others get in: that is what is proved of its ports.
  const isTrunk = members.some(({ trunk }) => trunk)
  const set = network.vlink ? common.every : isTrunk ? common.anyFrames : common.untaggedFrames
  for (const [dpid, sw] of fabric.switches) {
    for (const rule of sw.rules(network.number)) {
      const { entry, inPort, tunnel, vlan } = rule
      if (entry.tableId !== 0 || inPort === undefined) continue
      const at = { dpid, port: inPort }
      const link = fabric.link(at)
      if (!link) continue
      const pushed = link.carries === 'vid' && vlan?.mask === (present | 0xfff) ? [vlan.value] : []
      const flight = { set, pushed, popped: 0, rewritten: untouched, trail: [] }
      const from = { network: network.number, from: at, tunnel: tunnel.value, ...(pushed.length > 0 && { pushed }) }
      hear(subject, undefined, from, { ...travel.from(at, tunnel.value, flight), copies: [] }, set => set, new Map())
    }
    yield
  }
}

/** Whatever comes in at the one end comes out at the other, once, as it is. */
function* proveVlink(the: Case, network: PlaneNetwork, from: Endpoint, to: Endpoint): Generator<undefined, void> {
  if (!isThere(the, from) || !isThere(the, to)) return
  const { space } = the.fabric
  const { every } = the.common
  const subject: Subject = { ...the, network, members: [], addresses: { of: new Map(), doubtful: [] } }
  const source = { network: network.number, from, tunnel: 0n }
  const journey = the.travel.from(from, 0n, { set: every, pushed: [], popped: 0, rewritten: untouched, trail: [] })
  const heard: Heard = new Map()
  hear(subject, undefined, source, journey, set => set, heard)
  for (const { at, flight } of journey.arrivals)
    if (flight.pushed.length > 0 || flight.popped > 0 || flight.rewritten.size > 0)
      the.breach({ ...source, fault: 'misplaced', frames: flight.set, at })
  const back = heard.get(endpointKey(from)) ?? none
  if (back !== none) the.breach({ ...source, fault: 'reflected', frames: back, at: from })
  const missing = space.minus(every, heard.get(endpointKey(to)) ?? none)
  if (missing !== none && the.reaches(from.dpid).has(to.dpid))
    the.breach({ ...source, fault: 'lost', frames: missing, at: to })
  yield
}
