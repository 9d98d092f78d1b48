// Who is in a network: its attachments, switch by switch, and where each address is; and what of that has changed.
import type { Attachment } from '../../store/state.ts'
import type { DatapathId, PortNo } from '../../topology/topology.ts'
import { attachmentRule, type RuleKey } from './compile.ts'
import { type Declared, declaredBy, declaredIndex } from './declared.ts'
import type { Address, Addresses, Location } from './local-network.ts'

/** What was learned in a network. */
export type Learned = {
  at(mac: string): Location | undefined
  /** It was learned at a port that does not learn (any more). */
  forget(location: Location): void
}

export type Occupants = {
  /** By switch, and there by attachmentKey. */
  readonly byDatapath: ReadonlyMap<DatapathId, ReadonlyMap<string, Attachment>>
  readonly addresses: Addresses
  readonly declared: Declared
  /**
   * Takes the attachments as they are now; answers the rules of those that are others than before. Addresses that this moves go into
   * `moved`, too.
   */
  attach(now: ReadonlyMap<string, Attachment>, moved: Moved): ReadonlyMap<DatapathId, Set<RuleKey>>
  /** Takes these addresses to where they are now: what an attachment pins counts more than what was learned. */
  relocate(moved: Iterable<string>, learned: Learned): void
}

/** Addresses that may be elsewhere than before. `claimed`: which MAC an IP address is at is of interest (declared.ts). */
export type Moved = {
  readonly macs: Set<string>
  /** MACs that other ports may use, or might. */
  readonly shared: Set<string>
  readonly ips: Set<string>
  readonly claimed: boolean
}

export function occupants(): Occupants {
  const attachments = new Map<string, Attachment>()
  const byDatapath = new Map<DatapathId, Map<string, Attachment>>()
  const pinned = new Map<string, Address>()
  const addresses = new Map<string, Address>()
  let declared = declaredIndex(false)
  let isClaimed = false

  const index = (key: string, dpid: DatapathId, after: Attachment | undefined) => {
    const here = byDatapath.get(dpid) ?? new Map<string, Attachment>()
    byDatapath.set(dpid, here)
    if (after) {
      attachments.set(key, after)
      here.set(key, after)
      return
    }
    attachments.delete(key)
    here.delete(key)
    if (here.size === 0) byDatapath.delete(dpid)
  }
  const pin = (before: Attachment | undefined, after: Attachment | undefined) => {
    if (before?.mac) {
      const at = pinned.get(before.mac)
      if (at && isAt(before, at.dpid, at.port)) pinned.delete(before.mac)
    }
    if (after?.mac) pinned.set(after.mac, { mac: after.mac, dpid: after.dpid, port: after.port, learned: false })
  }
  const learns = ({ dpid, port }: Location): boolean => {
    for (const attachment of byDatapath.get(dpid)?.values() ?? [])
      if (attachment.port === port && attachment.guard === 'learn') return true
    return false
  }

  return {
    byDatapath,
    addresses,
    get declared() {
      return declared
    },
    attach(now, { macs: moved, shared, ips: asked, claimed }) {
      const changed = new Map<DatapathId, Set<RuleKey>>()
      const put = (key: string, before: Attachment | undefined, after: Attachment | undefined) => {
        const { dpid } = (before ?? after)!
        const rules = changed.get(dpid) ?? new Set<RuleKey>()
        changed.set(dpid, rules)
        index(key, dpid, after)
        pin(before, after)
        for (const attachment of [before, after]) {
          if (attachment) rules.add(attachmentRule(attachment))
          if (attachment?.mac) moved.add(attachment.mac)
        }
        const { macs, ips } = declared.put(key, before, after)
        for (const mac of macs) {
          moved.add(mac)
          shared.add(mac)
        }
        for (const ip of ips) asked.add(ip)
        // Entries of an address say how its port is attached.
        if (before) for (const { mac, dpid, port } of addresses.values()) if (isAt(before, dpid, port)) moved.add(mac)
      }
      for (const [key, before] of attachments) if (!now.has(key)) put(key, before, undefined)
      for (const [key, after] of now) if (attachments.get(key) !== after) put(key, attachments.get(key), after)
      if (claimed !== isClaimed) {
        isClaimed = claimed
        declared = declaredBy(attachments, claimed)
      }
      return changed
    },
    relocate(moved, learned) {
      for (const mac of moved) {
        const found = learned.at(mac)
        const isLearned = found && learns(found)
        if (found && !isLearned) learned.forget(found)
        const now = pinned.get(mac) ?? (isLearned ? { ...found, learned: true } : undefined)
        if (now) addresses.set(mac, now)
        else addresses.delete(mac)
      }
    },
  }
}

const isAt = (attachment: Attachment, dpid: DatapathId, port: PortNo): boolean =>
  attachment.port === port && attachment.dpid === dpid
