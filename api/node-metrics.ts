import { Gauge, type Registry } from 'prom-client'
import { inSlices } from './http/slices.ts'
import type { NodeServices } from './v1/nodes.ts'
import { statusNow } from './v1/nodes.ts'

/** Adds what is known of nodes to /metrics: read afresh at each scrape, so that a node that is gone is not told of any more. */
export const measureNodes = (registry: Registry, services: NodeServices): void => {
  const { store, reports } = services
  const registers = [registry]
  const reported = () => [...store.state().nodes.keys()].flatMap(node => ({ node, last: reports.of(node) }))
  new Gauge({
    name: 'l2sm_nodes',
    help: 'Declared nodes, by state.',
    labelNames: ['state'],
    registers,
    async collect() {
      const counts = { ready: 0, working: 0, failing: 0, silent: 0, unseen: 0 }
      const statuses = await inSlices([...store.state().nodes.values()], node => statusNow(services, node))
      for (const { state } of statuses) counts[state]++
      for (const [state, count] of Object.entries(counts)) this.set({ state }, count)
    },
  })
  new Gauge({
    name: 'l2sm_node_report_age_seconds',
    help: 'Time since the last report of the agent of a node.',
    labelNames: ['node'],
    registers,
    collect() {
      this.reset()
      for (const { node, last } of reported()) if (last) this.set({ node }, last.age / 1000)
    },
  })
  new Gauge({
    name: 'l2sm_node_interfaces',
    help: 'Interfaces of a node, used by a pod or free.',
    labelNames: ['node', 'state'],
    registers,
    collect() {
      this.reset()
      for (const { node, last } of reported()) {
        if (!last) continue
        const interfaces = last.report.ports.filter(port => port.role === 'interface')
        const used = interfaces.filter(port => port.used).length
        this.set({ node, state: 'used' }, used)
        this.set({ node, state: 'free' }, interfaces.length - used)
      }
    },
  })
}
