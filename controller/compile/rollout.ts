// How a network goes from one route to another without losing a frame: the new ways are built under the other epoch beside the
// old ones, then frames are let in there, and when the last of the old ones have arrived, the old ways go. Pure.
import { vid } from '../../openflow/index.ts'
import type { Network } from '../../store/state.ts'
import { compatible, directId, type Route } from '../../topology/route.ts'
import type { Epoch } from './cookie.ts'
import type { FlowItem, Item } from './item.ts'
import { metadata, pipeline } from './pipeline.ts'

/** A route, and how frames on it are marked (metadata bit 33, VNI bit 23). */
export type Lane = {
  readonly epoch: Epoch
  readonly route: Route
  /** It was in use when we were ended, and we know it only by what the switches hold: that stays as it is until it goes. */
  readonly frozen?: true
}

/** Lanes that switches hold at once. Frames of members enter by the first. */
export type Lanes = readonly [Lane, ...Lane[]]

/**
 * Frames that are under way when the last switch has gone over have arrived after so long (milliseconds). Most of it is meant for
 * Open vSwitch's caches, which follow a barrier's answer some time later (docs/decisions/0014).
 */
export const drainMs = 1000
/** A switch that does not confirm for so long (milliseconds) that it has gone over is waited for no more. */
const goneOverMs = 3000

/**
 * What a network's switches are to hold. `serial` counts its changes: a switch that has confirmed a compile of this serial or
 * a later one is as far as this.
 */
export type Course =
  | { readonly is: 'steady'; readonly serial: number; readonly lane: Lane }
  /** The new lane is being built; nothing enters it. */
  | { readonly is: 'preparing'; readonly serial: number; readonly from: Lane; readonly to: Lane }
  /** Frames enter the new lane (since `entered`), and some are still in the old one. `until`: when that may go, once all have gone over. */
  | {
      readonly is: 'draining'
      readonly serial: number
      readonly from: Lane
      readonly to: Lane
      readonly entered: number
      readonly until: number | undefined
    }

export const lanesOf = (course: Course): Lanes => {
  if (course.is === 'steady') return [course.lane]
  return course.is === 'preparing' ? [course.from, course.to] : [course.to, course.from]
}

/** The lane that the network will have when it has come to rest. */
export const goal = (course: Course): Lane => (course.is === 'steady' ? course.lane : course.to)

export const otherEpoch = (epoch: Epoch): Epoch => (epoch === 0 ? 1 : 0)

const unknownRoute: Route = {
  id: '',
  direct: true,
  branches: new Map(),
  towards: new Map(),
  entrances: new Map(),
  islands: [],
}

/** Where a network stands that we have not seen yet: at rest, or where an earlier run of ours has left it. */
export function begin(
  { epoch = 0, target, way = directId }: Network,
  wanted: Route,
  serial: number,
  now: number,
): Course {
  const frozen = (epoch: Epoch): Lane => ({ epoch, route: { ...unknownRoute, id: way }, frozen: true })
  const lane = way === wanted.id ? { epoch, route: wanted } : frozen(epoch)
  if (target === undefined) return { is: 'steady', serial, lane }
  if (target !== epoch) return { is: 'preparing', serial, from: lane, to: { epoch: target, route: wanted } }
  return { is: 'draining', serial, from: frozen(otherEpoch(epoch)), to: lane, entered: now, until: undefined }
}

/**
 * The course towards this route. What may change switch by switch changes in place; while a lane is drained, another
 * change waits for its end.
 * @param target The epoch that may be built: it is on disk that it will be. Without it the network stays at rest as it is.
 */
export function steer(course: Course, wanted: Route, target: Epoch | undefined, serial: number): Course {
  switch (course.is) {
    case 'steady': {
      const { lane } = course
      if (lane.route === wanted) return course
      if (mixes(lane, wanted)) return { ...course, serial, lane: { ...lane, route: wanted } }
      if (target !== otherEpoch(lane.epoch)) return course
      return { is: 'preparing', serial, from: lane, to: { epoch: target, route: wanted } }
    }
    case 'preparing': {
      const { from, to } = course
      // Nothing enters the new lane yet, so it may still become any other; or the old one will do again.
      if (mixes(from, wanted)) return { is: 'steady', serial, lane: { ...from, route: wanted } }
      return to.route === wanted ? course : { ...course, serial, to: { ...to, route: wanted } }
    }
    case 'draining':
      if (course.to.route === wanted || !mixes(course.to, wanted)) return course
      return { ...course, serial, to: { ...course.to, route: wanted } }
  }
}

const mixes = ({ route, frozen }: Lane, wanted: Route): boolean => !frozen && compatible(route, wanted)

/** What a store keeps of a network's lanes. */
export type Kept = Pick<Network, 'epoch' | 'target' | 'way'>

/**
 * What is to be on disk before switches are told of the next step.
 * @param entering Frames are about to enter the lane that was being built.
 */
export function record(course: Course, wanted: Route, entering = false): Kept {
  const { epoch, route } = course.is === 'preparing' && !entering ? course.from : goal(course)
  const waits = course.is === 'steady' && route !== wanted
  const target = course.is === 'steady' ? (waits ? otherEpoch(epoch) : undefined) : course.to.epoch
  return {
    ...(epoch !== 0 && { epoch }),
    ...(target !== undefined && { target }),
    ...(route.id !== directId && { way: route.id }),
  }
}
export const keeps = (a: Kept, b: Kept): boolean =>
  (a.epoch ?? 0) === (b.epoch ?? 0) && a.target === b.target && a.way === b.way

/**
 * The next step of a course, when it is due: `confirmed` says whether the switches that matter have confirmed this serial.
 * Undefined: not yet.
 * @param now Milliseconds of a clock that never jumps.
 */
export function advance(
  course: Course,
  { confirmed, now, serial }: { readonly confirmed: boolean; readonly now: number; readonly serial: number },
): Course | undefined {
  switch (course.is) {
    case 'steady':
      return undefined
    case 'preparing':
      return confirmed ? { ...course, is: 'draining', serial, entered: now, until: undefined } : undefined
    case 'draining': {
      const { until, entered, from, to } = course
      if (until !== undefined) return now >= until ? { is: 'steady', serial, lane: to } : undefined
      if (!confirmed && now < entered + goneOverMs) return undefined
      // Between ports of one switch nothing is under way.
      return { ...course, until: !from.frozen && isEmpty(from.route) ? now : now + drainMs }
    }
  }
}

const isEmpty = ({ branches, towards }: Route): boolean => branches.size + towards.size === 0

/** When a course is to be looked at again, if nothing happens before. */
export const due = (course: Course): number | undefined =>
  course.is === 'draining' ? (course.until ?? course.entered + goneOverMs) : undefined

/**
 * Whose lane an item of ours serves; undefined: both, or none.
 * @param vids The network's VLANs on plain links, one for each epoch.
 */
export function epochOf(item: Item, vids?: readonly [number, number]): Epoch | undefined {
  if (item.kind === 'group') return (item.id >>> 1) & 1 ? 1 : 0
  if (item.kind !== 'flow') return undefined
  const { tunnel_id: vni, vlan_vid: tag, metadata: mark } = item.match
  if (item.tableId === pipeline.admit.id) {
    if (typeof vni === 'bigint') return vni >> 23n ? 1 : 0
    const ofLink = item.instructions.some(i => i.type === 'goto_table' && i.tableId === pipeline.deliver.id)
    const epoch = ofLink ? vids?.findIndex(number => tag === (vid.present | number)) : undefined
    return epoch === 0 || epoch === 1 ? epoch : markedBy(item)
  }
  if (item.tableId !== pipeline.deliver.id || mark === undefined) return undefined
  const { value, mask } = typeof mark === 'object' ? mark : { value: mark, mask: metadata.epoch }
  return mask & metadata.epoch ? (value & metadata.epoch ? 1 : 0) : undefined
}

/** What enters a vlink is given a VNI in the first table, and so is in a lane from there on. */
function markedBy({ instructions }: FlowItem): Epoch | undefined {
  for (const i of instructions)
    for (const action of i.type === 'apply_actions' ? i.actions : [])
      if (action.type === 'set_field' && action.field === 'tunnel_id' && typeof action.value === 'bigint')
        return action.value >> 23n ? 1 : 0
  return undefined
}
