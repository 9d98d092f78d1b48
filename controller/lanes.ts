// How a network goes from one route to another without losing a frame: the new ways are built under the other epoch beside the
// old ones, then frames are let in there, and when the last of the old ones have arrived, the old ways go. Pure.
import { compatible, type Route } from '../topology/route.ts'
import type { Epoch } from './cookie.ts'

/** A route, and how frames on it are marked (metadata bit 33, VNI bit 23). */
export type Lane = { readonly epoch: Epoch; readonly route: Route }

/** Lanes that switches hold at once. Frames of members enter by the first. */
export type Lanes = readonly [Lane, ...Lane[]]

/** Frames that are under way when the last switch has gone over have arrived after so long (milliseconds). */
export const drainMs = 500

/**
 * What a network's switches are to hold. `serial` counts its changes: a switch that has confirmed a compile of this serial or
 * a later one is as far as this.
 */
export type Course =
  | { readonly is: 'steady'; readonly serial: number; readonly lane: Lane }
  /** The new lane is being built; nothing enters it. */
  | { readonly is: 'preparing'; readonly serial: number; readonly from: Lane; readonly to: Lane }
  /** Frames enter the new lane, and some are still in the old one. `until`: when the old one may go, once all have gone over. */
  | {
      readonly is: 'draining'
      readonly serial: number
      readonly from: Lane
      readonly to: Lane
      readonly until: number | undefined
    }

export const lanesOf = (course: Course): Lanes => {
  if (course.is === 'steady') return [course.lane]
  return course.is === 'preparing' ? [course.from, course.to] : [course.to, course.from]
}

/** The lane that the network will have when it has come to rest. */
export const goal = (course: Course): Lane => (course.is === 'steady' ? course.lane : course.to)

const other = (epoch: Epoch): Epoch => (epoch === 0 ? 1 : 0)

/**
 * The course towards this route. What may change switch by switch changes in place; while a lane is drained, another
 * change waits for its end.
 */
export function steer(course: Course, wanted: Route, serial: number): Course {
  switch (course.is) {
    case 'steady': {
      const { lane } = course
      if (lane.route === wanted) return course
      if (compatible(lane.route, wanted)) return { ...course, serial, lane: { ...lane, route: wanted } }
      return { is: 'preparing', serial, from: lane, to: { epoch: other(lane.epoch), route: wanted } }
    }
    case 'preparing': {
      // Nothing enters the new lane yet, so it may still become any other; or the old one will do again.
      if (compatible(course.from.route, wanted))
        return { is: 'steady', serial, lane: { ...course.from, route: wanted } }
      return course.to.route === wanted ? course : { ...course, serial, to: { ...course.to, route: wanted } }
    }
    case 'draining':
      if (course.to.route === wanted || !compatible(course.to.route, wanted)) return course
      return { ...course, serial, to: { ...course.to, route: wanted } }
  }
}

/**
 * The next step of a course, when it is due: `confirmed` says whether all switches that can be told have confirmed this serial.
 * Undefined: not yet.
 */
export function advance(
  course: Course,
  { confirmed, now, serial }: { readonly confirmed: boolean; readonly now: number; readonly serial: number },
): Course | undefined {
  switch (course.is) {
    case 'steady':
      return undefined
    case 'preparing':
      return confirmed ? { ...course, is: 'draining', serial, until: undefined } : undefined
    case 'draining':
      if (course.until !== undefined) return now >= course.until ? { is: 'steady', serial, lane: course.to } : undefined
      // Between ports of one switch nothing is under way.
      return confirmed ? { ...course, until: isEmpty(course.from.route) ? now : now + drainMs } : undefined
  }
}

const isEmpty = ({ branches, towards }: Route): boolean => branches.size + towards.size === 0
