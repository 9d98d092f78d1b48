import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { NodeReport } from '../api/contract/node-schemas.ts'
import type { Counters } from './parts.ts'
import type { Health } from './report.ts'

export type Metrics = {
  readonly registry: Registry
  readonly counters: Counters
  reported(result: 'ok' | 'failed'): void
  /** The text for Prometheus, of how things stand now. */
  scrape(health: Health, report: NodeReport | undefined): Promise<string>
}

export function createMetrics(version: string): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const counter = (name: string, help: string) => new Counter({ name, help, registers })
  const gauge = <T extends string>(name: string, help: string, ...labelNames: T[]) =>
    new Gauge({ name, help, labelNames, registers })
  const transactions = counter('l2sm_agent_transactions_total', 'Transactions with the database of Open vSwitch.')
  const repairs = counter(
    'l2sm_agent_repairs_total',
    'Differences from the plan that somebody else had made and the agent repaired.',
  )
  const failures = counter(
    'l2sm_agent_failures_total',
    'Times that reading or changing the node failed. Each is retried.',
  )
  const looks = new Histogram({
    ...{
      name: 'l2sm_agent_look_seconds',
      help: 'Time to compare the node with its plan and to change what differs.',
      registers,
    },
    buckets: [0.01, 0.03, 0.1, 0.3, 1, 3, 10],
  })
  const reports = new Counter({
    ...{
      name: 'l2sm_agent_reports_total',
      help: 'Reports sent to the controller, by result.',
      labelNames: ['result'],
      registers,
    },
  })
  // By themselves, and not as prom-client collects them: that wakes up a hundred times a second to see how late it is.
  const cpu = counter('process_cpu_seconds_total', 'Processor time that the agent used.')
  const memory = gauge('process_resident_memory_bytes', 'Memory that the agent uses.')
  const healthy = gauge('l2sm_agent_healthy', '1 when the node is as planned, else 0.')
  const connected = gauge('l2sm_agent_switch_connected', '1 when the switch is connected to a controller, else 0.')
  const interfaces = gauge('l2sm_agent_interfaces', 'Interfaces for pods, by whether a pod has them.', 'state')
  const links = gauge(
    'l2sm_agent_links',
    'Links to other nodes, by the state of their BFD session; unwatched without BFD.',
    'state',
  )
  const plan = gauge(
    'l2sm_agent_plan_info',
    'Always 1; the label is the version of the plan that the node was last compared with.',
    'plan',
  )
  gauge('l2sm_agent_build_info', 'Always 1; the label is the version of the agent.', 'version').set({ version }, 1)
  return {
    registry,
    counters: {
      looked: seconds => looks.observe(seconds),
      transaction: () => transactions.inc(),
      repaired: changes => repairs.inc(changes),
      failed: () => failures.inc(),
    },
    reported: result => reports.inc({ result }),
    scrape: (health, report) => {
      const { user, system } = process.cpuUsage()
      cpu.reset()
      cpu.inc((user + system) / 1e6)
      memory.set(process.memoryUsage.rss())
      healthy.set(health.state === 'ok' ? 1 : 0)
      connected.set(report?.openvswitch.connected ? 1 : 0)
      const ports = report?.ports ?? []
      const pairs = ports.filter(({ role }) => role === 'interface')
      interfaces.set({ state: 'used' }, pairs.filter(({ used }) => used).length)
      interfaces.set({ state: 'free' }, pairs.filter(({ used }) => !used).length)
      links.reset()
      plan.reset()
      if (report?.plan !== undefined) plan.set({ plan: report.plan }, 1)
      for (const { bfd } of ports.filter(({ role }) => role === 'link')) links.inc({ state: bfd ?? 'unwatched' })
      return registry.metrics()
    },
  }
}
