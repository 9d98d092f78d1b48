import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { NodeReport } from '../api/contract/node-schemas.ts'
import type { Record } from './reconcile.ts'
import type { Health } from './report.ts'

export type Metrics = {
  readonly registry: Registry
  readonly record: Record
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
  const repairs = counter('l2sm_agent_repairs_total', 'Changes that nobody planned, put right.')
  const failures = counter('l2sm_agent_failures_total', 'Looks at the node that failed, and are repeated.')
  const looks = new Histogram({
    ...{ name: 'l2sm_agent_look_seconds', help: 'Looks at the node, with what they did.', registers },
    buckets: [0.01, 0.03, 0.1, 0.3, 1, 3, 10],
  })
  const reports = new Counter({
    ...{ name: 'l2sm_agent_reports_total', help: 'Reports to the controller.', labelNames: ['result'], registers },
  })
  // By themselves, and not as prom-client collects them: that wakes up a hundred times a second to see how late it is.
  const cpu = gauge('process_cpu_seconds_total', 'Processor time of the agent.')
  const memory = gauge('process_resident_memory_bytes', 'Memory of the agent.')
  const healthy = gauge('l2sm_agent_healthy', '1: all is as planned.')
  const connected = gauge('l2sm_agent_switch_connected', '1: the switch has a controller.')
  const interfaces = gauge('l2sm_agent_interfaces', 'Interfaces for pods.', 'state')
  const links = gauge('l2sm_agent_links', 'Links to other nodes; state is that of BFD, or unwatched.', 'state')
  const plan = gauge('l2sm_agent_plan_info', 'Always 1: the plan that the node was compared with last.', 'plan')
  gauge('l2sm_agent_build_info', 'Always 1.', 'version').set({ version }, 1)
  return {
    registry,
    record: {
      looked: seconds => looks.observe(seconds),
      transaction: () => transactions.inc(),
      repaired: changes => repairs.inc(changes),
      failed: () => failures.inc(),
    },
    reported: result => reports.inc({ result }),
    scrape: (health, report) => {
      const { user, system } = process.cpuUsage()
      cpu.set((user + system) / 1e6)
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
