import t from 'tap'
import { createMetrics } from '../../api/metrics.ts'
import type { Event } from '../../controller/view/event.ts'
import { eventMetrics } from '../../controller/view/event-metrics.ts'
import { severityOf } from '../../controller/view/recorded.ts'

const dpid = '00000000000000a1'
const link = { from: { dpid, port: 1 }, to: { dpid, port: 2 } }

/** One event of each kind that is counted or measured, and the samples that it leaves. */
const counted: readonly (readonly [event: Event, samples: Readonly<Record<string, number>>])[] = [
  [
    { kind: 'network-compiled', network: 'a', seconds: 0.003, switches: 2 },
    { l2sm_compile_duration_seconds_sum: 0.003, l2sm_compile_duration_seconds_count: 1 },
  ],
  [
    { kind: 'network-programmed', network: 'a', seconds: 0.2, written: 7 },
    { l2sm_programming_duration_seconds_sum: 0.2, 'l2sm_programming_duration_seconds_bucket{le="0.1"}': 0 },
  ],
  [{ kind: 'switch-drift', dpid, count: 3, items: [] }, { l2sm_flow_repairs_total: 3 }],
  [{ kind: 'switch-emptied', dpid, flows: 12 }, { l2sm_switches_emptied_total: 1 }],
  [{ kind: 'datapath-claimed', dpid, remote: 'a', holder: 'b' }, { l2sm_datapath_conflicts_total: 1 }],
  [{ kind: 'link-found', link }, { 'l2sm_link_changes_total{change="found"}': 1 }],
  [{ kind: 'link-down', link }, { 'l2sm_link_changes_total{change="down"}': 1 }],
  [{ kind: 'link-up', link }, { 'l2sm_link_changes_total{change="up"}': 1 }],
  [{ kind: 'link-moved', link, before: link.to }, { 'l2sm_link_changes_total{change="moved"}': 1 }],
  [{ kind: 'link-forgotten', link }, { 'l2sm_link_changes_total{change="forgotten"}': 1 }],
  [
    { kind: 'address-moved', network: 'a', dpid, port: 1, mac: '02:00:00:00:00:01', other: link.to },
    { l2sm_address_moves_total: 1 },
  ],
  [
    { kind: 'address-conflict', network: 'a', dpid, port: 1, mac: '02:00:00:00:00:01', other: link.to },
    { l2sm_address_conflicts_total: 1 },
  ],
  [
    { kind: 'ip-duplicate', network: 'a', dpid, port: 1, ip: '10.0.0.1', other: link.to, by: 'declared' },
    { 'l2sm_ip_duplicates_total{by="declared"}': 1 },
  ],
  [
    { kind: 'port-suppressed', network: 'a', dpid, port: 1, reason: 'too many frames' },
    { l2sm_ports_suppressed_total: 1 },
  ],
  [{ kind: 'port-cut-off', network: 'a', dpid, port: 1, reason: 'it loops' }, { l2sm_ports_cut_off_total: 1 }],
  [{ kind: 'defect', where: 'a test', error: 'none' }, { l2sm_defects_total: 1 }],
  [
    { kind: 'events-left-out', of: 'link-down', about: '', count: 9, as: 'warn' },
    { 'l2sm_events_left_out_total{kind="link-down"}': 9 },
  ],
]

t.test('what is counted of an event is what its metric says', async t => {
  for (const [event, samples] of counted) {
    const metrics = createMetrics({ version: '0' })
    metrics.observe(event)
    const text = await metrics.registry.metrics()
    const sampleOf = (name: string) => {
      const line = text.split('\n').find(each => each.startsWith(`${name} `))
      return line && Number(line.slice(name.length + 1))
    }
    for (const [name, value] of Object.entries(samples)) t.equal(sampleOf(name), value, `${event.kind}: ${name}`)
    t.equal(sampleOf(`l2sm_events_total{kind="${event.kind}",severity="${severityOf(event)}"}`), 1)
  }
})

t.test('each metric of the table is shown above', async t => {
  const shown = new Set(counted.map(([{ kind }]) => kind))
  for (const { name, of } of eventMetrics)
    t.same(
      Object.keys(of).filter(kind => !shown.has(kind as Event['kind'])),
      [],
      name,
    )
})

t.test('help is a whole sentence, and names say what they count', async t => {
  for (const { name, help, is } of eventMetrics) {
    t.match(help, /^[A-Z].*\.$/s, name)
    t.match(name, is === 'counter' ? /^l2sm_[a-z_]+_total$/ : /^l2sm_[a-z_]+_seconds$/)
  }
})
