// One network's part on each switch, kept by rule: when what a rule reads has changed, its items are made again and nobody else's.
import type { Attachment, Network } from '../../store/state.ts'
import type { NetworkVlans } from '../../store/vlans.ts'
import { datapathsOf } from '../../topology/route.ts'
import type { DatapathId, PortNo } from '../../topology/topology.ts'
import {
  addressRule,
  attachmentRule,
  made,
  ofAddress,
  ofAttachment,
  ofFlood,
  ofMirror,
  ofMulticast,
  type Part,
  type Reads,
  type Rule,
  type RuleKey,
  rulesAt,
} from './compile.ts'
import type { Item } from './item.ts'
import {
  type Address,
  type Datapaths,
  type LocalNetwork,
  type Location,
  localNetworkOf,
  placeOf,
} from './local-network.ts'
import type { PathVersions } from './rollout.ts'
import { snoopingOf } from './rules.ts'
import type { Snooped } from './snoop.ts'
import { each, type Steps } from './steps.ts'
import { compileVlink } from './vlink.ts'

/** Items to look at on a switch: what is desired there now, by item key; undefined where nothing is any more. */
export type Touched = Map<string, Item | undefined>

/** All that a network's entries follow from. Two with the same values make the same entries. */
export type Inputs = {
  readonly network: Network
  readonly datapaths: Datapaths
  readonly pathVersions: PathVersions
  readonly vlans: NetworkVlans | undefined
  readonly suppressed: ReadonlySet<string>
  readonly snooped: Snooped | undefined
  /** By attachmentKey. */
  readonly attachments: ReadonlyMap<string, Attachment>
  /** What was learned in this network; what an attachment pins counts more. */
  readonly learned: {
    at(mac: string): Location | undefined
    /** It was learned at a port that does not learn (any more). */
    forget(location: Location): void
    /** Addresses that may be elsewhere than at the last update. */
    readonly moved: Iterable<string>
  }
}

export type Parts = {
  readonly parts: ReadonlyMap<DatapathId, Part>
  /** Takes the network to these inputs. Answers what is to be looked at, by switch. */
  update(inputs: Inputs): Steps<ReadonlyMap<DatapathId, Touched>>
}

export function networkParts(): Parts {
  const parts = new Map<DatapathId, Map<RuleKey, readonly Item[]>>()
  const locals = new Map<DatapathId, LocalNetwork>()
  const attachments = new Map<string, Attachment>()
  const byDatapath = new Map<DatapathId, Map<string, Attachment>>()
  const pinned = new Map<string, Address>()
  const addresses = new Map<string, Address>()
  let suppressed: ReadonlySet<string> = new Set()
  let last: Inputs | undefined

  /** Notes which attachments are others than before; addresses that this moves go into `moved`. */
  const attach = (now: ReadonlyMap<string, Attachment>, moved: Set<string>): ReadonlyMap<DatapathId, Set<RuleKey>> => {
    const changed = new Map<DatapathId, Set<RuleKey>>()
    const put = (key: string, before: Attachment | undefined, after: Attachment | undefined) => {
      const { dpid } = (before ?? after)!
      const rules = changed.get(dpid) ?? new Set<RuleKey>()
      changed.set(dpid, rules)
      for (const attachment of [before, after]) if (attachment) rules.add(attachmentRule(attachment))
      const here = byDatapath.get(dpid) ?? new Map<string, Attachment>()
      byDatapath.set(dpid, here)
      if (after) {
        attachments.set(key, after)
        here.set(key, after)
      } else {
        attachments.delete(key)
        here.delete(key)
        if (here.size === 0) byDatapath.delete(dpid)
      }
      if (before?.mac && pinned.get(before.mac)?.port === before.port && pinned.get(before.mac)?.dpid === dpid)
        pinned.delete(before.mac)
      if (after?.mac) pinned.set(after.mac, { mac: after.mac, dpid, port: after.port, learned: false })
      for (const attachment of [before, after]) if (attachment?.mac) moved.add(attachment.mac)
      // Entries of an address say how its port is attached.
      if (before) for (const { mac, dpid, port } of addresses.values()) if (at(before, dpid, port)) moved.add(mac)
    }
    for (const [key, before] of attachments) if (!now.has(key)) put(key, before, undefined)
    for (const [key, after] of now) if (attachments.get(key) !== after) put(key, attachments.get(key), after)
    return changed
  }

  const learns = ({ dpid, port }: Location): boolean => {
    for (const attachment of byDatapath.get(dpid)?.values() ?? [])
      if (attachment.port === port && attachment.guard === 'learn') return true
    return false
  }
  const relocate = (moved: Iterable<string>, learned: Inputs['learned']): void => {
    for (const mac of moved) {
      const found = learned.at(mac)
      const isLearned = found && learns(found)
      if (found && !isLearned) learned.forget(found)
      const now = pinned.get(mac) ?? (isLearned ? { ...found, learned: true } : undefined)
      if (now) addresses.set(mac, now)
      else addresses.delete(mac)
    }
  }

  /** All of a switch's part anew: the old one stays as it is. */
  const remake = (dpid: DatapathId, local: LocalNetwork | undefined, reads: Reads): Remade => {
    const change = partChange(new Map(parts.get(dpid)))
    const left = new Set(change.part.keys())
    if (local)
      for (const rule of rulesAt(local, reads)) {
        left.delete(rule[0])
        change.put(rule[0], made(rule))
      }
    for (const key of left) change.put(key, [])
    return { part: change.part, touched: change.touched() }
  }

  /** The rules of one switch that read what has changed. */
  const mend = (
    dpid: DatapathId,
    local: LocalNetwork,
    reads: Reads,
    rules: ReadonlySet<RuleKey>,
    macs: Iterable<string>,
  ): Touched => {
    const change = partChange(parts.get(dpid) ?? new Map<RuleKey, readonly Item[]>())
    const again = (rule: Rule) => change.put(rule[0], made(rule))
    if (rules.size > 0) {
      const here = new Map(local.local.map(attachment => [attachmentRule(attachment), attachment]))
      for (const key of rules) {
        const attachment = here.get(key)
        if (attachment) again(ofAttachment(local, attachment, reads))
        else change.put(key, [])
      }
      for (const index of local.transits.keys()) again(ofFlood(local, index))
      again(ofMirror(local, reads))
    }
    for (const mac of macs) {
      const address = reads.addresses.get(mac)
      if (address) again(ofAddress(local, address))
      else change.put(addressRule(mac), [])
    }
    if (reads.snooping) again(ofMulticast(local, reads.snooping))
    keep(dpid, change.part)
    return change.touched()
  }

  const keep = (dpid: DatapathId, part: Map<RuleKey, readonly Item[]>) => {
    if (part.size > 0) parts.set(dpid, part)
    else parts.delete(dpid)
  }

  function* update(inputs: Inputs): Steps<ReadonlyMap<DatapathId, Touched>> {
    const { network, datapaths, pathVersions, vlans, snooped } = inputs
    const macs = new Set(inputs.learned.moved)
    const changed = attach(inputs.attachments, macs)
    relocate(macs, inputs.learned)
    const reads: Reads = {
      ...{ addresses, suppressed: inputs.suppressed, pathVersions },
      snooping: snooped && snoopingOf(snooped, pathVersions),
    }
    const isAll = !last || isOther(last, inputs)
    const localAt = localNetworkOf({ network, vlans }, datapaths, pathVersions)
    const there = new Set(byDatapath.keys())
    for (const { route } of pathVersions) for (const dpid of datapathsOf(route)) there.add(dpid)
    const found = new Map<DatapathId, Touched>()
    const note = (dpid: DatapathId, touched: Touched) => {
      if (touched.size > 0) found.set(dpid, touched)
    }
    // All at once at the end: nobody sees a network that goes half by one path version and half by another.
    const remade = new Map<DatapathId, Map<RuleKey, readonly Item[]>>()
    const places = changedPlaces(suppressed, inputs.suppressed, network.number)
    yield* each(new Set([...there, ...locals.keys()]), dpid => {
      const before = locals.get(dpid)
      const rules = new Set(changed.get(dpid))
      for (const [, attachment] of places.size > 0 ? (byDatapath.get(dpid) ?? []) : [])
        if (places.has(placeOf(network.number, dpid, attachment.port))) rules.add(attachmentRule(attachment))
      const isHere = there.has(dpid) && datapaths.has(dpid)
      const isFresh = isAll || !before || !isHere || before.datapath !== datapaths.get(dpid)
      const local =
        isFresh || rules.size > 0 ? (isHere ? localAt(dpid, byDatapath.get(dpid)?.values() ?? []) : undefined) : before
      if (local) locals.set(dpid, local)
      else locals.delete(dpid)
      const isTurned = before && local && (before.local.length === 0) !== (local.local.length === 0)
      if (isFresh || isTurned || !local) {
        const { part, touched } = remake(dpid, local, reads)
        remade.set(dpid, part)
        note(dpid, touched)
      } else if (rules.size > 0 || macs.size > 0 || snooped) note(dpid, mend(dpid, local, reads, rules, macs))
    })
    for (const [dpid, part] of remade) keep(dpid, part)
    suppressed = new Set([...inputs.suppressed].filter(place => place.startsWith(`${network.number} `)))
    last = inputs
    return found
  }
  return { parts, update }
}

/** The parts of a vlink: it is one rule. */
export function vlinkParts(): Parts {
  const parts = new Map<DatapathId, Part>()
  function* update({ network, datapaths, pathVersions }: Inputs): Steps<ReadonlyMap<DatapathId, Touched>> {
    const now = compileVlink(network, network.vlink!, datapaths, pathVersions)
    const found = new Map<DatapathId, Touched>()
    yield* each(new Set([...parts.keys(), ...now.keys()]), dpid => {
      const change = partChange(new Map(parts.get(dpid)))
      change.put('vlink', now.get(dpid) ?? [])
      const touched = change.touched()
      if (touched.size > 0) found.set(dpid, touched)
      if (change.part.size > 0) parts.set(dpid, change.part)
      else parts.delete(dpid)
    })
    return found
  }
  return { parts, update }
}

type Remade = { readonly part: Map<RuleKey, readonly Item[]>; readonly touched: Touched }

/** Changes to one switch's part, and which items they touch. */
function partChange(part: Map<RuleKey, readonly Item[]>) {
  const touched: Touched = new Map()
  const gone: Item[] = []
  return {
    part,
    /** Puts these items in place of those that the rule had made; none: the rule is not there any more. */
    put(key: RuleKey, items: readonly Item[]) {
      const before = part.get(key) ?? []
      const had = new Map(before.map(item => [item.key, item]))
      let isSame = before.length === items.length
      for (const item of items) {
        const old = had.get(item.key)
        had.delete(item.key)
        if (old?.form === item.form) continue
        isSame = false
        touched.set(item.key, item)
      }
      if (isSame && had.size === 0) return
      if (items.length > 0) part.set(key, items)
      else part.delete(key)
      gone.push(...had.values())
    },
    /** To be asked once, at the end: what one rule does not make any more, another one may. */
    touched(): Touched {
      // A meter may be two rules': its port's and multicast's.
      for (const { key, kind } of gone)
        if (!touched.has(key)) touched.set(key, kind === 'meter' ? find(part, key) : undefined)
      return touched
    },
  }
}

const at = (attachment: Attachment, dpid: DatapathId, port: PortNo): boolean =>
  attachment.port === port && attachment.dpid === dpid

const find = (part: Part, key: string): Item | undefined => {
  for (const items of part.values()) for (const item of items) if (item.key === key) return item
  return undefined
}

/** Something that every rule of the network reads is another. */
const isOther = (a: Inputs, b: Inputs): boolean =>
  shape(a.network) !== shape(b.network) ||
  a.vlans !== b.vlans ||
  (a.snooped === undefined) !== (b.snooped === undefined) ||
  a.pathVersions.length !== b.pathVersions.length ||
  a.pathVersions.some((one, i) => {
    const other = b.pathVersions[i]!
    return one.route !== other.route || one.epoch !== other.epoch || one.frozen !== other.frozen
  })

/** What of a network is read by rules: not its revision, nor which path version is on disk. */
const shape = ({ number, mirror, multicast }: Network): string => JSON.stringify([number, mirror, multicast])

/** Places of a network that are suppressed in one of two sets, and not in the other. */
function changedPlaces(a: ReadonlySet<string>, b: ReadonlySet<string>, number: number): ReadonlySet<string> {
  const own = (place: string) => place.startsWith(`${number} `)
  return new Set([...a.symmetricDifference(b)].filter(own))
}
