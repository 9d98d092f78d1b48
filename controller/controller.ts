// The shell: joins the store, the switches and the core. Events only mark; `look` compiles what is stale and sets the
// switches' loops going.
import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import { type FlowRemoved, formatFlow, formatGroup, type PacketIn } from '../openflow/index.ts'
import { listen } from '../openflow/server.ts'
import type { Session } from '../openflow/session.ts'
import type { Store } from '../store/store.ts'
import type { DatapathId } from '../topology/topology.ts'
import { audit } from './audit.ts'
import { base } from './compile.ts'
import type { Reading } from './content.ts'
import { owner } from './cookie.ts'
import { discovery } from './discover.ts'
import { knownFabric } from './fabric.ts'
import type { FlowItem, Item } from './item.ts'
import { learnedAddresses } from './learn.ts'
import { learning } from './learning.ts'
import { pipeline } from './pipeline.ts'
import { type Log, newSwitch, type Reconciler, run, type Switch } from './reconcile.ts'
import { slices } from './slices.ts'
import { linkViews, progressOf, readiness, type Status, switchView } from './status.ts'
import { desiredTables } from './tables.ts'
import type { Controller, Record as Counts, Progress } from './view.ts'

export type ControllerOptions = {
  readonly store: Store
  readonly listeners: readonly { readonly host: string; readonly port: number }[]
  readonly record: Counts
  readonly log: Log
  /** The store is all there is: switches that hold another store's flows may be cleaned. */
  readonly adopt?: boolean
  /** Flows and groups that are not ours are removed from every switch that connects. */
  readonly takeover?: boolean
}

export type RunningController = Controller & {
  readonly addresses: readonly { readonly host: string; readonly port: number }[]
  /** Closes the sessions; the switches keep their flows. */
  close(): Promise<void>
}

/** Ports that come and go make us compile at most this often (milliseconds). */
const portsSettleMs = 100

export async function createController(options: ControllerOptions): Promise<RunningController> {
  const { store, record, log } = options
  if (options.adopt) await store.write(draft => draft.setComplete(true))
  const now = () => performance.now()
  const switches = new Map<DatapathId, Switch>()
  const learned = learnedAddresses()
  const fabric = knownFabric(store.state)
  const session = (dpid: DatapathId) => switches.get(dpid)?.session
  const stale = new Set<string>()
  const waiting = new Set<() => void>()
  /** When a network was last written, until its switches have it: milliseconds. */
  const accepted = new Map<string, number>()

  const learner = learning({
    learned,
    state: store.state,
    networkOf: number => tables.compiled.get(number)?.network.id,
    session,
    changed: id => mark([id]),
    now,
    dropped: record.packetInDropped,
  })
  const tables = desiredTables({
    state: store.state,
    fabric: fabric.current,
    learned(network, attachments) {
      const here = new Set(attachments.filter(a => a.guard === 'learn').map(a => `${a.dpid}/${a.port}`))
      learned.prune(network.number, l => here.has(`${l.dpid}/${l.port}`))
      return learned.of(network.number)
    },
    hushed: learner.hushed,
  })
  const status = (): Status => ({ state: store.state(), switches, mesh: fabric.current().mesh, tables, stale })

  let looking = false
  let lookAgainAt = 0
  let settling: NodeJS.Timeout | undefined
  const fresh = () =>
    new Promise<void>(resolve => {
      const check = () => {
        if (looking) return
        waiting.delete(check)
        resolve()
      }
      waiting.add(check)
      check()
    })
  const mark = (ids: Iterable<string>, settleMs = 0) => {
    for (const id of ids) stale.add(id)
    if (stale.size === 0) return
    if (settling && settleMs === 0) {
      clearTimeout(settling)
      settling = undefined
      setImmediate(look)
    }
    if (looking) return
    looking = true
    const pause = settleMs > 0 ? Math.max(0, lookAgainAt - now()) : 0
    lookAgainAt = now() + pause + settleMs
    if (pause > 0) settling = setTimeout(look, pause)
    else setImmediate(look)
  }
  const look = async () => {
    settling = undefined
    const slice = slices()
    const touched = new Set<Switch>()
    const began = now()
    while (stale.size > 0) {
      for (const id of stale) {
        stale.delete(id)
        for (const { number, dpids } of tables.refresh(id)) {
          if (!tables.compiled.has(number)) learned.prune(number, () => false)
          for (const dpid of dpids) {
            const sw = switches.get(dpid)
            if (!sw) continue
            sw.dirty.add(number)
            touched.add(sw)
          }
        }
        await slice()
      }
    }
    looking = false
    record.compiled((now() - began) / 1000)
    for (const sw of touched) start(sw)
    wake()
  }
  /** Sets a switch's loop going; a failure in it is a defect of ours, is told as such, and stops nobody else. */
  const start = (sw: Switch) => {
    run(reconciler, sw).catch(error => log.error({ dpid: sw.dpid, err: error }, 'reconciling failed'))
  }
  const remesh = () => {
    if (fabric.remesh()) mark(store.state().networks.keys(), portsSettleMs)
  }
  const wake = () => {
    for (const again of waiting) again()
  }

  const reconciler: Reconciler = {
    instance: store.instance,
    base: base(store.instance),
    complete: () => store.state().complete,
    compiled: () => tables.compiled,
    learnt: (sw, reading) => takeLearned(sw, reading),
    awaited: (dpid, flow) => isAwaited(dpid, flow),
    fresh,
    progress(_sw, numbers) {
      for (const number of numbers) {
        const id = tables.compiled.get(number)?.network.id
        const since = id === undefined ? undefined : accepted.get(id)
        if (id === undefined || since === undefined || progressOf(status(), id)?.state !== 'programmed') continue
        accepted.delete(id)
        record.programmed((now() - since) / 1000)
      }
      wake()
    },
    later(sw, again) {
      sw.retries += 1
      const pause = Math.min(60_000, 500 * 2 ** sw.retries) * (0.75 + Math.random() / 2)
      setTimeout(again, pause).unref()
    },
    record,
    log,
  }
  /** What a switch has learned is what its flows say, after a restart of ours as after one of its own. */
  const takeLearned = (sw: Switch, reading: Reading) => {
    const changed = new Set<number>()
    const found = new Set(reading.learned.map(l => `${l.network} ${l.mac} ${l.port}`))
    for (const number of [...learned.networks()])
      if (learned.prune(number, l => l.dpid !== sw.dpid || found.has(`${number} ${l.mac} ${l.port}`)))
        changed.add(number)
    for (const { network, ...at } of reading.learned)
      if (tables.compiled.has(network) && learned.claim(network, at) === 'new') changed.add(network)
    const hushed = new Set(reading.hushed.map(port => `${sw.dpid}/${port}`))
    for (const place of learner.hushed) if (place.startsWith(`${sw.dpid}/`)) learner.hushed.delete(place)
    for (const place of hushed) learner.hushed.add(place)
    const ids = [...changed].flatMap(number => tables.compiled.get(number)?.network.id ?? [])
    // Others keep what leads to an address learned here until this switch has been read: now they look again.
    mark([...ids, ...(sw.seen ? [] : tables.at(sw.dpid))])
  }
  const isAwaited = (dpid: DatapathId, flow: FlowItem): boolean => {
    if (flow.tableId !== pipeline.deliver.id || owner(flow.cookie).is !== 'learned') return false
    const outputs = flow.instructions.flatMap(i => (i.type === 'apply_actions' ? i.actions : []))
    const port = outputs.flatMap(a => (a.type === 'output' ? [a.port] : []))[0]
    for (const [peer, link] of fabric.current().mesh.get(dpid) ?? [])
      if (link === port) return switches.get(peer)?.seen !== true
    return false
  }

  const discover = discovery({
    store,
    secret: randomBytes(32),
    now,
    session,
    failed: error => log.warn({ error: String(error) }, 'a discovered link could not be stored; it is tried again'),
  })
  const looked = (s: Session, everything: boolean) => {
    const ports = fabric.ports(s)
    discover.ports(s)
    remesh()
    const state = store.state()
    const ids = everything
      ? tables.at(s.dpid)
      : ports.flatMap(p => state.attachments.get(`${s.dpid}/${p}`)?.network ?? mirroredAt(s.dpid, p))
    mark(ids, everything ? 0 : portsSettleMs)
  }
  const mirroredAt = (dpid: DatapathId, port: number): string[] =>
    [...tables.at(dpid)].filter(id => {
      const mirror = store.state().networks.get(id)?.mirror
      return mirror?.dpid === dpid && mirror.port === port
    })

  const unwatch = store.watch(changed => {
    for (const id of changed.networks) accepted.set(id, now())
    mark(changed.networks)
    if (changed.links) remesh()
    if (changed.complete)
      for (const sw of switches.values()) {
        if (sw.session) sw.compare = 'asked'
        start(sw)
      }
  })
  remesh()
  mark(store.state().networks.keys())
  await fresh()

  const server = await listen({
    listeners: options.listeners,
    record,
    // Who is up and who is gone we say ourselves; why a connection was refused only the server knows.
    log: {
      info: (f, words) => log.debug(f, words),
      warn: (f, words) => log.warn(f, words),
      error: (f, words) => log.error(f, words),
    },
    events: {
      up(s) {
        const sw = switches.get(s.dpid) ?? newSwitch(s.dpid)
        switches.set(s.dpid, sw)
        sw.session = s
        sw.standing = { is: 'comparing' }
        sw.compare = 'connected'
        sw.pausing = false
        sw.retries = 0
        sw.takeover ||= options.takeover === true
        sw.confirmed.clear()
        sw.refused.clear()
        log.info({ dpid: s.dpid, remote: s.remote, switch: s.description.swDesc }, 'switch connected')
        looked(s, true)
        start(sw)
      },
      down(s, reason) {
        const sw = switches.get(s.dpid)
        if (sw?.session !== s) return
        sw.session = undefined
        sw.standing = { is: 'disconnected', reason }
        discover.gone(s.dpid)
        log.warn({ dpid: s.dpid, reason }, 'switch disconnected; its flows stay')
        wake()
      },
      portStatus: s => looked(s, false),
      packetIn(s: Session, message: PacketIn) {
        record.packetIn(message.reason)
        const sw = switches.get(s.dpid)
        if (sw?.session !== s) return
        const whose = owner(message.cookie)
        if (whose.is === 'base') discover.heard(s, message)
        else learner.packetIn(sw, message)
      },
      flowRemoved(s: Session, message: FlowRemoved) {
        const sw = switches.get(s.dpid)
        if (sw?.session === s) learner.flowRemoved(sw, message)
      },
    },
  })
  const audits = audit(reconciler, switches, Math.random)

  const settled = (id: string, revision: number, timeoutMs: number, about?: string): Promise<Progress> =>
    new Promise(resolve => {
      const answer = () => progressOf(status(), id, about, revision) ?? { state: 'programmed' as const, revision }
      const done = (progress: Progress) => {
        clearTimeout(timer)
        waiting.delete(check)
        resolve(progress)
      }
      const check = () => {
        const progress = answer()
        if (progress.state === 'programmed') done(progress)
      }
      const timer = setTimeout(() => done(answer()), timeoutMs)
      waiting.add(check)
      check()
    })

  return {
    addresses: server.addresses,
    switches: () =>
      [...switches.values()]
        .sort((a, b) => (a.dpid < b.dpid ? -1 : 1))
        .map(sw => switchView(status(), sw, reconciler.base)),
    links: () => linkViews(status(), discover.alive),
    network: id => progressOf(status(), id),
    attachment(key) {
      const attachment = store.state().attachments.get(key)
      return attachment && progressOf(status(), attachment.network, key)
    },
    settled,
    async takeover(dpid) {
      const sw = switches.get(dpid)
      if (!sw?.session) return { refused: `switch ${dpid} is not connected` }
      const removed = sw.standing.is === 'unsafe' ? sw.standing.foreign.map(describe) : []
      sw.takeover = true
      sw.compare = 'asked'
      log.warn({ dpid, removed: removed.length }, 'switch is taken over')
      start(sw)
      return { removed }
    },
    ready: () => readiness(status()),
    async close() {
      unwatch()
      audits.stop()
      discover.stop()
      await server.close()
    },
  }
}

const describe = (item: Item): string => {
  if (item.kind === 'flow') return formatFlow(item)
  if (item.kind === 'group') return formatGroup({ groupId: item.id, groupType: item.groupType, buckets: item.buckets })
  return `meter=${item.id}`
}
