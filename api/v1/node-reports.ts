import type { SwitchView } from '../../controller/view/view.ts'
import { type NodePlan, type NodeReport, type ReportedPort, silentAfter } from '../contract/node-schemas.ts'

/** What the agents told last. Not desired state: it is nowhere on disk, and after a restart they tell it again. */
export type NodeReports = {
  put(report: NodeReport): void
  /** Undefined: none since the controller started. `age` in milliseconds. */
  of(node: string): { readonly report: NodeReport; readonly at: Date; readonly age: number } | undefined
  /** Those who are not declared any more are forgotten. */
  prune(declared: (node: string) => boolean): void
}

/** `now`: milliseconds of a monotonic clock. */
export const nodeReports = (now: () => number): NodeReports => {
  const kept = new Map<string, { readonly report: NodeReport; readonly at: Date; readonly since: number }>()
  return {
    put: report => void kept.set(report.node, { report, at: new Date(), since: now() }),
    of(node) {
      const found = kept.get(node)
      return found && { report: found.report, at: found.at, age: now() - found.since }
    },
    prune(declared) {
      for (const node of kept.keys()) if (!declared(node)) kept.delete(node)
    },
  }
}

export type Phase = {
  readonly state: 'ready' | 'working' | 'failing' | 'silent' | 'unseen'
  readonly missing: readonly string[]
}
type Reported = ReturnType<NodeReports['of']>

/** How a node stands: what its agent says, and what its switch says to the controller, beside its plan. Pure. */
export const standingOf = (plan: NodePlan, reported: Reported, sw: SwitchView | undefined): Phase => {
  const silent = reported !== undefined && reported.age > silentAfter * 1000
  const missing = [
    ...agentLacks(plan, reported, silent),
    ...(sw?.connected ? portLacks(plan, sw, reported?.report) : [notConnected(plan, sw)]),
  ]
  if (!reported) return { state: 'unseen', missing }
  if (silent) return { state: 'silent', missing }
  if (reported.report.health.state === 'failing') return { state: 'failing', missing }
  return { state: missing.length > 0 ? 'working' : 'ready', missing }
}

const agentLacks = (plan: NodePlan, reported: Reported, silent: boolean): string[] => {
  const { node, underlay, dpid, version } = plan
  if (!reported)
    return [`no agent of node ${node} has reported since the controller started: run l2sm agent --node ${node} there`]
  const { report, age } = reported
  const lacks = report.health.reasons.map(reason => `its agent says: ${reason}`)
  if (silent) lacks.unshift(`its agent has been silent for ${Math.round(age / 1000)} s: see whether it runs`)
  if (report.underlay.address !== underlay.address)
    lacks.push(`its agent has address ${report.underlay.address}, declared is ${underlay.address}`)
  if (report.dpid !== dpid) lacks.push(`its switch has datapath id ${report.dpid}, planned is ${dpid}`)
  if (report.plan !== version) lacks.push('its agent has not taken over the newest plan yet')
  return lacks
}

const notConnected = ({ dpid, controllers }: NodePlan, sw: SwitchView | undefined): string => {
  const why = sw?.reason ? `: ${sw.reason}` : ''
  const targets = controllers.length > 0 ? `; it is told to connect to ${controllers.join(', ')}` : ''
  return `switch ${dpid} is not connected${why}${targets}`
}

/** Named one by one up to here. */
const most = 10

const portLacks = (plan: NodePlan, sw: SwitchView, report: NodeReport | undefined): string[] => {
  const there = new Map(sw.ports.map(port => [port.name, port]))
  const told = new Map<string, ReportedPort>(report?.ports.map(port => [port.name, port]))
  const lacks: string[] = []
  for (const { name, peer, port, bfd } of plan.links) {
    const own = told.get(name)
    if (!there.has(name))
      lacks.push(`its link to ${peer} is not there: no port ${name} (${own?.error ?? `planned is number ${port}`})`)
    else if (bfd && own?.bfd !== undefined && own.bfd !== 'up')
      lacks.push(`its link to ${peer} is down: BFD is in state ${own.bfd}`)
  }
  const { fixed, bridgePrefix } = plan.interfaces
  for (let number = 1; number <= fixed; number++)
    if (!there.has(`${bridgePrefix}${number}`))
      lacks.push(`interface ${number} is not there: no port ${bridgePrefix}${number}`)
  const more = lacks.length - most
  return more > 0 ? [...lacks.slice(0, most), `${more} more links and interfaces are not there or down`] : lacks
}
