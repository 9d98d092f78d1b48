// The shell: joins the store, the switches and the core. Events only mark; what is stale is compiled, and the loops of the
// switches that it touches are set going.

import { randomBytes } from 'node:crypto'
import { type Address, type Credentials, type Log, listen } from '../openflow/session/server.ts'
import { attachmentKey } from '../store/keys.ts'
import { isTooLarge } from '../store/overlay.ts'
import { standardVlanRange } from '../store/vlans.ts'
import type { DatapathId } from '../topology/topology.ts'
import { answers } from './answers.ts'
import { systemClock } from './clock/clock.ts'
import { type Compiled, desiredTables } from './compile/tables.ts'
import { compiling } from './compiling.ts'
import { departures } from './departures.ts'
import type { Facts } from './facts.ts'
import { newFormerMembers } from './former-members.ts'
import { holdingsKeeper } from './holdings-keeper.ts'
import { learnedAddresses } from './learning/learned-addresses.ts'
import { learning } from './learning/learning.ts'
import { macNumber } from './learning/mac.ts'
import { newLimitAlarm } from './limits/limit-status.ts'
import { meterReadings } from './limits/meter-readings.ts'
import { discovery } from './links/discovery.ts'
import { knownFabric } from './links/fabric.ts'
import { usage } from './links/link-usage.ts'
import { vlanKeeper } from './links/plain-links.ts'
import { plannedLinks } from './links/planned-links.ts'
import { knownTunnels } from './links/tunnel-status.ts'
import { watchUnreachable } from './links/unreachable.ts'
import { loops } from './loops/loops.ts'
import { multicast } from './multicast/multicast.ts'
import type { ControllerOptions, Parts } from './parts.ts'
import { proofOfChanges } from './proof-of-changes.ts'
import { readiness } from './readiness.ts'
import { newReconciler } from './reconciler.ts'
import { newRolloutLoop } from './rollout-loop.ts'
import { progressOf } from './status.ts'
import { eventsOf } from './store-events.ts'
import { audit } from './switch/audit.ts'
import { run } from './switch/reconcile.ts'
import { inSlices } from './switch/slices.ts'
import { has, type Lacking, newLacking, type Switch } from './switch/state.ts'
import { switchEvents } from './switch-events.ts'
import { defectOf } from './view/recorded.ts'
import type { Controller } from './view/view.ts'
import { waiting } from './waiters.ts'
import { newWriteTimes } from './write-times.ts'

export type RunningController = Controller & {
  readonly addresses: readonly Address[]
  /** TLS handshakes use these from now on; sessions stay. Throws when they are of no use. */
  renew(credentials: Credentials): void
  /** Closes the sessions; the switches keep their flows. */
  close(): Promise<void>
}

export async function createController(options: ControllerOptions): Promise<RunningController> {
  const { store, metrics, listeners } = options
  if (options.adopt) await store.write(draft => draft.setComplete(true))
  const parts = assemble(options)
  const { compileQueue, fabric, discover } = parts
  const unwatch = follow(parts)
  await inSlices(fabric.remesh())
  compileQueue.mark(store.state().networks.keys())
  // What waits for a smaller mesh waits for a call over REST, which comes after the start.
  if (!isTooLarge(store.state())) await parts.reconciler.fresh()
  const audits = audit(parts.reconciler, parts.switches, Math.random, options.clock ?? systemClock)
  const stop = () => {
    unwatch()
    audits.stop()
    discover.stop()
    parts.rolloutLoop.stop()
    parts.unreachable.stop()
    parts.multicast.stop()
    parts.learner.stop()
    parts.meters.stop()
    parts.readiness.stop()
    parts.loops.stop()
    parts.departures.stop()
    parts.proof?.stop()
  }
  try {
    const events = switchEvents(parts)
    const { limits = {} } = options
    const server = await listen({ listeners, metrics, log: sessionLog(options), events, limits })
    const close = async () => {
      stop()
      await server.close()
    }
    return { ...answers(parts), addresses: server.addresses, renew: server.renew, close }
  } catch (error) {
    stop()
    throw error
  }
}

/** Who is up and who is gone we tell ourselves; why a connection was refused only the server knows. */
const sessionLog = ({ log, emit }: ControllerOptions): Log => ({
  debug: (details, words) => log.debug(details, words),
  info: (details, words) => log.debug(details, words),
  warn(details, words) {
    const { remote, reason } = details as { readonly remote?: string; readonly reason?: string }
    if (remote !== undefined && reason !== undefined) emit({ kind: 'connection-refused', remote, reason })
    else log.debug(details, words)
  },
  error(details, words) {
    const { err } = details as { readonly err?: unknown }
    emit(defectOf('an OpenFlow session', err ?? words))
  },
})

function assemble(options: ControllerOptions): Parts {
  const { store, metrics, emit, clock = systemClock, prove = 'off' } = options
  const { now } = clock
  const switches = new Map<DatapathId, Switch>()
  const lacking = newLacking()
  const notStored = (what: string) => (error: unknown) => emit({ kind: 'not-stored', what, error: String(error) })
  const session = (dpid: DatapathId) => switches.get(dpid)?.session
  const learned = learnedAddresses(now)
  const connected = (dpid: DatapathId) => switches.get(dpid)?.session !== undefined
  const linked = () => [...fabric.current().paths.mesh.keys()]
  const unreachable = watchUnreachable(linked, connected, () => compileQueue.markMesh(), clock)
  const planned = plannedLinks(store.state)
  const tunnels = knownTunnels(now)
  const fabric = knownFabric(store.state, planned, unreachable.dpids)
  const waiters = waiting(clock)

  const withheld = new Map<string, 'leaving' | 'loop'>()
  const look = (id: string) => compileQueue.mark([id])

  const learner = learning({
    learned,
    state: store.state,
    networkOf: number => tables.compiled.get(number)?.network.id,
    session,
    reaches(number, from, to) {
      const partitions = tables.compiled.get(number)?.wanted.partitions ?? []
      const of = (dpid: DatapathId) => partitions.findIndex(partition => partition.has(dpid))
      return of(from) === -1 || of(to) === -1 || of(from) === of(to)
    },
    changed: id => compileQueue.markLearned([id]),
    suspect: (number, at) => looping.suspect(number, at),
    emit,
    clock,
    dropped: metrics.packetInDropped,
  })
  const snooping = multicast({
    state: store.state,
    networkOf: number => tables.compiled.get(number)?.network.id,
    session,
    holds: (number, dpid) => holds(switches.get(dpid), tables.compiled.get(number)),
    changed: ids => compileQueue.markLearned(ids),
    clock,
    dropped: metrics.packetInDropped,
  })
  const tables = desiredTables({
    state: store.state,
    fabric: fabric.current,
    learned: {
      at: (number, mac) => learned.at(number, macNumber(mac)),
      forget: (number, location) => void learned.forget(number, macNumber(location.mac), location),
      takeChanged: learned.takeChanged,
    },
    suppressed: learner.suppressed,
    withheld,
    connected,
    atomic: dpid => session(dpid)?.can.bundles === true,
    unreachable: unreachable.dpids,
    snooped: snooping.of,
    now,
  })
  const range = options.vlanRange ?? standardVlanRange
  const vlans = vlanKeeper({
    ...{ store, tables, range, clock },
    failed: notStored('the VLANs of a network'),
  })
  const holdings = holdingsKeeper({
    ...{ store, tables, released: waiters.wake },
    failed: notStored('what switches may hold'),
  })
  const times = newWriteTimes({
    isConfirmed: (network, number, serial) => isConfirmed(status(), lacking, network, number, serial),
    now: () => performance.now(),
    emit,
  })
  const used = usage(tables)
  const failed = new Map<string, string>()
  const compileQueue = compiling({
    ...{ store, tables, fabric, switches, learner, snooping, used, holdings, times, clock, emit, failed },
    start: sw => start(sw),
    done(networks) {
      rolloutLoop.look()
      vlans.look()
      holdings.look()
      if (networks) waiters.wakeFor(networks)
      else waiters.wake()
    },
  })
  const start = (sw: Switch) => {
    // A failure in it is a defect of ours: it is told as such, and stops nobody else.
    run(reconciler, sw).catch(error => emit(defectOf(`reconciling switch ${sw.dpid}`, error)))
  }
  const status = (): Facts => ({
    state: store.state(),
    switches,
    tables,
    queued: compileQueue.ids,
    failed,
    planned,
    untried: discover.untried,
    datapaths: fabric.current().datapaths,
    vlanRange: range,
    withheldReason: place =>
      withheld.get(place) === 'loop' ? looping.reason(place) : withheld.has(place) ? 'leaving' : undefined,
  })
  const proof = prove === 'off' ? undefined : proofOfChanges({ store, switches, fabric, tables, planned, emit }, prove)
  const reconciler = newReconciler({
    ...{ store, tables, fabric, switches, learner, snooping, clock, metrics, emit, proof },
    start: sw => start(sw),
    recall(dpid, reading) {
      looping.recall(dpid, reading)
      // Numbers of another store's say nothing of our networks: most likely it is the same network, which must not stop for it.
      if (reading.instance !== store.instance) return
      for (const { network, port, vlan } of reading.admitted) leaving.found(network, { dpid, port, vlan })
    },
    recompile: dpid => compileQueue.mark(tables.at(dpid)),
    fresh: () => waiters.until(() => compileQueue.idle() || undefined).then(() => {}),
    progress(sw, numbers) {
      vlans.confirmed(sw)
      holdings.confirmed(sw)
      const networks: string[] = []
      const looked = [...numbers]
      let isOther = false
      for (const number of looked) {
        times.look(number)
        const id = tables.compiled.get(number)?.network.id
        if (id === undefined) isOther = true
        else networks.push(id)
      }
      rolloutLoop.look(looked)
      // What a switch holds for itself concerns all who are on it; a network that is gone has no name any more.
      if (isOther) waiters.wake()
      else waiters.wakeFor(networks)
    },
  })
  const discover = discovery({
    store,
    secret: randomBytes(32),
    now,
    session,
    ready: dpid => isAnswering(switches.get(dpid)),
    carries: link => used.has(link.from),
    bfd: tunnels.bfd,
    plain: fabric.plain,
    planned: planned.at,
    tried: waiters.wake,
    failed: notStored('what probes found'),
    every: clock.every,
  })
  const rolloutLoop = newRolloutLoop({
    ...{ store, tables, compileQueue, switches, clock },
    failed: notStored('the path of a network'),
  })
  const numberOf = (id: string) => store.state().networks.get(id)?.number ?? tables.numberOf(id)
  const leaving = departures({
    ...{ state: store.state, connected, numberOf, withheld, look, clock },
    hasLeft(number, dpid, revision) {
      const compiled = tables.compiled.get(number)
      const sw = switches.get(dpid)
      return !(compiled && compiled.revision < revision) && sw?.dirty.has(number) === false && has(sw, number)
    },
  })
  const looping = loops({
    ...{ state: store.state, session, withheld, look, clock, secret: randomBytes(32) },
    networkOf: number => tables.compiled.get(number)?.network.id,
    listens: dpid => isAnswering(switches.get(dpid)) && fabric.switchFacts(dpid).loopProbes !== undefined,
    tell({ is, id, cut }) {
      const at = { network: id, dpid: cut.dpid, port: cut.port }
      if (is === 'let-in') emit({ kind: 'port-let-in', ...at })
      else emit({ kind: 'port-cut-off', ...at, ...(cut.via && { other: cut.via }), reason: cut.why })
    },
  })
  const limitAlarm = newLimitAlarm(now, ({ dpid, port, vlan, kind }, dropped) => {
    const network = store.state().attachments.get(attachmentKey({ dpid, port, vlan }))?.network
    if (network !== undefined) emit({ kind: 'limit-exceeded', network, dpid, port, limit: kind, dropped })
  })
  const meters = meterReadings({
    *sessions() {
      for (const sw of switches.values()) if (sw.session && isAnswering(sw)) yield sw.session
    },
    ...{ session, clock },
    exceeded(limited, dropped) {
      limitAlarm(limited, dropped)
      const { dpid, port, vlan, kind } = limited
      const network = store.state().attachments.get(attachmentKey({ dpid, port, vlan }))?.network
      const number = network === undefined ? undefined : numberOf(network)
      if (kind === 'broadcast' && number !== undefined) looping.suspect(number, { dpid, port })
    },
  })
  return {
    ...{
      ...options,
      switches,
      lacking,
      fabric,
      tables,
      compileQueue,
      waiting: waiters,
      learner,
      reconciler,
      discover,
      status,
      start,
    },
    formerMembers: newFormerMembers(),
    ...{
      rolloutLoop,
      unreachable,
      multicast: snooping,
      planned,
      tunnels,
      times,
      meters,
      loops: looping,
      departures: leaving,
      proof,
    },
    readiness: readiness(status, clock),
  }
}

/** It has confirmed what every switch holds, and with that the entry by which probes come to us. */
const isAnswering = (sw: Switch | undefined): boolean => has(sw, 0)

/** The switch has confirmed this network as it was compiled last. */
const holds = (sw: Switch | undefined, compiled: Compiled | undefined): boolean =>
  compiled !== undefined && has(sw, compiled.network.number) && !sw!.dirty.has(compiled.network.number)

/** All switches that are, or were, concerned with a network have confirmed a compile of it. */
function isConfirmed(status: Facts, lacking: Lacking, id: string, number: number, serial: number): boolean {
  const { switches, tables } = status
  const compiled = tables.compiled.get(number)
  if (!compiled) return progressOf(status, id)?.state === 'programmed'
  // Those that lack anything first: they are few, and while there is one the others need not be asked.
  for (const sw of lacking.of(number)) if (sw.session && !has(sw, number, serial)) return false
  for (const dpid of compiled.datapaths) if (!has(switches.get(dpid), number, serial)) return false
  return true
}

/** Marks what a commit of the store changes. */
function follow({
  store,
  compileQueue,
  switches,
  planned,
  start,
  emit,
  times,
  departures,
  formerMembers,
  discover,
}: Parts): () => void {
  return store.watch(({ networks, links, nodes, complete, writes }, state) => {
    for (const write of writes) {
      // Before it is compiled: a port must not enter one network before it has left the other.
      departures.written(write, state)
      times.written(write)
      formerMembers.take(write)
      for (const event of eventsOf(write, state)) emit(event)
    }
    compileQueue.mark(networks)
    if (nodes) planned.changed()
    if (links || nodes) {
      compileQueue.markMesh()
      discover.declared()
    }
    if (!complete) return
    for (const sw of switches.values()) {
      if (sw.session) sw.compare = 'asked'
      start(sw)
    }
  })
}
