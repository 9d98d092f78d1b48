// How a network goes from one route to another without losing a frame: the new ways are built under the other epoch beside the
// old ones, then frames are let in there, and when the last of the old ones have arrived, the old ways go. Pure.
import { vid } from '../../openflow/index.ts'
import type { Network } from '../../store/state.ts'
import { compatible, directId, type Route } from '../../topology/route.ts'
import type { Epoch } from './cookie.ts'
import type { FlowItem, Item } from './item.ts'
import { metadata, pipeline } from './pipeline.ts'

/** A route, and how frames on it are marked (metadata bit 33, VNI bit 23). */
export type PathVersion = {
  readonly epoch: Epoch
  readonly route: Route
  /** It was in use when we were ended, and we know it only by what the switches hold: that stays as it is until it goes. */
  readonly frozen?: true
}

/** Path versions that switches hold at once. Frames of members enter by the first. */
export type PathVersions = readonly [PathVersion, ...PathVersion[]]

/**
 * Frames that are under way when the last switch has gone over have arrived after so long (milliseconds). Most of it is meant for
 * Open vSwitch's caches, which follow a barrier's answer some time later (docs/decisions/0014).
 */
export const drainMs = 1000
/** A switch that does not confirm for so long (milliseconds) that it has gone over is waited for no more, unless its frames get through meanwhile. */
const goneOverMs = 3000

/**
 * What a network's switches are to hold. `serial` counts its changes: a switch that has confirmed a compile of this serial or
 * a later one is as far as this.
 */
export type Rollout =
  | { readonly is: 'steady'; readonly serial: number; readonly pathVersion: PathVersion }
  /** The new path version is being built; nothing enters it. */
  | { readonly is: 'preparing'; readonly serial: number; readonly from: PathVersion; readonly to: PathVersion }
  /** Frames enter the new path version (since `entered`), and some are still in the old one. `until`: when that may go, once all have gone over. */
  | {
      readonly is: 'draining'
      readonly serial: number
      readonly from: PathVersion
      readonly to: PathVersion
      readonly entered: number
      readonly until: number | undefined
    }

export const pathVersionsOf = (rollout: Rollout): PathVersions => {
  if (rollout.is === 'steady') return [rollout.pathVersion]
  return rollout.is === 'preparing' ? [rollout.from, rollout.to] : [rollout.to, rollout.from]
}

/** The path version by which frames go: on which the network depends. */
export const inUse = (rollout: Rollout): PathVersion => {
  if (rollout.is === 'steady') return rollout.pathVersion
  return rollout.is === 'preparing' ? rollout.from : rollout.to
}

/** The path version that the network will have when it has come to rest. */
export const goal = (rollout: Rollout): PathVersion => (rollout.is === 'steady' ? rollout.pathVersion : rollout.to)

export const otherEpoch = (epoch: Epoch): Epoch => (epoch === 0 ? 1 : 0)

const unknownRoute: Route = {
  id: '',
  direct: true,
  floodTree: new Map(),
  nextHops: new Map(),
  egressPorts: new Map(),
  ingressPorts: new Map(),
  partitions: [],
}

/** Where a network stands that we have not seen yet: at rest, or where an earlier run of ours has left it. */
export function begin(
  { epoch = 0, target, way = directId }: Network,
  wanted: Route,
  serial: number,
  now: number,
): Rollout {
  const frozen = (epoch: Epoch): PathVersion => ({ epoch, route: { ...unknownRoute, id: way }, frozen: true })
  const pathVersion = way === wanted.id ? { epoch, route: wanted } : frozen(epoch)
  if (target === undefined) return { is: 'steady', serial, pathVersion }
  if (target !== epoch) return { is: 'preparing', serial, from: pathVersion, to: { epoch: target, route: wanted } }
  return { is: 'draining', serial, from: frozen(otherEpoch(epoch)), to: pathVersion, entered: now, until: undefined }
}

/**
 * The rollout towards this route. What may change switch by switch changes in place; while a path version is drained, another
 * change waits for its end.
 * @param target The epoch that may be built: it is on disk that it will be. Without it the network stays at rest as it is.
 */
export function steer(rollout: Rollout, wanted: Route, target: Epoch | undefined, serial: number): Rollout {
  switch (rollout.is) {
    case 'steady': {
      const { pathVersion } = rollout
      if (pathVersion.route === wanted) return rollout
      if (mixes(pathVersion, wanted)) return { ...rollout, serial, pathVersion: { ...pathVersion, route: wanted } }
      if (target !== otherEpoch(pathVersion.epoch)) return rollout
      return { is: 'preparing', serial, from: pathVersion, to: { epoch: target, route: wanted } }
    }
    case 'preparing': {
      const { from, to } = rollout
      // Nothing enters the new path version yet, so it may still become any other; or the old one will do again.
      if (mixes(from, wanted)) return { is: 'steady', serial, pathVersion: { ...from, route: wanted } }
      return to.route === wanted ? rollout : { ...rollout, serial, to: { ...to, route: wanted } }
    }
    case 'draining':
      if (rollout.to.route === wanted || !mixes(rollout.to, wanted)) return rollout
      return { ...rollout, serial, to: { ...rollout.to, route: wanted } }
  }
}

const mixes = ({ route, frozen }: PathVersion, wanted: Route): boolean => !frozen && compatible(route, wanted)

/** What a store keeps of a network's path versions. */
export type Kept = Pick<Network, 'epoch' | 'target' | 'way'>

/**
 * What is to be on disk before switches are told of the next step.
 * @param entering Frames are about to enter the path version that was being built.
 */
export function persisted(rollout: Rollout, wanted: Route, entering = false): Kept {
  const { epoch, route } = rollout.is === 'preparing' && !entering ? rollout.from : goal(rollout)
  const waits = rollout.is === 'steady' && route !== wanted
  const target = rollout.is === 'steady' ? (waits ? otherEpoch(epoch) : undefined) : rollout.to.epoch
  return {
    ...(epoch !== 0 && { epoch }),
    ...(target !== undefined && { target }),
    ...(route.id !== directId && { way: route.id }),
  }
}
export const keeps = (a: Kept, b: Kept): boolean =>
  (a.epoch ?? 0) === (b.epoch ?? 0) && a.target === b.target && a.way === b.way

/**
 * Whether the switches that matter for the next step have confirmed the last one. `waits`: one of them has not, because it is not
 * connected, not read yet or slow, and frames get through meanwhile.
 */
export type Confirmation = 'confirmed' | 'pending' | 'waits'

/**
 * The next step of a rollout, when it is due. Undefined: not yet.
 * @param now Milliseconds of a monotonic clock.
 */
export function advance(
  rollout: Rollout,
  { confirmation, now, serial }: { readonly confirmation: Confirmation; readonly now: number; readonly serial: number },
): Rollout | undefined {
  switch (rollout.is) {
    case 'steady':
      return undefined
    case 'preparing':
      return confirmation === 'confirmed'
        ? { ...rollout, is: 'draining', serial, entered: now, until: undefined }
        : undefined
    case 'draining': {
      const { until, entered, from, to } = rollout
      if (until !== undefined) return now >= until ? { is: 'steady', serial, pathVersion: to } : undefined
      if (confirmation === 'waits' || (confirmation === 'pending' && now < entered + goneOverMs)) return undefined
      // Between ports of one switch nothing is under way.
      return { ...rollout, until: !from.frozen && isEmpty(from.route) ? now : now + drainMs }
    }
  }
}

const isEmpty = ({ floodTree, nextHops }: Route): boolean => floodTree.size + nextHops.size === 0

/** When a rollout is to be looked at again, if nothing happens before. */
export const due = (rollout: Rollout): number | undefined =>
  rollout.is === 'draining' ? (rollout.until ?? rollout.entered + goneOverMs) : undefined

/**
 * Whose path version an item of ours serves; undefined: both, or none.
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

/** What enters a vlink is given a VNI in the first table, and so is in a path version from there on. */
function markedBy({ instructions }: FlowItem): Epoch | undefined {
  for (const i of instructions)
    for (const action of i.type === 'apply_actions' ? i.actions : [])
      if (action.type === 'set_field' && action.field === 'tunnel_id' && typeof action.value === 'bigint')
        return action.value >> 23n ? 1 : 0
  return undefined
}
