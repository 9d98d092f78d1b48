// A mesh of real switches, a store, a controller and raw frames, as one object that is gone after its test. Tests ask
// the network, not the controller: who received what, how often.

import { createController, type RunningController } from '../../controller/controller.ts'
import type { Prove } from '../../controller/switch/reconciler.ts'
import type { Recorded } from '../../controller/view/recorded.ts'
import type { Progress } from '../../controller/view/view.ts'
import { broadcast, probe } from '../../lab/frame.ts'
import { type Frames, openFrames, type ReachOptions, type Station, type Stream } from '../../lab/frames.ts'
import { type Mesh, type MeshOptions, makeMesh } from '../../lab/mesh.ts'
import type { Node } from '../../lab/node.ts'
import type { Pod } from '../../lab/pod.ts'
import { type AttachmentSpec, attach, detach, putNetwork } from '../../store/desired.ts'
import type { Draft } from '../../store/draft.ts'
import { openMemory } from '../../store/memory.ts'
import { isRefusal, type Refusal } from '../../store/refusals.ts'
import type { Store } from '../../store/store.ts'
import type { VlanRange } from '../../store/vlans.ts'
import { type Counts, counting, type Line, until } from '../controller/watching.ts'
import { type Model, openPlain, type Plain } from '../plain/proxy.ts'

export type StageOptions = Omit<MeshOptions, 'controllerPorts' | 'signals'> & {
  /** Opens the store of each controller. Default: one store in memory for all of them. */
  readonly open?: () => Promise<Store>
  readonly takeover?: boolean
  readonly adopt?: boolean
  /** Whether changes are proved before they are sent. */
  readonly prove?: Prove
  /** VLANs for plain links. */
  readonly vlanRange?: VlanRange
  /** False: no controller yet. */
  readonly start?: boolean
  /** Nodes that show themselves to the controller as plain OpenFlow 1.3 switches. The test fails if one is told an extension. */
  readonly plain?: Readonly<Record<number, Model>>
}

export type Stage = {
  readonly mesh: Mesh
  /** What stands between the controller and a node that is a plain switch. */
  plain(node: number): Plain
  readonly frames: Frames
  /** The running controller, its store, what it counted and what it logged. */
  readonly controller: RunningController
  readonly store: Store
  readonly counts: Counts
  readonly log: readonly Line[]
  readonly events: readonly Recorded[]
  pod(node: number, port: number): Pod
  /** A further pod, whose frames are counted too. */
  addPod: Mesh['addPod']
  removePod(pod: Pod): Promise<void>
  /** Asks the store as a client would; throws what it refuses. */
  ask<T>(decide: (draft: Draft) => T | Refusal): Promise<T>
  /** Makes the network if there is none, and attaches these pods: with their MACs, or `learn`ing them. Waits until all switches have it. */
  join(network: string, pods: readonly Pod[], how?: 'pinned' | 'learn'): Promise<void>
  leave(network: string, pods: readonly Pod[]): Promise<void>
  attach(wish: AttachmentSpec, how?: { readonly move: boolean }): Promise<void>
  /** Where the network stands after at most 10 s, or when all switches have it. */
  settled(network: string): Promise<Progress>
  /** Waits until all switches have the network; throws what is missing after 10 s. */
  programmed(network: string): Promise<void>
  /** Waits until no switch holds anything of a network that was deleted. */
  forgotten(network: string): Promise<void>
  /** Throws unless three pings in a row are answered. */
  ping(from: Pod, to: Pod): Promise<void>
  /** Ends the controller; the switches keep their flows. */
  stop(): Promise<void>
  /** Starts a controller, and waits until it has compared every switch and knows every link. */
  start(options?: Pick<StageOptions, 'takeover' | 'adopt' | 'open'>): Promise<void>
  /** As `start`, without waiting; with `reconnect: false` the switches find out by themselves. */
  launch(options?: Pick<StageOptions, 'takeover' | 'adopt' | 'open'> & { readonly reconnect?: boolean }): Promise<void>
  /** Resolves when every switch is live and every link is known. */
  live(): Promise<void>
}

export const openflowPort = 6653

/** Whose end is also the stage's: a tap test is one. */
export type Scope = {
  setTimeout(ms: number): unknown
  /** `end` runs when it is over; what was said last runs first. */
  teardown(end: () => unknown): unknown
}

type Running = {
  readonly controller: RunningController
  readonly store: Store
  readonly watched: ReturnType<typeof counting>
}

export async function makeStage(t: Scope, options: StageOptions): Promise<Stage> {
  const { open, takeover, adopt, prove, start: starts = true, plain = {}, vlanRange, ...meshOptions } = options
  t.setTimeout(120_000)
  const mesh = await makeMesh({ ...meshOptions, controllerPorts: [openflowPort] })
  t.teardown(() => mesh.close())
  const frames = await openFrames(mesh.pods())
  t.teardown(() => frames.close())
  const plains = await disguise(t, mesh, plain)
  const memory = openMemory()
  let running: Running | undefined
  const now = (): Running => {
    if (!running) throw new Error('no controller runs on this stage')
    return running
  }
  const stop = async () => {
    const ended = running
    running = undefined
    await ended?.controller.close()
    if (ended && ended.store !== memory) await ended.store.close()
  }
  t.teardown(stop)
  const launch: Stage['launch'] = async (given = {}) => {
    const chosen = { open, takeover, adopt, ...given }
    const store = (await chosen.open?.()) ?? memory
    const watched = counting()
    const controller = await createController({
      store,
      listeners: [{ host: mesh.ctl.address, port: openflowPort }],
      metrics: watched.record,
      log: watched.log,
      emit: watched.emit,
      vlanRange,
      adopt: chosen.adopt === true,
      takeover: chosen.takeover === true,
      ...(prove && { prove }),
    })
    running = { controller, store, watched }
    // Their back-off is up to 8 s.
    if (given.reconnect !== false) await Promise.all(mesh.nodes.map(node => node.reconnect()))
  }
  const live = async () => {
    const links = mesh.nodes.reduce((sum, node) => sum + node.links.size, 0)
    const lately = () =>
      `\n${now()
        .watched.lines.slice(-10)
        .map(line => JSON.stringify(line))
        .join('\n')}`
    const isLive = () => {
      const switches = now().controller.switches()
      return switches.length >= mesh.nodes.length && switches.every(sw => sw.state === 'live')
    }
    await until('every switch is live', isLive, { why: lately })
    const { state } = now().store
    const known = () => state().discoveredLinks.size + state().declaredLinks.size
    await until(`all ${links} links are known`, () => known() >= links, { why: () => `: ${known()} are` })
  }
  const ask: Stage['ask'] = async decide => {
    const answer = await now().store.write(decide)
    if (isRefusal(answer)) throw new Error(answer.detail)
    return answer
  }
  const settled = (network: string) =>
    now().controller.settled(network, now().store.state().networks.get(network)?.revision ?? 0, 10_000)
  const programmed = async (network: string) => {
    const progress = await settled(network)
    if (progress.state !== 'programmed') throw new Error(`network ${network} is ${progress.state}: ${progress.reason}`)
    await cachesFollow()
  }
  const stage: Stage = {
    mesh,
    frames,
    plain(node) {
      const found = plains.get(node)
      if (!found) throw new Error(`node ${node} is no plain switch`)
      return found
    },
    get controller() {
      return now().controller
    },
    get store() {
      return now().store
    },
    get counts() {
      return now().watched.counts
    },
    get log() {
      return now().watched.lines
    },
    get events() {
      return now().watched.events
    },
    pod(node, port) {
      const found = mesh.pods().find(pod => pod.node === node && pod.port === port)
      if (!found) throw new Error(`no pod on port ${port} of node ${node}`)
      return found
    },
    async addPod(node, spec) {
      const pod = await mesh.addPod(node, spec)
      await frames.open(pod)
      return pod
    },
    ask,
    async removePod(pod) {
      await frames.shut(pod)
      await mesh.removePod(pod)
    },
    async attach(wish, how) {
      await ask(draft => attach(draft, wish, how))
    },
    async join(network, pods, how = 'pinned') {
      await ask(draft => {
        const put = putNetwork(draft, network)
        if (isRefusal(put)) return put
        for (const pod of pods) {
          const attached = attach(draft, wish(mesh, network, pod, how))
          if (isRefusal(attached)) return attached
        }
        return put
      })
      await programmed(network)
    },
    async leave(network, pods) {
      await ask(draft => {
        for (const pod of pods) {
          const detached = detach(draft, network, mesh.node(pod.node).dpid, pod.port)
          if (isRefusal(detached)) return detached
        }
        return undefined
      })
      await programmed(network)
    },
    settled,
    programmed,
    async forgotten(network) {
      const progress = await now().controller.settled(network, now().store.state().revision, 10_000)
      if (progress.state !== 'programmed') throw new Error(`network ${network} is not gone: ${progress.reason}`)
      await cachesFollow()
    },
    ping: (from, to) => ping(mesh, from, to),
    stop,
    launch,
    live,
    async start(given) {
      await launch(given)
      await live()
    },
  }
  if (starts) await stage.start()
  return stage
}

/** Puts a proxy between the controller and each of these nodes. */
async function disguise(t: Scope, mesh: Mesh, models: Readonly<Record<number, Model>>): Promise<Map<number, Plain>> {
  const plains = new Map<number, Plain>()
  for (const [number, model] of Object.entries(models)) {
    const plain = await openPlain(mesh.ctl.address, openflowPort, model)
    t.teardown(async () => {
      await plain.close()
      if (plain.violations.length > 0)
        throw new Error(`node ${number} has no extensions, and was told ${[...new Set(plain.violations)].join('; ')}`)
    })
    await mesh.node(Number(number)).connect([`tcp:${mesh.ctl.address}:${plain.port}`])
    plains.set(Number(number), plain)
  }
  return plains
}

/**
 * Open vSwitch answers a barrier before its datapath's caches have followed: seen once in hundreds of changes, a frame
 * that came through some milliseconds after the answer.
 */
const cachesFollow = () => new Promise<void>(resolve => setTimeout(resolve, 100))

export const wish = (mesh: Mesh, network: string, pod: Pod, how: 'pinned' | 'learn'): AttachmentSpec => ({
  network,
  dpid: mesh.node(pod.node).dpid,
  port: pod.port,
  ...(how === 'pinned' ? { mac: pod.mac } : {}),
})

async function ping(mesh: Mesh, from: Pod, to: Pod): Promise<void> {
  const address = to.ips[0]!.split('/')[0]!
  await mesh.exec(from, 'ping', '-q', '-c', '3', '-i', '0.05', '-w', '5', address)
}

/** Countable frames, 1,000 a second, from one pod to another, or (without one) to all. */
export const streamTo = (stage: Stage, from: Pod, to: Pod | undefined, seconds: number, pps = 1000): Promise<Stream> =>
  stage.frames.stream(from, counted => probe({ dst: to?.mac ?? broadcast, src: from.mac }, counted), { pps, seconds })

/** Who received a broadcast of whom, how often, after one from each: pods that received none are left out. */
export async function hearing(
  stage: Stage,
  stations: readonly Station[],
  options: ReachOptions = {},
): Promise<Record<string, Record<string, number>>> {
  const { times } = await stage.frames.reach(stations, options)
  const heardBy = (from: Station) =>
    stations.flatMap(at => (times(from, at) > 0 ? [[at.name, times(from, at)] as const] : []))
  return Object.fromEntries(stations.map(from => [from.name, Object.fromEntries(heardBy(from))]))
}

/** What `hearing` answers when each of these groups hears its own, once, and nobody else; whoever is in none is alone. */
export function apart(
  stations: readonly Station[],
  ...groups: readonly (readonly Station[])[]
): Record<string, Record<string, number>> {
  const others = (from: Station) =>
    stations.filter(at => at !== from && groups.some(group => group.includes(from) && group.includes(at)))
  return Object.fromEntries(
    stations.map(from => [from.name, Object.fromEntries(others(from).map(({ name }) => [name, 1]))]),
  )
}

/** What a switch holds, flows without their counts, as ovs-ofctl prints it, in order. */
export const holdings = async (node: Node): Promise<string[]> =>
  [...(await node.dumpFlows()).map(withoutCounts), ...(await node.dumpGroups())].sort()

export const withoutCounts = (flow: string): string =>
  flow.replace(/ (duration|n_packets|n_bytes|idle_age|hard_age)=[^ ]+/g, '')

/** Seconds that each flow of the mesh has been there, by switch and flow. */
export async function ages(mesh: Mesh): Promise<ReadonlyMap<string, number>> {
  const dumps = await Promise.all(mesh.nodes.map(async node => [node, await node.dumpFlows()] as const))
  const age = (flow: string) => Number(/duration=([\d.]+)s/.exec(flow)?.[1])
  return new Map(
    dumps.flatMap(([node, flows]) => flows.map(flow => [`${node.name} ${withoutCounts(flow)}`, age(flow)] as const)),
  )
}

/** The flows of `before` that are gone, or not older, in `after`. */
export const touched = (before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): readonly string[] =>
  [...before].flatMap(([flow, age]) => ((after.get(flow) ?? 0) > age ? [] : [flow]))
