// What every switch must hold for one network, rule by rule. A rule is what is made again as one when what it reads has changed:
// an attachment, an address, the links or the flood of a path version, the mirror, multicast.
import { attachmentKey } from '../../store/attachments.ts'
import type { Attachment } from '../../store/state.ts'
import { type Pruned, pruned } from '../../topology/pruned.ts'
import type { DatapathId } from '../../topology/topology.ts'
import { announce, answer, dropUnknown } from './answer.ts'
import { type Declared, declaredBy } from './declared.ts'
import type { Item } from './item.ts'
import {
  type Address,
  type Addresses,
  addresses,
  type Datapaths,
  type LocalNetwork,
  localNetworks,
  type Subject,
} from './local-network.ts'
import type { PathVersions } from './rollout.ts'
import {
  addressHere,
  addressThere,
  admit,
  admitLinks,
  cutOff,
  flood,
  floodUnknown,
  guardPort,
  mirror,
  multicast,
  type Snooping,
  snoopingOf,
} from './rules.ts'
import { sharedMac } from './shared.ts'

/** Names a rule among those of one network on one switch. */
export type RuleKey = string

/** One switch's part of a network. */
export type Part = ReadonlyMap<RuleKey, readonly Item[]>

/** What all rules of a network read, beside their switch's own. */
export type Reads = {
  readonly addresses: Addresses
  readonly suppressed: ReadonlySet<string>
  readonly pathVersions: PathVersions
  readonly snooping: Snooping | undefined
  readonly declared: Declared
  /** Of each path version, where some ports share a MAC. */
  readonly reach: readonly Pruned[]
  /** Switches answer for what is declared. */
  readonly isStrict: boolean
}

/** No port takes an address that was not declared: a frame to such a one is for nobody. */
export const isClosed = ({ isStrict, declared }: Pick<Reads, 'isStrict' | 'declared'>): boolean =>
  isStrict && declared.learners.size === 0

export const attachmentRule = ({ port, vlan }: Pick<Attachment, 'port' | 'vlan'>): RuleKey =>
  vlan === undefined ? `port ${port}` : `port ${port} vlan ${vlan}`
export const addressRule = (mac: string): RuleKey => `address ${mac}`
export const sharedRule = (mac: string): RuleKey => `shared ${mac}`
export const answerRule = (ip: string): RuleKey => `answer ${ip}`
const strictRule: RuleKey = 'strict'
const floodRule = (index: number): RuleKey => `flood ${index}`
const linksRule = (index: number): RuleKey => `links ${index}`
const mirrorRule: RuleKey = 'mirror'
const multicastRule: RuleKey = 'multicast'

/** A rule: its key, and what makes its items. To add one: a line in `rulesAt`, and what it reads in `Reads`. */
export type Rule = readonly [key: RuleKey, make: (items: Item[]) => void]

/** Every rule of a network on one switch. */
export function* rulesAt(local: LocalNetwork, reads: Reads): Generator<Rule> {
  for (const attachment of local.local) yield ofAttachment(local, attachment, reads)
  for (const attachment of local.cut) yield ofCut(local, attachment)
  for (const index of local.transits.keys()) yield* ofPathVersion(local, index)
  for (const address of reads.addresses.values())
    yield ofAddress(local, address, reads.declared.shared.has(address.mac))
  for (const mac of reads.declared.shared.keys()) yield ofShared(local, mac, reads)
  yield ofMirror(local, reads)
  if (reads.snooping) yield ofMulticast(local, reads.snooping)
  if (!reads.isStrict) return
  yield ofStrict(local, reads)
  for (const ip of reads.declared.claims.keys()) yield ofAnswer(local, ip, reads)
}

/** A port of the network: who comes in there, and whether we listen. */
export const ofAttachment = (local: LocalNetwork, attachment: Attachment, reads: Reads): Rule => [
  attachmentRule(attachment),
  items => {
    admit(items, local, attachment)
    guardPort(items, local, attachment, reads.suppressed)
    if (!isClosed(reads)) floodUnknown(items, local, attachment)
  },
]

/** A port of the network that is cut off. */
export const ofCut = (local: LocalNetwork, attachment: Attachment): Rule => [
  attachmentRule(attachment),
  items => cutOff(items, local, attachment),
]

/** A switch without members carries what others send, not what began here. */
const isUsed = ({ local, transits }: LocalNetwork, index: number): boolean =>
  !transits[index]!.frozen && (local.length > 0 || !transits[index]!.direct)

function* ofPathVersion(local: LocalNetwork, index: number): Generator<Rule> {
  if (!isUsed(local, index)) return
  yield [linksRule(index), items => admitLinks(items, local, local.transits[index]!)]
  yield ofFlood(local, index)
}
export const ofFlood = (local: LocalNetwork, index: number): Rule => [
  floodRule(index),
  items => {
    if (isUsed(local, index)) flood(items, local, local.transits[index]!)
  },
]

/** Where an address is reached from here, and if it is here, that it may speak. @param isShared It is reached otherwise (ofShared). */
export const ofAddress = (local: LocalNetwork, address: Address, isShared = false): Rule => [
  addressRule(address.mac),
  items => {
    if (address.dpid === local.dpid) addressHere(items, local, address, isShared)
    else if (!isShared)
      for (const [index, transit] of local.transits.entries())
        if (isUsed(local, index)) addressThere(items, local, transit, address)
  },
]

/** A MAC that several ports may use. */
export const ofShared = (local: LocalNetwork, mac: string, { declared, addresses, reach }: Reads): Rule => [
  sharedRule(mac),
  items => {
    const owner = addresses.get(mac)
    const holders = [...(declared.shared.get(mac)?.values() ?? []), ...(owner && !owner.learned ? [owner] : [])]
    sharedMac(items, local, mac, holders, reach)
  },
]

/** What is so in a strict network whoever is in it. */
export const ofStrict = (local: LocalNetwork, reads: Reads): Rule => [
  strictRule,
  items => {
    announce(items, local)
    if (isClosed(reads)) dropUnknown(items, local)
  },
]
/** An IP address of a strict network. */
export const ofAnswer = (local: LocalNetwork, ip: string, { declared }: Reads): Rule => [
  answerRule(ip),
  items => answer(items, local, declared, ip),
]

export const ofMirror = (local: LocalNetwork, { pathVersions }: Reads): Rule => [
  mirrorRule,
  items => mirror(items, local, pathVersions),
]
export const ofMulticast = (local: LocalNetwork, snooping: Snooping): Rule => [
  multicastRule,
  items => multicast(items, local, snooping),
]

/** The items of a rule. */
export function made([, make]: Rule): readonly Item[] {
  const items: Item[] = []
  make(items)
  return items
}

/** What each switch must hold for this network. Same arguments, same answer: nothing else is read. */
export function compile(
  subject: Subject,
  datapaths: Datapaths,
  pathVersions: PathVersions,
): ReadonlyMap<DatapathId, readonly Item[]> {
  const reads = readsOf(subject, pathVersions)
  const compiled = new Map<DatapathId, readonly Item[]>()
  for (const local of localNetworks(subject, datapaths, pathVersions)) {
    const items: Item[] = []
    for (const [, make] of rulesAt(local, reads)) make(items)
    if (items.length > 0) compiled.set(local.dpid, items)
  }
  return compiled
}

export const readsOf = (subject: Subject, pathVersions: PathVersions): Reads => {
  const isStrict = subject.network.guard === 'strict'
  const declared = declaredBy(
    subject.attachments.map(attachment => [attachmentKey(attachment), attachment]),
    isStrict,
  )
  return {
    ...{ addresses: addresses(subject), suppressed: subject.suppressed, pathVersions },
    snooping: subject.snooped && snoopingOf(subject.snooped, pathVersions),
    ...declaredReads(declared, isStrict, pathVersions),
  }
}
export const declaredReads = (declared: Declared, isStrict: boolean, pathVersions: PathVersions) => ({
  ...{ declared, isStrict },
  reach: declared.shared.size > 0 ? pathVersions.map(({ route }) => pruned(route)) : [],
})
