// Which copies of frames may teach us where their senders are: those that the entries of a learning port have made.
import type { PacketIn } from '../../openflow/index.ts'
import { attachmentIn } from '../../store/attachments.ts'
import { addressesOf } from '../../store/duplicates.ts'
import type { State } from '../../store/state.ts'
import { type DatapathId, endpointKey, type PortNo } from '../../topology/topology.ts'
import { attachmentRule, type RuleKey } from '../compile/compile.ts'
import { cookie, owner } from '../compile/cookie.ts'
import { packetInsPerSecond } from '../compile/metered.ts'
import { pipeline } from '../compile/pipeline.ts'
import { networkWithoutCookie, unknownCookie } from '../switch/copies.ts'
import type { Place } from './learned-addresses.ts'

/** Copies of a port's frames in a second, beyond which its switch can't be metering them. */
export const mostCopies = 2 * packetInsPerSecond

type LearningPort = {
  readonly network: number
  readonly id: string
  /** The copy was made by the entry of an address that is known there. */
  readonly isWatched: boolean
  /** Counts a copy; answers whether they are too many in this second. */
  isLoud(): boolean
}

type Around = { state(): State; networkOf(number: number): string | undefined; now(): number }

/** Which copies may teach us, looked up once for each port and revision of the store. */
export function learningPorts({ state, networkOf, now }: Around) {
  type Known = LearningPort & { readonly revision: number }
  const kept = new Map<bigint, Map<DatapathId, Map<PortNo, Known>>>()
  type Given = {
    readonly revision: number
    readonly macs: ReadonlyMap<string, Place>
    readonly ips: ReadonlyMap<string, Place>
  }
  const pins = new Map<string, Given>()

  const isLoud = (before: Known | undefined): (() => boolean) => {
    if (before) return before.isLoud
    let count = 0
    let since = 0
    return () => {
      // The clock is looked at only where it matters: at the first copy, and when there have been too many.
      if (count === 0) since = now()
      if (++count <= mostCopies) return false
      if (now() - since <= 1000) return true
      count = 0
      return false
    }
  }
  const find = (dpid: DatapathId, port: PortNo, message: PacketIn, before: Known | undefined): Known | undefined => {
    const network = networkOfCopy(state(), dpid, port, message)
    const id = network === undefined ? undefined : networkOf(network)
    if (network === undefined || id === undefined) return undefined
    if (attachmentIn(state(), id, endpointKey({ dpid, port }))?.guard !== 'learn') return undefined
    const isWatched = owner(message.cookie).is === 'learned'
    return { revision: state().revision, network, id, isWatched, isLoud: isLoud(before) }
  }
  const given = (id: string): Given => {
    const { networks, members } = state()
    const revision = networks.get(id)?.revision ?? 0
    const known = pins.get(id)
    if (known?.revision === revision) return known
    const found = { revision, macs: new Map<string, Place>(), ips: new Map<string, Place>() }
    for (const attachment of members.get(id)?.values() ?? []) {
      const place = { dpid: attachment.dpid, port: attachment.port }
      if (attachment.mac !== undefined) found.macs.set(attachment.mac, place)
      for (const ip of addressesOf(attachment)) found.ips.set(ip, place)
    }
    pins.set(id, found)
    return found
  }
  return {
    of(dpid: DatapathId, port: PortNo, message: PacketIn): LearningPort | undefined {
      const known = kept.get(message.cookie)?.get(dpid)?.get(port)
      if (known?.revision === state().revision && message.cookie !== unknownCookie) return known
      const found = find(dpid, port, message, known)
      if (found) {
        let switches = kept.get(message.cookie)
        if (!switches) kept.set(message.cookie, (switches = new Map()))
        let ports = switches.get(dpid)
        if (!ports) switches.set(dpid, (ports = new Map()))
        ports.set(port, found)
      } else if (known) kept.get(message.cookie)?.get(dpid)?.delete(port)
      return found
    },
    /** The rule that makes the entries of a port. */
    rule(network: number, at: Place): RuleKey | undefined {
      const id = networkOf(network)
      const attachment = id === undefined ? undefined : attachmentIn(state(), id, endpointKey(at))
      return attachment && attachmentRule(attachment)
    },
    forget(network: number, id: string) {
      for (const kind of ['network', 'learned'] as const) kept.delete(cookie(kind, network))
      pins.delete(id)
    },
    /** The port that an address of this network was given to. */
    pinned: (id: string, mac: string): Place | undefined => given(id).macs.get(mac),
    /** The same of an IP address. */
    declared: (id: string, ip: string): Place | undefined => given(id).ips.get(ip),
  }
}

/** The number of the network that a copy of a guard entry is of. */
function networkOfCopy(state: State, dpid: DatapathId, port: PortNo, message: PacketIn): number | undefined {
  const whose = owner(message.cookie)
  if (whose.is === 'network' || whose.is === 'learned') return whose.network
  const isOfGuard = message.tableId === pipeline.guard.id || message.tableId === unknownTable
  return message.cookie === unknownCookie && isOfGuard ? networkWithoutCookie(state, dpid, port, message) : undefined
}
const unknownTable = 0xff
