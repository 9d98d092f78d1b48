import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { Event } from '../controller/view/event.ts'
import { eventMetrics, type Sample } from '../controller/view/event-metrics.ts'
import { severityOf } from '../controller/view/recorded.ts'
import type { Controller, Record } from '../controller/view/view.ts'
import type { Store, StoreRecord } from '../store/store.ts'
import type { Dropped } from './http/connections.ts'
import { createShared } from './http/shared.ts'
import { inSlices } from './http/slices.ts'

/** What Prometheus reads. Labels never carry a MAC, an IP or a pod: their number must not grow with the traffic. */
export type Metrics = {
  readonly registry: Registry
  /** What the controller counts. */
  readonly record: Record
  /** Counts an event, and what is measured of it (controller/view/event-metrics.ts). */
  observe(event: Event): void
  /** What the store counts. */
  readonly storeRecord: StoreRecord
  /** A request was answered. `route` is the pattern, not the path. */
  request(method: string, route: string, status: number, seconds: number): void
  /** A connection of HTTP was closed by us before its client closed it. */
  dropped(why: Dropped): void
  /** How many connections of HTTP there are, asked at each scrape. */
  connections(count: () => number): void
  /** When the certificate in use ends. */
  certificateEnds(use: string, ends: Date): void
  /** The text of /metrics: what is counted, and what stands in the controller and the store right now. */
  scrape(store: Store, controller: Controller): Promise<string>
}

const fast = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** Milliseconds between the ticks whose lateness is measured. */
const resolution = 10

/**
 * Metrics of prom-client that we leave out: those that are called counters and are none, and those that begin anew with each scrape,
 * so that two who scrape take them from each other.
 */
const unwanted = [
  ...['handles', 'requests', 'resources'].map(what => `nodejs_active_${what}_total`),
  ...['', 'min_', 'max_', 'mean_', 'stddev_', 'p50_', 'p90_', 'p99_'].map(
    which => `nodejs_eventloop_lag_${which}seconds`,
  ),
]

/** Milliseconds that one window of the measurement takes; two are looked at, the current one and the one before. */
const window = 30_000

/** How late timers are, in seconds: the same for whoever asks, however often. */
const createLag = (): (() => { readonly [statistic: string]: number }) => {
  const lag = monitorEventLoopDelay({ resolution })
  lag.enable()
  const now = () => ({ p50: lateness(lag.percentile(50)), p99: lateness(lag.percentile(99)), max: lateness(lag.max) })
  let before = now()
  setInterval(() => {
    before = now()
    lag.reset()
  }, window).unref()
  return () => {
    const { p50, p99, max } = now()
    return { p50: Math.max(p50, before.p50), p99: Math.max(p99, before.p99), max: Math.max(max, before.max) }
  }
}

/** Seconds that a tick came late, from the nanoseconds between two of them; 0 while nothing was measured. */
const lateness = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e9 - resolution / 1000) || 0

export const createMetrics = (build: { readonly version: string }): Metrics => {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  for (const name of unwanted) registry.removeSingleMetric(name)
  const counters = createCounters(registry)
  const gauges = createGauges(registry)
  const observe = observer(registry)
  const { record, flush } = recordOf(counters)
  gauges.build.set({ version: build.version, node: process.version }, 1)
  let countConnections = () => 0
  const lag = createLag()
  const shared = createShared()

  return {
    registry,
    record,
    observe,
    storeRecord: {
      commit: (_writes, seconds) => counters.commits.observe(seconds),
      failure: code => counters.commitFailures.inc({ code }),
    },
    request: (method, route, status, seconds) => counters.requests.observe({ method, route, status }, seconds),
    dropped: why => counters.httpDropped.inc({ why }),
    connections: count => {
      countConnections = count
    },
    certificateEnds: (use, ends) => gauges.certificates.set({ use }, ends.getTime() / 1000),
    // One after the other, whoever asks: gauges are reset and filled again in several turns of the event loop.
    scrape: (store, controller) =>
      shared('scrape', async () => {
        flush()
        gauges.httpConnections.set(countConnections())
        for (const [statistic, seconds] of Object.entries(lag())) gauges.lag.set({ statistic }, seconds)
        await readSwitches(gauges, controller)
        await readLinks(gauges, controller)
        readDrops(gauges, controller)
        await readDesired(gauges, store, controller)
        await readMulticast(gauges, store, controller)
        return registry.metrics()
      }),
  }
}

const createCounters = (registry: Registry) => {
  const registers = [registry]
  const counter = <const Labels extends readonly string[]>(name: string, help: string, labelNames: Labels) =>
    new Counter<Labels[number]>({ name, help, labelNames: [...labelNames], registers })
  const histogram = <const Labels extends readonly string[]>(name: string, help: string, labelNames: Labels) =>
    new Histogram<Labels[number]>({ name, help, labelNames: [...labelNames], buckets: fast, registers })
  return {
    messages: counter('l2sm_openflow_messages_total', 'OpenFlow messages sent and received.', ['type', 'direction']),
    errors: counter('l2sm_openflow_errors_total', 'OpenFlow error messages from switches.', ['type', 'code']),
    connections: counter('l2sm_openflow_connections_total', 'OpenFlow connections, by result.', ['result']),
    packetIns: counter('l2sm_packet_in_total', 'Packet-ins from switches, by reason.', ['reason']),
    packetInsDropped: counter('l2sm_packet_in_dropped_total', 'Packet-ins that were dropped unread.', []),
    throttled: counter(
      'l2sm_openflow_throttled_total',
      'Times that reading from a switch was paused because it sent too much.',
      [],
    ),
    strayReplies: counter('l2sm_openflow_stray_replies_total', 'Replies from switches that match no request.', []),
    flowMods: counter('l2sm_flow_mods_total', 'Flow-mods sent, by command.', ['command']),
    requests: histogram('l2sm_http_request_duration_seconds', 'Time to answer an HTTP request.', [
      'method',
      'route',
      'status',
    ]),
    httpDropped: counter(
      'l2sm_http_connections_dropped_total',
      'HTTP connections that the controller closed, by reason.',
      ['why'],
    ),
    commits: histogram('l2sm_store_commit_duration_seconds', 'Time to commit to the store, fsync included.', []),
    commitFailures: counter('l2sm_store_commit_failures_total', 'Commits to the store that failed, by error.', [
      'code',
    ]),
  }
}

const createGauges = (registry: Registry) => {
  const gauge = <const Labels extends readonly string[]>(name: string, help: string, labelNames: Labels) =>
    new Gauge<Labels[number]>({ name, help, labelNames: [...labelNames], registers: [registry] })
  return {
    up: gauge('l2sm_datapath_up', '1 if the switch is connected, else 0.', ['dpid']),
    datapaths: gauge('l2sm_datapaths', 'Connected switches.', []),
    networks: gauge('l2sm_networks', 'Networks in the store.', []),
    groups: gauge('l2sm_multicast_groups', 'Multicast groups with a member, in networks that snoop.', ['network']),
    listeners: gauge(
      'l2sm_multicast_ports',
      'Ports that receive multicast, in networks that snoop, by what they receive.',
      ['network', 'gets'],
    ),
    attachments: gauge('l2sm_attachments', 'Attachments, by state.', ['state']),
    flows: gauge('l2sm_flows', 'Flows of a switch: desired and actual.', ['dpid', 'state']),
    drift: gauge('l2sm_flow_drift', 'Flows of a switch that are missing, superfluous or different.', ['dpid']),
    oldestReading: gauge(
      'l2sm_oldest_reading_seconds',
      'How long ago all flows were read of the connected switch of which that is longest ago; 0 where none was read yet.',
      [],
    ),
    lag: gauge('l2sm_event_loop_lag_seconds', 'How late timers were during the last 30 to 60 seconds.', ['statistic']),
    linkUp: gauge('l2sm_link_up', '1 if the probes of a link arrive, else 0. Labels: the port where the link begins.', [
      'dpid',
      'port',
    ]),
    linkRtt: gauge('l2sm_link_rtt_seconds', 'Recent minimum of the round-trip time of a link.', ['dpid', 'port']),
    linkLoss: gauge('l2sm_link_loss_ratio', 'Share of the last 24 probes of a link that were lost.', ['dpid', 'port']),
    linkLost: new Counter({
      name: 'l2sm_link_probes_lost_total',
      help: 'Probes of a link that were lost.',
      labelNames: ['dpid', 'port'],
      registers: [registry],
    }),
    linkMtu: gauge('l2sm_link_mtu_bytes', 'Largest frame that passes a link, without its Ethernet header.', [
      'dpid',
      'port',
    ]),
    drops: new Counter({
      name: 'l2sm_limit_dropped_frames_total',
      help: 'Frames that a limit of a port has dropped. Only ports that went beyond one are told.',
      labelNames: ['network', 'dpid', 'port', 'limit'],
      registers: [registry],
    }),
    links: gauge('l2sm_links', 'Links by state; each direction counts as one.', ['state']),
    probeInterval: gauge(
      'l2sm_link_probe_interval_seconds',
      'Time between two probes of a link, which grows with the mesh.',
      ['kind'],
    ),
    httpConnections: gauge('l2sm_http_connections', 'Open HTTP connections.', []),
    certificates: gauge(
      'l2sm_certificate_end_timestamp_seconds',
      'When the certificate in use ends, in seconds since 1970.',
      ['use'],
    ),
    build: gauge('l2sm_build_info', 'The version of the controller and of Node; always 1.', ['version', 'node']),
  }
}

/** So many values of one label, and no more: what a switch makes up must not become memory of ours. */
const bounded = (most: number) => {
  const seen = new Set<string>()
  return (value: string): string => {
    if (seen.size < most) seen.add(value)
    return seen.has(value) ? value : 'other'
  }
}

/**
 * Counts by one label, and hands the counts on when they are asked for: to count in the registry itself takes 0.2 us, and
 * a busy switch has 100,000 messages a second.
 */
const probeStatistics = (handOn: (label: string, count: number) => void) => {
  const counts = new Map<string, number>()
  return {
    add: (label: string) => void counts.set(label, (counts.get(label) ?? 0) + 1),
    flush() {
      for (const [label, count] of counts) handOn(label, count)
      counts.clear()
    },
  }
}

/** Of events: how many there were, and what the table of event-metrics.ts says. */
const observer = (registry: Registry): Metrics['observe'] => {
  const registers = [registry]
  const counts = probeStatistics((label, count) => {
    const [kind, severity] = label.split(' ')
    all.inc({ kind: kind!, severity: severity! }, count)
  })
  const all: Counter<'kind' | 'severity'> = new Counter({
    name: 'l2sm_events_total',
    help: 'Events that GET /v1/events tells of, and those that were left out because there were too many.',
    labelNames: ['kind', 'severity'],
    registers,
    collect: () => counts.flush(),
  })
  type Observer = (event: Event) => void
  const byKind = new Map<string, Observer[]>()
  for (const { name, help, is, labels, of } of eventMetrics) {
    const labelNames = [...labels]
    const counter = is === 'counter' && new Counter({ name, help, labelNames, registers })
    const histogram = is === 'histogram' && new Histogram({ name, help, labelNames, buckets: fast, registers })
    for (const [kind, sample] of Object.entries(of)) {
      const observe: Observer = event => {
        const { value, labels = {} } = (sample as (event: Event) => Sample)(event)
        if (counter) counter.inc(labels, value)
        if (histogram) histogram.observe(labels, value)
      }
      byKind.set(kind, [...(byKind.get(kind) ?? []), observe])
    }
  }
  return event => {
    counts.add(`${event.kind} ${severityOf(event)}`)
    for (const observe of byKind.get(event.kind) ?? []) observe(event)
  }
}

const recordOf = (counters: ReturnType<typeof createCounters>): { readonly record: Record; flush(): void } => {
  const messageTypes = bounded(100)
  const errorTypes = bounded(50)
  const errorCodes = bounded(200)
  const results = bounded(50)
  const messages = {
    in: probeStatistics((type, count) => counters.messages.inc({ type, direction: 'in' }, count)),
    out: probeStatistics((type, count) => counters.messages.inc({ type, direction: 'out' }, count)),
  }
  const packetIns = probeStatistics((reason, count) => counters.packetIns.inc({ reason }, count))
  const record: Record = {
    message: (direction, type) => messages[direction].add(messageTypes(type)),
    error: (type, code) => counters.errors.inc({ type: errorTypes(type), code: errorCodes(code) }),
    connection: result => counters.connections.inc({ result: results(result) }),
    packetIn: reason => packetIns.add(reason),
    packetInDropped: () => counters.packetInsDropped.inc(),
    throttled: () => counters.throttled.inc(),
    strayReply: () => counters.strayReplies.inc(),
    flowMods: (command, count) => counters.flowMods.inc({ command }, count),
  }
  const flush = () => {
    for (const each of [messages.in, messages.out, packetIns]) each.flush()
  }
  return { record, flush }
}

type Gauges = ReturnType<typeof createGauges>

/** Afresh each time, so that a switch that was forgotten is not told of any more. */
const readSwitches = async (gauges: Gauges, controller: Controller): Promise<void> => {
  for (const gauge of [gauges.up, gauges.flows, gauges.drift]) gauge.reset()
  let up = 0
  let oldest = Date.now()
  await inSlices(controller.eachSwitch(), ({ dpid, connected, readAt, flows }) => {
    if (connected) up++
    if (connected && readAt) oldest = Math.min(oldest, readAt.getTime())
    gauges.up.set({ dpid }, connected ? 1 : 0)
    gauges.flows.set({ dpid, state: 'desired' }, flows.desired)
    gauges.flows.set({ dpid, state: 'actual' }, flows.actual)
    gauges.drift.set({ dpid }, flows.drift)
  })
  gauges.datapaths.set(up)
  gauges.oldestReading.set((Date.now() - oldest) / 1000)
}

/** So many links are told of one by one, a direction each; of all, how many there are. */
const linksTold = 10_000

/** Seconds and bytes, for each link by where it begins; how often links are probed, for all of a kind. */
const readLinks = async (gauges: Gauges, controller: Controller): Promise<void> => {
  const { linkUp, linkRtt, linkLost, linkMtu, linkLoss, links, probeInterval } = gauges
  for (const gauge of [linkUp, linkRtt, linkLost, linkMtu, linkLoss]) gauge.reset()
  const states = { up: 0, down: 0, pending: 0 }
  let told = 0
  await inSlices(controller.eachLink(), ({ from: { dpid, port }, state, rttMs, loss, lost, mtu }) => {
    states[state]++
    if (++told > linksTold) return
    const labels = { dpid, port }
    linkUp.set(labels, state === 'up' ? 1 : 0)
    if (rttMs !== undefined) linkRtt.set(labels, rttMs / 1000)
    if (loss !== undefined) linkLoss.set(labels, loss)
    if (lost !== undefined) linkLost.inc(labels, lost)
    if (mtu !== undefined) linkMtu.set(labels, mtu)
  })
  for (const [state, count] of Object.entries(states)) links.set({ state }, count)
  for (const [kind, { intervalMs }] of Object.entries(controller.probing()))
    probeInterval.set({ kind }, intervalMs / 1000)
}

/** Of so many limits of ports it is told what they have dropped. */
const dropsTold = 10_000

/** As the switches were read last: a scrape asks none of them. */
const readDrops = ({ drops }: Gauges, controller: Controller): void => {
  drops.reset()
  let told = 0
  for (const { network, dpid, port, limit, dropped } of controller.eachDrop()) {
    if (++told > dropsTold) return
    drops.inc({ network, dpid, port, limit }, dropped)
  }
}

const readMulticast = async (gauges: Gauges, store: Store, controller: Controller): Promise<void> => {
  const snooping = [...store.state().networks.values()].filter(({ multicast }) => multicast === 'snoop')
  const views = await inSlices(snooping, ({ id }) => [id, controller.multicast(id)] as const)
  gauges.groups.reset()
  gauges.listeners.reset()
  for (const [network, view] of views) {
    gauges.groups.set({ network }, view?.groups ?? 0)
    for (const { gets } of view?.ports ?? []) gauges.listeners.inc({ network, gets })
  }
}

const readDesired = async (gauges: Gauges, store: Store, controller: Controller): Promise<void> => {
  gauges.networks.set(store.state().networks.size)
  const counts = await controller.attachmentCounts()
  for (const [state, count] of Object.entries(counts)) gauges.attachments.set({ state }, count)
}
