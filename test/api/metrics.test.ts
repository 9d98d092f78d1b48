import { spawnSync } from 'node:child_process'
import t from 'tap'
import { createMetrics } from '../../api/metrics.ts'
import type { LinkView, Progress } from '../../controller/view/view.ts'
import { openMemory } from '../../store/memory.ts'
import { dpid, other, startApi, stillController, switchView } from './harness.ts'

/** The value of a sample, by its name and labels as they stand in the text. */
const sample = (text: string, name: string): number | undefined => {
  const line = text.split('\n').find(l => l.startsWith(`${name} `))
  return line === undefined ? undefined : Number(line.slice(name.length + 1))
}

/** Why it cannot be asked; false when it can. In CI it has to be there. */
const missingPromtool = (): string | false =>
  process.env.CI === undefined && spawnSync('promtool', ['--version']).error !== undefined
    ? 'promtool is missing: npm run setup installs it'
    : false

const link = (more: Partial<LinkView> = {}): LinkView => ({
  from: { dpid, port: 1 },
  to: { dpid: other, port: 2 },
  origin: 'discovered',
  state: 'up',
  ...{ rttMs: 1.5, loss: 0.25, lost: 7, mtu: 1450, probeIntervalMs: 250 },
  ...more,
})

t.test('what stands in the controller and the store is told as it is at the scrape', async t => {
  const views = [
    switchView({ flows: { desired: 12, actual: 11, foreign: 0, drift: 1 } }),
    switchView({ dpid: other, connected: false, state: 'disconnected' }),
  ]
  const progress = new Map<string, Progress['state']>([
    [`${dpid}/1`, 'programmed'],
    [`${dpid}/2`, 'programmed'],
    [`${other}/1`, 'pending'],
    [`${other}/2`, 'degraded'],
  ])
  const readAt = new Date(Date.now() - 100_000)
  const { controller } = stillController({
    switches: () => views,
    eachSwitch: () => views.map(sw => ({ ...sw, readAt: sw.connected ? readAt : new Date(0) })),
    attachment: key => ({ state: progress.get(key)!, revision: 9 }),
    attachmentCounts: async () => ({ programmed: 2, pending: 1, degraded: 1 }),
    multicast: () => ({
      groups: 3,
      querier: 'controller',
      ports: [1, 2, 3].map(port => ({ dpid, port, gets: port === 3 ? 'router' : 'joined', groups: ['239.1.2.3'] })),
    }),
  })
  const { call } = await startApi(t, { controller })
  for (const id of ['a', 'b']) await call('PUT', `/v1/networks/${id}`, id === 'b' ? { multicast: 'snoop' } : {})
  for (const key of progress.keys()) await call('PUT', `/v1/networks/a/attachments/${key}`, {})
  const { text, headers } = await call('GET', '/metrics')
  t.match(headers.get('content-type'), /^text\/plain; version=0\.0\.4/)
  const expected = {
    [`l2sm_datapath_up{dpid="${dpid}"}`]: 1,
    [`l2sm_datapath_up{dpid="${other}"}`]: 0,
    l2sm_datapaths: 1,
    l2sm_networks: 2,
    'l2sm_multicast_groups{network="b"}': 3,
    'l2sm_multicast_ports{network="b",gets="joined"}': 2,
    'l2sm_multicast_ports{network="b",gets="router"}': 1,
    'l2sm_attachments{state="programmed"}': 2,
    'l2sm_attachments{state="pending"}': 1,
    'l2sm_attachments{state="degraded"}': 1,
    [`l2sm_flows{dpid="${dpid}",state="desired"}`]: 12,
    [`l2sm_flows{dpid="${dpid}",state="actual"}`]: 11,
    [`l2sm_flow_drift{dpid="${dpid}"}`]: 1,
  }
  for (const [name, value] of Object.entries(expected)) t.equal(sample(text, name), value, name)

  const oldest = sample(text, 'l2sm_oldest_reading_seconds')!
  t.ok(oldest >= 100 && oldest <= (Date.now() - readAt.getTime()) / 1000, 'of those that are connected')

  views.pop()
  const later = (await call('GET', '/metrics')).text
  t.equal(sample(later, `l2sm_datapath_up{dpid="${other}"}`), undefined, 'a switch that is forgotten is not told of')
})

t.test('links are told of by where they begin, with what their probes measure', async t => {
  const from = { dpid, port: 101 }
  const to = { dpid: other, port: 102 }
  const linkStatistics = { rttMs: 1.5, loss: 0.25, lost: 7, mtu: 1450, probeIntervalMs: 250 }
  const { controller } = stillController({
    links: () => [
      { from, to, origin: 'discovered', state: 'up', ...linkStatistics },
      { from: to, to: from, origin: 'discovered', state: 'down' },
    ],
    probing: () => ({
      carrying: { ports: 1000, intervalMs: 1250 },
      idle: { ports: 1, intervalMs: 250 },
      unknown: { ports: 0, intervalMs: 5000 },
    }),
  })
  const { call } = await startApi(t, { controller })
  const here = `{dpid="${dpid}",port="101"}`
  const expected = {
    [`l2sm_link_up${here}`]: 1,
    [`l2sm_link_up{dpid="${other}",port="102"}`]: 0,
    [`l2sm_link_rtt_seconds${here}`]: 0.0015,
    [`l2sm_link_loss_ratio${here}`]: 0.25,
    [`l2sm_link_probes_lost_total${here}`]: 7,
    [`l2sm_link_mtu_bytes${here}`]: 1450,
    'l2sm_links{state="up"}': 1,
    'l2sm_links{state="down"}': 1,
    'l2sm_links{state="pending"}': 0,
    'l2sm_link_probe_interval_seconds{kind="carrying"}': 1.25,
  }
  for (const scrape of ['once', 'again']) {
    const { text } = await call('GET', '/metrics')
    for (const [name, value] of Object.entries(expected)) t.equal(sample(text, name), value, `${name} ${scrape}`)
    t.match(text, '# TYPE l2sm_link_probes_lost_total counter')
  }
})

t.test('what is counted is told by the names and labels that dashboards use', async t => {
  const metrics = createMetrics({ version: '1.2.3' })
  const { record, observe, storeRecord } = metrics
  record.message('in', 'packet_in')
  record.message('out', 'flow_mod')
  record.error('FLOW_MOD_FAILED', 'TABLE_FULL')
  record.connection('up')
  record.packetIn('no_match')
  record.packetInDropped()
  record.throttled?.()
  record.strayReply?.()
  record.flowMods('add', 40)
  record.flowMods('add', 2)
  observe({ kind: 'switch-drift', dpid, count: 3, items: [] })
  observe({ kind: 'network-programmed', network: 'a', seconds: 0.004, written: 1 })
  observe({ kind: 'network-compiled', network: 'a', seconds: 0.1, switches: 1 })
  storeRecord.commit(5, 0.02)
  storeRecord.failure('disk-full', 5)
  metrics.request('GET', '/v1/networks/:network', 200, 0.003)
  const text = await metrics.scrape(openMemory(), stillController().controller)
  const expected = {
    'l2sm_openflow_messages_total{type="packet_in",direction="in"}': 1,
    'l2sm_openflow_messages_total{type="flow_mod",direction="out"}': 1,
    'l2sm_openflow_errors_total{type="FLOW_MOD_FAILED",code="TABLE_FULL"}': 1,
    'l2sm_openflow_connections_total{result="up"}': 1,
    'l2sm_packet_in_total{reason="no_match"}': 1,
    l2sm_packet_in_dropped_total: 1,
    l2sm_openflow_throttled_total: 1,
    l2sm_openflow_stray_replies_total: 1,
    'l2sm_flow_mods_total{command="add"}': 42,
    l2sm_flow_repairs_total: 3,
    l2sm_programming_duration_seconds_count: 1,
    l2sm_programming_duration_seconds_sum: 0.004,
    l2sm_compile_duration_seconds_count: 1,
    l2sm_store_commit_duration_seconds_count: 1,
    'l2sm_store_commit_failures_total{code="disk-full"}': 1,
    'l2sm_http_request_duration_seconds_count{method="GET",route="/v1/networks/:network",status="200"}': 1,
    [`l2sm_build_info{version="1.2.3",node="${process.version}"}`]: 1,
  }
  for (const [name, value] of Object.entries(expected)) t.equal(sample(text, name), value, name)
  t.ok((sample(text, 'l2sm_event_loop_lag_seconds{statistic="p99"}') ?? -1) >= 0)
  t.ok((sample(text, 'process_resident_memory_bytes') ?? 0) > 0, 'and the process is told of')
})

t.test('Prometheus finds nothing wrong with it', { skip: missingPromtool() }, async t => {
  const { controller } = stillController({ switches: () => [switchView()], links: () => [link()] })
  const { call } = await startApi(t, { controller })
  await call('PUT', '/v1/networks/a', { multicast: 'snoop' })
  await call('PUT', '/v1/nodes/n1', { address: '192.0.2.1' })
  const { text } = await call('GET', '/metrics')
  t.match(text, /^l2sm_datapath_up/m)
  const { status, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' })
  t.equal(stderr, '')
  t.equal(status, 0)
})

t.test('scrapes that overlap are each as if there were no other', async t => {
  const lost = 5
  const links = Array.from({ length: 200 }, (_, i) => link({ from: { dpid, port: i + 1 }, lost }))
  const { controller } = stillController({ switches: () => [switchView()], links: () => links })
  const { call } = await startApi(t, { controller })
  const scrapes = await Promise.all(Array.from({ length: 20 }, () => call('GET', '/metrics')))
  for (const { text } of scrapes) {
    const values = text.split('\n').filter(line => line.startsWith('l2sm_link_probes_lost_total{'))
    t.equal(values.length, 200)
    t.ok(
      values.every(line => line.endsWith(` ${lost}`)),
      'a counter is read once',
    )
  }
})

t.test('what a switch makes up does not grow without bound', async t => {
  const metrics = createMetrics({ version: '0' })
  for (let i = 0; i < 10_000; i++) {
    metrics.record.error(`type ${i}`, `code ${i}`)
    metrics.record.message('in', `message ${i}`)
    metrics.record.connection(`result ${i}`)
  }
  const text = await metrics.scrape(openMemory(), stillController().controller)
  for (const name of ['openflow_errors', 'openflow_messages', 'openflow_connections']) {
    const lines = text.split('\n').filter(line => line.startsWith(`l2sm_${name}_total{`))
    t.ok(lines.length <= 201, `${name}: ${lines.length} lines`)
    t.equal(
      lines.map(line => Number(line.split(' ').at(-1))).reduce((a, b) => a + b),
      10_000,
      'and nothing is left out',
    )
  }
})

t.test('requests are counted by route, and never by path', async t => {
  const { call } = await startApi(t)
  for (let i = 0; i < 20; i++) {
    await call('GET', `/v1/networks/n${i}`)
    await call('GET', `/nowhere/${i}`)
  }
  const { text } = await call('GET', '/metrics')
  const count = 'l2sm_http_request_duration_seconds_count'
  t.equal(sample(text, `${count}{method="GET",route="/v1/networks/:network",status="404"}`), 20)
  t.equal(sample(text, `${count}{method="GET",route="none",status="404"}`), 20)
})
