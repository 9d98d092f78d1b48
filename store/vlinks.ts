import { isDeepStrictEqual } from 'node:util'
import { parseDpid } from '../topology/parse.ts'
import { type DatapathId, type Endpoint, endpointKey } from '../topology/topology.ts'
import { pathsId } from '../topology/vlink-route.ts'
import { type NamedPort, parseNamedPort, pathVersionOf } from './desired.ts'
import type { Draft } from './draft.ts'
import { parseNetworkId } from './parse.ts'
import { useConflict } from './port-use.ts'
import { isRefusal, type Refusal, refuse } from './refusals.ts'
import type { Network, Vlink } from './state.ts'

/** What clients may ask of vlinks, decided on a draft, as in desired.ts. Whether a path exists is no matter of the store. */

export type VlinkSpec = {
  readonly from: NamedPort
  readonly to: NamedPort
  /** Datapath ids from the switch of `from` to that of `to`, both included; one when both ports are on it. */
  readonly path: readonly string[]
  /** The same from the switch of `to`. Absent: `path` backwards. */
  readonly reversePath?: readonly string[] | undefined
  readonly reroute?: boolean | undefined
  /** Bits a second, 1,000 or more. */
  readonly bandwidth?: number | undefined
  /** Nanoseconds. */
  readonly latency?: number | undefined
}

/** A vlink as it is asked for: all but the number that the store gives it. */
export type PlannedVlink = Omit<Vlink, 'reverseNumber'>

/** Meters count thousands of bits a second, in 32 bits (OpenFlow 1.3.5 §7.3.4.4). */
export const bandwidthLimits = { least: 1000, most: 0xffff_ffff * 1000 } as const

/** Creates a vlink, or makes it what this spec says: what is not given is not wanted for any more. */
export const putVlink = (
  draft: Draft,
  id: string,
  spec: VlinkSpec,
): { created: boolean; network: Network } | Refusal => {
  if (parseNetworkId(id) === undefined) return refuse('bad-id', id)
  const planned = parseVlink(id, spec)
  if (isRefusal(planned)) return planned
  const before = draft.networks.get(id)
  if (before && !before.vlink) return refuse('network-is-no-vlink', id)
  const use = { is: 'vlink', vlink: id } as const
  const conflict =
    useConflict(draft, endpointKey(planned.from), use) ?? useConflict(draft, endpointKey(planned.to), use)
  if (conflict) return conflict
  const numbered = chooseNumbers(draft, id, planned)
  if (isRefusal(numbered)) return numbered
  const { reverseNumber, ...rest } = numbered
  draft.putNetwork({ id, ...rest, vlink: { ...planned, reverseNumber } })
  return { created: before === undefined, network: draft.networks.get(id)! }
}

/** Deletes a vlink; anything else of that name is left as it is. */
export const deleteVlink = (draft: Draft, id: string): { deleted: boolean } => {
  const deleted = draft.networks.get(id)?.vlink !== undefined
  if (deleted) draft.deleteNetwork(id)
  return { deleted }
}

const sameEnds = (a: PlannedVlink, b: PlannedVlink): boolean => isDeepStrictEqual([a.from, a.to], [b.from, b.to])

/** Two vlinks whose frames take the same ways between the same ports. */
export const samePaths = (a: PlannedVlink, b: PlannedVlink): boolean =>
  isDeepStrictEqual([a.from, a.to, a.path, a.reversePath], [b.from, b.to, b.path, b.reversePath])

/** Other ends go under other numbers: with the old ones a switch that was away may still send frames to the old port. */
const chooseNumbers = (draft: Draft, id: string, planned: PlannedVlink): Numbered | Refusal => {
  const before = draft.networks.get(id)
  if (before?.vlink && sameEnds(before.vlink, planned))
    return { number: before.number, reverseNumber: before.vlink.reverseNumber, ...pathVersionOf(before) }
  const number = draft.nextNumber()
  const reverseNumber = draft.nextNumber()
  if (number === undefined || reverseNumber === undefined) return refuse('number-space-exhausted', id)
  return { number, reverseNumber, way: pathsId(planned.path, planned.reversePath) }
}
type Numbered = Pick<Network, 'number' | 'epoch' | 'target' | 'way'> & Pick<Vlink, 'reverseNumber'>

/** From text to a vlink, or what is wrong with it. */
export const parseVlink = (id: string, spec: VlinkSpec): PlannedVlink | Refusal => {
  const from = parseNamedPort(spec.from)
  if (isRefusal(from)) return from
  const to = parseNamedPort(spec.to)
  if (isRefusal(to)) return to
  if (endpointKey(from) === endpointKey(to))
    return refuse('bad-vlink', id, `it would begin and end at port ${endpointKey(from)}: give two ports`)
  const path = parsePath(id, 'path', spec.path, from, to)
  if (isRefusal(path)) return path
  const reversePath =
    spec.reversePath === undefined ? path.toReversed() : parsePath(id, 'reversePath', spec.reversePath, to, from)
  if (isRefusal(reversePath)) return reversePath
  const { bandwidth, latency, reroute = false } = spec
  const { least, most } = bandwidthLimits
  if (bandwidth !== undefined && !(Number.isInteger(bandwidth) && bandwidth >= least && bandwidth <= most))
    return refuse('bad-vlink', id, `its bandwidth is ${bandwidth}: expected ${least} to ${most} bits a second`)
  if (latency !== undefined && !(Number.isSafeInteger(latency) && latency >= 1))
    return refuse('bad-vlink', id, `its latency is ${latency}: expected a whole number of nanoseconds, 1 or more`)
  return {
    ...{ from, to, path, reversePath, reroute },
    ...(bandwidth !== undefined && { bandwidth }),
    ...(latency !== undefined && { latency }),
  }
}

const parsePath = (
  id: string,
  name: 'path' | 'reversePath',
  texts: readonly string[],
  from: Endpoint,
  to: Endpoint,
): readonly DatapathId[] | Refusal => {
  const path: DatapathId[] = []
  for (const text of texts) {
    const dpid = parseDpid(text)
    if (dpid === undefined) return refuse('bad-dpid', text)
    if (path.includes(dpid)) return refuse('bad-vlink', id, `its ${name} passes switch ${dpid} twice`)
    path.push(dpid)
  }
  if (path[0] === from.dpid && path.at(-1) === to.dpid) return path
  const got = path.length === 0 ? 'it is empty' : `it leads from ${path[0]} to ${path.at(-1)}`
  const why = `its ${name} must name all switches from ${from.dpid} to ${to.dpid}, both included, and ${got}`
  return refuse('bad-vlink', id, why)
}
