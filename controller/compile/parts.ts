// One network's part on each switch, kept by rule: when what a rule reads has changed, its items are made again and nobody else's.
import type { Attachment, Network } from '../../store/state.ts'
import type { NetworkVlans } from '../../store/vlans.ts'
import { datapathsOf } from '../../topology/route.ts'
import type { DatapathId } from '../../topology/topology.ts'
import { type AddressItems, addressItems } from './address-items.ts'
import {
  addressRule,
  answerRule,
  attachmentRule,
  declaredReads,
  isClosed,
  made,
  ofAddress,
  ofAnswer,
  ofAttachment,
  ofCut,
  ofFlood,
  ofMirror,
  ofMulticast,
  ofShared,
  type Part,
  type Reads,
  type Rule,
  type RuleKey,
  rulesAt,
  sharedRule,
} from './compile.ts'
import type { Item } from './item.ts'
import { type Datapaths, type LocalNetwork, localNetworkOf, placeOf, type Withheld } from './local-network.ts'
import { type Learned, occupants } from './occupants.ts'
import { partChange, type Touched } from './part-change.ts'
import type { PathVersions } from './rollout.ts'
import { snoopingOf } from './rules.ts'
import type { Snooped } from './snoop.ts'
import { each, type Steps } from './steps.ts'
import { compileVlink } from './vlink.ts'

export type { Touched } from './part-change.ts'

/** All that a network's entries follow from. Two with the same values make the same entries. */
export type Inputs = {
  readonly network: Network
  readonly datapaths: Datapaths
  readonly pathVersions: PathVersions
  readonly vlans: NetworkVlans | undefined
  readonly suppressed: ReadonlySet<string>
  readonly withheld?: Withheld | undefined
  readonly snooped: Snooped | undefined
  /** By attachmentKey. */
  readonly attachments: ReadonlyMap<string, Attachment>
  /** Of the store. As long as it is the same, so are the attachments; undefined: nobody knows. */
  readonly revision?: number
  /** What was learned in this network; what an attachment pins counts more. */
  readonly learned: Learned & {
    /** Addresses that may be elsewhere than at the last update. */
    readonly moved: Iterable<string>
  }
}

export type Parts = {
  readonly parts: ReadonlyMap<DatapathId, Part>
  /** How many flows there are in each part. */
  readonly flows: ReadonlyMap<DatapathId, number>
  /** Takes the network to these inputs. Answers what is to be looked at, by switch. */
  update(inputs: Inputs): Steps<ReadonlyMap<DatapathId, Touched>>
}

type Kept = Map<RuleKey, readonly Item[]>

/** What a change is about: MAC addresses, and the keys of their rules; and IP addresses. */
type Moved = {
  readonly macs: ReadonlyMap<string, RuleKey>
  readonly shared: ReadonlySet<string>
  readonly ips: ReadonlySet<string>
}

export function networkParts(itemsOf: AddressItems = addressItems()): Parts {
  const parts = new Map<DatapathId, Kept>()
  const flows = flowCounts()
  const locals = new Map<DatapathId, LocalNetwork>()
  const inside = occupants()
  const { byDatapath, addresses, attach, relocate } = inside
  let suppressed: ReadonlySet<string> = new Set()
  let withheld: Withheld = new Map()
  let last: Inputs | undefined
  /** A switch of the network was not known yet. */
  let isPartial = false
  let wasClosed = false

  const keep = (dpid: DatapathId, part: Kept) => {
    if (part.size > 0) parts.set(dpid, part)
    else parts.delete(dpid)
  }
  /** Rules of attachments on this switch that have changed, or that listen again, or no more. */
  const rulesOf = (changed: ReadonlySet<RuleKey> | undefined, dpid: DatapathId, number: number, places: Places) => {
    if (places.size === 0) return changed ?? none
    const rules = new Set(changed)
    for (const attachment of byDatapath.get(dpid)?.values() ?? [])
      if (places.has(placeOf(number, dpid, attachment.port))) rules.add(attachmentRule(attachment))
    return rules
  }

  function* update(inputs: Inputs): Steps<ReadonlyMap<DatapathId, Touched>> {
    const { network, datapaths, pathVersions, vlans, snooped } = inputs
    const macs = new Set(inputs.learned.moved)
    const isAttached = inputs.revision !== undefined && inputs.revision === last?.revision
    const isStrict = network.guard === 'strict'
    const [shared, ips] = [new Set<string>(), new Set<string>()]
    const changed = isAttached ? nothing : attach(inputs.attachments, { macs, shared, ips, claimed: isStrict })
    relocate(macs, inputs.learned)
    const held = changedWithheld(withheld, inputs.withheld ?? nobody, network.number)
    // Entries of an address are there when its port is.
    if (held.size > 0)
      for (const { mac, dpid, port } of addresses.values())
        if (held.has(placeOf(network.number, dpid, port))) macs.add(mac)
    const moved: Moved = { macs: new Map(Array.from(macs, mac => [mac, addressRule(mac)])), shared, ips }
    const reads: Reads = {
      ...{ addresses, suppressed: inputs.suppressed, pathVersions },
      snooping: snooped && snoopingOf(snooped, pathVersions),
      ...declaredReads(inside.declared, isStrict, pathVersions),
    }
    const isAll = !last || isOther(last, inputs) || isClosed(reads) !== wasClosed
    wasClosed = isClosed(reads)
    const places = changedPlaces(suppressed, inputs.suppressed, network.number).union(held)
    const found = new Map<DatapathId, Touched>()
    const note = (dpid: DatapathId, touched: Touched) => {
      if (touched.size > 0) found.set(dpid, touched)
    }
    const localAt = localNetworkOf({ network, vlans, withheld: inputs.withheld }, datapaths, pathVersions)
    // Where nothing but addresses may have changed, the network is where it was.
    const there = isAll || changed.size > 0 || isPartial ? placesOf(byDatapath, pathVersions) : locals
    isPartial = false
    // All at once at the end: nobody sees a network that goes half by one path version and half by another.
    const remade = new Map<DatapathId, Kept>()
    const look = (dpid: DatapathId) => {
      const before = locals.get(dpid)
      const rules = rulesOf(changed.get(dpid), dpid, network.number, places)
      const isKnown = datapaths.has(dpid)
      if (!isKnown) isPartial = true
      const isHere = there.has(dpid) && isKnown
      const isFresh = isAll || !before || !isHere || before.datapath !== datapaths.get(dpid)
      const local =
        isFresh || rules.size > 0 ? (isHere ? localAt(dpid, byDatapath.get(dpid)?.values() ?? []) : undefined) : before
      if (local && local !== before) locals.set(dpid, local)
      else if (!local) locals.delete(dpid)
      const isTurned = before && local && (before.local.length === 0) !== (local.local.length === 0)
      if (isFresh || isTurned || !local) {
        const { part, touched, more } = remake(parts.get(dpid), local, reads)
        flows.add(dpid, more)
        remade.set(dpid, part)
        note(dpid, touched)
      } else if (rules.size > 0 || macs.size > 0 || ips.size > 0 || snooped) {
        const { part, touched, more } = mend(parts.get(dpid), local, reads, rules, moved, itemsOf)
        flows.add(dpid, more)
        keep(dpid, part)
        note(dpid, touched)
      }
    }
    const dpids = there === locals ? [...locals.keys()] : new Set([...there.keys(), ...locals.keys()])
    yield* each(dpids, look, 1)
    for (const [dpid, part] of remade) keep(dpid, part)
    suppressed = new Set([...inputs.suppressed].filter(place => place.startsWith(`${network.number} `)))
    withheld = new Map([...(inputs.withheld ?? [])].filter(([place]) => place.startsWith(`${network.number} `)))
    last = inputs
    return found
  }
  return { parts, flows: flows.of, update }
}

/** Flows, counted by switch. */
function flowCounts() {
  const of = new Map<DatapathId, number>()
  const add = (dpid: DatapathId, more: number) => {
    const now = (of.get(dpid) ?? 0) + more
    if (now > 0) of.set(dpid, now)
    else of.delete(dpid)
  }
  return { of, add }
}

const none: ReadonlySet<RuleKey> = new Set()
const nobody: Withheld = new Map()
const nothing: ReadonlyMap<DatapathId, ReadonlySet<RuleKey>> = new Map()
type Places = ReadonlySet<string>

/** Every switch that has a port of the network, or carries its frames. */
function placesOf(byDatapath: ReadonlyMap<DatapathId, unknown>, pathVersions: PathVersions): ReadonlySet<DatapathId> {
  const there = new Set(byDatapath.keys())
  for (const { route } of pathVersions) for (const dpid of datapathsOf(route)) there.add(dpid)
  return there
}

/** `more`: flows that there are now, less those that there were. */
type Changed = { readonly part: Kept; readonly touched: Touched; readonly more: number }

/** All of a switch's part anew: the old one stays as it is. */
function remake(before: Kept | undefined, local: LocalNetwork | undefined, reads: Reads): Changed {
  const change = partChange(new Map(before))
  const left = new Set(change.part.keys())
  if (local)
    for (const rule of rulesAt(local, reads)) {
      left.delete(rule[0])
      change.put(rule[0], made(rule))
    }
  for (const key of left) change.put(key, [])
  return { part: change.part, touched: change.touched(), more: change.flows() }
}

/** The rules of one switch that read what has changed. */
function mend(
  before: Kept | undefined,
  local: LocalNetwork,
  reads: Reads,
  rules: ReadonlySet<RuleKey>,
  moved: Moved,
  itemsOf: AddressItems,
): Changed {
  const change = partChange(before ?? new Map<RuleKey, readonly Item[]>())
  const { declared } = reads
  const again = (rule: Rule) => change.put(rule[0], made(rule))
  if (rules.size > 0) {
    const here = new Map(local.local.map(attachment => [attachmentRule(attachment), attachment]))
    const cuts = new Map(local.cut.map(attachment => [attachmentRule(attachment), attachment]))
    for (const key of rules) {
      const attachment = here.get(key)
      const cut = cuts.get(key)
      if (attachment) again(ofAttachment(local, attachment, reads))
      else if (cut) again(ofCut(local, cut))
      else change.put(key, [])
    }
    for (const index of local.transits.keys()) again(ofFlood(local, index))
    again(ofMirror(local, reads))
  }
  for (const [mac, key] of moved.macs) {
    const address = reads.addresses.get(mac)
    const isShared = declared.shared.has(mac)
    const items = address && (isShared ? made(ofAddress(local, address, isShared)) : itemsOf(local, address))
    change.put(key, items ?? [])
  }
  for (const mac of moved.shared) if (!declared.shared.has(mac)) change.put(sharedRule(mac), [])
  for (const mac of declared.shared.keys())
    if (rules.size > 0 || moved.macs.has(mac)) again(ofShared(local, mac, reads))
  for (const ip of moved.ips)
    change.put(answerRule(ip), declared.claims.has(ip) ? made(ofAnswer(local, ip, reads)) : [])
  if (reads.snooping) again(ofMulticast(local, reads.snooping))
  return { part: change.part, touched: change.touched(), more: change.flows() }
}

/** The parts of a vlink: it is one rule. */
export function vlinkParts(): Parts {
  const parts = new Map<DatapathId, Part>()
  const flows = flowCounts()
  function* update({ network, datapaths, pathVersions }: Inputs): Steps<ReadonlyMap<DatapathId, Touched>> {
    const now = compileVlink(network, network.vlink!, datapaths, pathVersions)
    const found = new Map<DatapathId, Touched>()
    yield* each(new Set([...parts.keys(), ...now.keys()]), dpid => {
      const change = partChange(new Map(parts.get(dpid)))
      change.put('vlink', now.get(dpid) ?? [])
      flows.add(dpid, change.flows())
      const touched = change.touched()
      if (touched.size > 0) found.set(dpid, touched)
      if (change.part.size > 0) parts.set(dpid, change.part)
      else parts.delete(dpid)
    })
    return found
  }
  return { parts, flows: flows.of, update }
}

/** Something that every rule of the network reads is another. */
const isOther = (a: Inputs, b: Inputs): boolean =>
  (a.network !== b.network && shape(a.network) !== shape(b.network)) ||
  a.vlans !== b.vlans ||
  (a.snooped === undefined) !== (b.snooped === undefined) ||
  a.pathVersions.length !== b.pathVersions.length ||
  a.pathVersions.some((one, i) => {
    const other = b.pathVersions[i]!
    return one.route !== other.route || one.epoch !== other.epoch || one.frozen !== other.frozen
  })

/** What of a network is read by rules: not its revision, nor which path version is on disk. */
const shape = ({ number, mirror, multicast, broadcast, guard }: Network): string =>
  JSON.stringify([number, mirror, multicast, broadcast, guard === 'strict'])

/** Places of a network that are let in by one of two such maps and not by the other, or cut off by one. */
function changedWithheld(a: Withheld, b: Withheld, number: number): ReadonlySet<string> {
  if (a.size === 0 && b.size === 0) return none
  const own = (place: string) => place.startsWith(`${number} `) && a.get(place) !== b.get(place)
  return new Set([...a.keys(), ...b.keys()].filter(own))
}

/** Places of a network that are suppressed in one of two sets, and not in the other. */
function changedPlaces(a: ReadonlySet<string>, b: ReadonlySet<string>, number: number): Places {
  if (a.size === 0 && b.size === 0) return none
  const own = (place: string) => place.startsWith(`${number} `)
  return new Set([...a.symmetricDifference(b)].filter(own))
}
