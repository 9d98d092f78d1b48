import { isDeepStrictEqual } from 'node:util'
import { type DatapathId, endpointKey, linkKey } from '../../topology/topology.ts'
import { networkAt } from '../attachments.ts'
import type { State, Unrevised } from '../change.ts'
import { type Collection, unique } from '../collection.ts'
import { equalButRevision } from '../equal.ts'
import { maxNetworkNumber } from '../limits.ts'
import { hasFields, isBoolean, isEndpoint, isList, isNumber, isObject, isOneOf, isText } from '../row-check.ts'
import type { Network, Vlink } from '../state.ts'

declare module '../change.ts' {
  interface Kinds {
    network: Network
  }
  interface Tables {
    readonly networks: Map<string, Network>
    /** Network id by the numbers that stand for it: its own, its mirror's, and that of a vlink's way back. */
    readonly numbers: Map<number, string>
    /** Network id by the endpointKey of its mirror. */
    readonly mirrors: Map<string, string>
    /** Network id by the endpointKeys of its ends, if it is a vlink. */
    readonly vlinkEnds: Map<string, string>
  }
  interface Writers extends NetworkWriters {}
}

type PathVersion = Pick<Network, 'epoch' | 'target' | 'way'>

type NetworkWriters = {
  putNetwork(network: Unrevised<Network>): void
  /** A network's revision is that of the last change to anything in it. */
  touchNetwork(id: string): void
  /** Its revision stays: nothing that a client asked for has changed. A network that is gone stays so. */
  setPathVersion(id: string, version: PathVersion): void
  /** Detaches its ports too. */
  deleteNetwork(id: string): void
}

export const network: Collection<'network', NetworkWriters> = {
  table: 'networks',
  shape: { is: 'map' },
  indexes: [
    unique('numbers', (network: Network) => numbersOf(network).map(number => [number, network.id])),
    unique('mirrors', ({ id, mirror }: Network) => (mirror ? [[endpointKey(mirror), id]] : [])),
    unique('vlinkEnds', ({ id, vlink }: Network) => endsOf(vlink).map(end => [end, id])),
  ],
  isRow: (v, key) =>
    isObject(v) &&
    v['id'] === key &&
    hasFields(
      v,
      { number: isNumber },
      {
        mirror: mirror => isEndpoint(mirror) && hasFields(mirror, { number: isNumber }),
        multicast: isOneOf('snoop'),
        broadcast: isNumber,
        guard: isOneOf('learn', 'mac', 'strict'),
        vlink: isVlink,
        epoch: isOneOf(0, 1),
        target: isOneOf(0, 1),
        way: isText,
      },
    ),
  isRevised: true,
  violation: (state, { key, after }) => (after ? badNetwork(state, after) : badRemoval(state, key)),
  marks: id => ({ network: id }),
  writers: ({ draft, step, revision }) => ({
    putNetwork(network) {
      const before = draft.networks.get(network.id)
      if (equalButRevision(before, network)) return
      step({ kind: 'network', key: network.id, before, after: { ...network, revision } })
      if (before) draft.hold(before.number, switchesLeft(before, network))
      for (const port of [network.mirror, network.vlink?.from, network.vlink?.to])
        if (port) draft.markAccessPort(endpointKey(port))
    },
    touchNetwork(id) {
      const before = draft.networks.get(id)
      if (before && before.revision !== revision)
        step({ kind: 'network', key: id, before, after: { ...before, revision } })
    },
    setPathVersion(id, version) {
      const before = draft.networks.get(id)
      if (!before) return
      const { epoch: _, target: __, way: ___, ...rest } = before
      const after = { ...rest, ...version }
      if (!isDeepStrictEqual(before, after)) step({ kind: 'network', key: id, before, after })
    },
    deleteNetwork(id) {
      if (!draft.networks.has(id)) return
      for (const key of [...(draft.members.get(id)?.keys() ?? [])]) draft.deleteAttachment(key)
      const before = draft.networks.get(id)!
      step({ kind: 'network', key: id, before, after: undefined })
      draft.hold(before.number, switchesOf(before))
      draft.holdGone(before.number, id)
    },
  }),
}

/** What switches know a network's frames by, one number for each kind of frame. */
export const numbersOf = ({ number, mirror, vlink }: Network): readonly number[] => [
  number,
  ...(mirror ? [mirror.number] : []),
  ...(vlink ? [vlink.reverseNumber] : []),
]

/** Switches that a network is on besides those of its attachments. */
const switchesOf = ({ mirror, vlink }: Unrevised<Network>): readonly DatapathId[] => [
  ...(mirror ? [mirror.dpid] : []),
  ...(vlink ? [...vlink.path, ...vlink.reversePath] : []),
]

/** Those of them that the network's number does not stand for any more. */
const switchesLeft = (before: Network, after: Unrevised<Network>): readonly DatapathId[] => {
  const stay = new Set(before.number === after.number ? switchesOf(after) : [])
  return switchesOf(before).filter(dpid => !stay.has(dpid))
}

const endsOf = (vlink: Vlink | undefined): readonly string[] => (vlink ? [vlink.from, vlink.to].map(endpointKey) : [])

const isVlink = (v: unknown): boolean =>
  hasFields(
    v,
    {
      from: isEndpoint,
      to: isEndpoint,
      path: isList(isText),
      reversePath: isList(isText),
      reverseNumber: isNumber,
      reroute: isBoolean,
    },
    { bandwidth: isNumber, latency: isNumber },
  )

const badRemoval = (t: State, id: string): string | undefined =>
  t.members.has(id) ? `network ${id} still has ${t.members.get(id)!.size} attachments` : undefined

/** A number stands for one network; a mirror has its port alone. */
const badNetwork = (t: State, network: Network): string | undefined => {
  const { id, number, mirror } = network
  const numbers = numbersOf(network)
  for (const n of numbers) {
    if (!Number.isInteger(n) || n < 1 || n > maxNetworkNumber)
      return `network ${id} has number ${n}: expected 1 to ${maxNetworkNumber}`
    const holder = t.numbers.get(n)
    if (holder !== undefined && holder !== id) return `number ${n} of network ${id} is network ${holder}'s`
  }
  if (mirror?.number === number) return `network ${id} and its mirror have one number, ${number}`
  if (new Set(numbers).size < numbers.length) return `network ${id} has number ${number} for more than one thing`
  if (network.vlink) return badVlink(t, network, network.vlink)
  if (!mirror) return undefined
  const port = endpointKey(mirror)
  const other = t.mirrors.get(port) ?? t.vlinkEnds.get(port) ?? networkAt(t, port) ?? id
  return other === id ? undefined : `the mirror port ${port} of network ${id} is network ${other}'s`
}

/** A vlink is alone on its ports, and its paths lead from the one to the other. */
const badVlink = (t: State, { id, mirror }: Network, vlink: Vlink): string | undefined => {
  if (mirror || t.members.has(id)) return `vlink ${id} has ${mirror ? 'a mirror' : 'attachments'}: it has two ends only`
  const { from, to } = vlink
  for (const [path, first, last] of [
    [vlink.path, from, to],
    [vlink.reversePath, to, from],
  ] as const)
    if (path[0] !== first.dpid || path.at(-1) !== last.dpid || new Set(path).size < path.length)
      return `the path ${path.join(', ')} of vlink ${id} does not lead from switch ${first.dpid} to ${last.dpid}`
  const ends = endsOf(vlink)
  if (ends[0] === ends[1]) return `vlink ${id} has one port, ${ends[0]}, at both ends`
  for (const port of ends) {
    const other = t.mirrors.get(port) ?? networkAt(t, port) ?? t.vlinkEnds.get(port) ?? id
    if (other !== id) return `port ${port} of vlink ${id} is network ${other}'s`
    const link = t.declaredAt.get(port)
    if (link) return `port ${port} of vlink ${id} is an end of declared link ${linkKey(link)}`
  }
  return undefined
}
