import { type DatapathId, endpointKey } from '../../topology/topology.ts'
import { sharingConflict } from '../attachments.ts'
import type { Draft, State, Unrevised } from '../change.ts'
import { type Collection, counted, grouped, unique } from '../collection.ts'
import { addressesOf } from '../duplicates.ts'
import { equalButRevision } from '../equal.ts'
import { badGuard } from '../guard.ts'
import { attachmentKey, ipKey, macKey, placeKey } from '../keys.ts'
import { parsePrefix } from '../prefix.ts'
import { hasFields, isEndpoint, isList, isNumber, isOneOf, isText, isTrue } from '../row-check.ts'
import type { Attachment } from '../state.ts'

declare module '../change.ts' {
  interface Kinds {
    attachment: Attachment
  }
  interface Tables {
    /** By attachmentKey: a port is in one network at most, but for the tags that it may be in others by. */
    readonly attachments: Map<string, Attachment>
    /** Attachments with a `vlan`, by endpointKey of their port and then by it. A port without any is absent. */
    readonly taggedAt: Map<string, Map<number, Attachment>>
    /** Attachments by the name of their port, by dpid, then attachmentKey. */
    readonly named: Map<DatapathId, Map<string, Attachment>>
    /** By network id, then attachmentKey. A network without attachments is absent. */
    readonly members: Map<string, Map<string, Attachment>>
    /** attachmentKey by macKey: who pins that MAC in that network. */
    readonly macs: Map<string, string>
    /** How many attachments of a network say that they have an IP address, by ipKey; none with zero. */
    readonly ipsIn: Map<string, number>
    /** How many attachments a network has on a switch, by placeKey; none with zero. */
    readonly membersAt: Map<string, number>
  }
  interface Writers extends AttachmentWriters {}
}

type AttachmentWriters = {
  /** A port that is in another network moves. */
  putAttachment(attachment: Unrevised<Attachment>): void
  /** By attachmentKey. */
  deleteAttachment(key: string): void
}

export const attachment: Collection<'attachment', AttachmentWriters> = {
  table: 'attachments',
  shape: { is: 'map' },
  indexes: [
    grouped('taggedAt', (a: Attachment) => (a.vlan === undefined ? [] : [[endpointKey(a), a.vlan, a]])),
    grouped('named', (a: Attachment) => (a.portName === undefined ? [] : [[a.dpid, attachmentKey(a), a]])),
    grouped('members', (a: Attachment) => [[a.network, attachmentKey(a), a]]),
    counted('ipsIn', (a: Attachment) => addressesOf(a).map(ip => [ipKey(a.network, ip)])),
    counted('membersAt', (a: Attachment) => [[placeKey(a.network, a.dpid)]]),
    unique('macs', (a: Attachment) => (a.mac === undefined ? [] : [[macKey(a.network, a.mac), attachmentKey(a)]])),
  ],
  isRow: (v, key) => isAttachment(v) && attachmentKey(v as Attachment) === key,
  isRevised: true,
  violation: (state, { key, after }) => after && badAttachment(state, key, after),
  // Its networks are touched by the same write.
  marks: () => undefined,
  writers: ({ draft, step, revision }) => ({
    putAttachment(attachment) {
      const key = attachmentKey(attachment)
      const before = draft.attachments.get(key)
      if (equalButRevision(before, attachment)) return
      step({ kind: 'attachment', key, before, after: { ...attachment, revision } })
      draft.touchNetwork(attachment.network)
      if (before) left(draft, before)
      draft.markAccessPort(endpointKey(attachment))
    },
    deleteAttachment(key) {
      const before = draft.attachments.get(key)
      if (!before) return
      step({ kind: 'attachment', key, before, after: undefined })
      left(draft, before)
    },
  }),
}

/** An attachment is not what it was: its network has changed, and its switch may have ceased to be a member. */
const left = (draft: Draft, { network, dpid }: Attachment): void => {
  draft.touchNetwork(network)
  const number = draft.networks.get(network)?.number
  if (number !== undefined && !draft.membersAt.has(placeKey(network, dpid))) draft.hold(number, [dpid])
}

const isRate = (v: unknown): boolean => hasFields(v, { kbps: isNumber }, { burst: isNumber })
const isRateLimit = (v: unknown): boolean => hasFields(v, {}, { send: isRate, receive: isRate })

/** A prefix that can't be read would let more in, or crash whoever compiles it. */
const isAllowed = (v: unknown): boolean =>
  hasFields(v, { ip: ip => typeof ip === 'string' && parsePrefix(ip) !== undefined }, { mac: isText })

const required = { network: isText, guard: isOneOf('learn', 'mac', 'strict') }
const optional = {
  mac: isText,
  name: isText,
  portName: isText,
  vlan: isNumber,
  trunk: isTrue,
  ips: isList(isText),
  broadcast: isNumber,
  rate: isRateLimit,
  ownGuard: isTrue,
  allowedAddresses: isList(isAllowed),
  trusted: isList(isOneOf('dhcp', 'router')),
}
const isAttachment = (v: unknown): boolean => isEndpoint(v) && hasFields(v, required, optional)

const badAttachment = (t: State, key: string, attachment: Attachment): string | undefined => {
  const { network, mac } = attachment
  const port = endpointKey(attachment)
  const joined = t.networks.get(network)
  if (!joined) return `port ${key} is attached to network ${network}, which does not exist`
  if (joined.vlink) return `port ${key} is attached to network ${network}, which is a vlink`
  const conflict = sharingConflict(t, attachment)
  if (conflict) return conflict.detail
  const guard = badGuard(attachment)
  if (guard !== undefined) return guard
  const vlink = t.vlinkEnds.get(port)
  if (vlink !== undefined) return `port ${key} of network ${network} is an end of vlink ${vlink}`
  const mirrored = t.mirrors.get(port) ?? network
  if (mirrored !== network) return `port ${key} of network ${network} is the mirror of network ${mirrored}`
  const holder = mac === undefined ? key : (t.macs.get(macKey(network, mac)) ?? key)
  return holder === key ? undefined : `MAC ${mac} of port ${key} is port ${holder}'s in network ${network}`
}
