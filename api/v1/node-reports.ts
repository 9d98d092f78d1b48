import type { SwitchView } from '../../controller/view/view.ts'
import { unusableAddress } from '../contract/addresses.ts'
import { type NodePlan, type NodeReport, type ReportedPort, silentAfter } from '../contract/node-schemas.ts'

/** What the agents reported last. Not desired state: it is nowhere on disk, and after a restart they report it again. */
export type NodeReports = {
  put(report: NodeReport): void
  /** Undefined: none since the controller started. */
  of(node: string): Reported | undefined
  /** Those who are not declared any more are forgotten. */
  prune(declared: (node: string) => boolean): void
}

/** `age` in milliseconds. `rivals`: machines that report as this node in turns; empty while there is one. */
export type Reported = {
  readonly report: NodeReport
  readonly at: Date
  readonly age: number
  readonly rivals: readonly string[]
}

type Machine = { readonly id: string; readonly name: string; readonly first: number; readonly last: number }
type Kept = {
  readonly report: NodeReport
  readonly at: Date
  readonly since: number
  readonly machines: readonly Machine[]
}

/** `now`: milliseconds of a monotonic clock. */
export const nodeReports = (now: () => number): NodeReports => {
  const kept = new Map<string, Kept>()
  return {
    put: report => {
      const machines = withMachine(kept.get(report.node)?.machines ?? [], report, now())
      kept.set(report.node, { report, at: new Date(), since: now(), machines })
    },
    of(node) {
      const found = kept.get(node)
      if (!found) return undefined
      return { report: found.report, at: found.at, age: now() - found.since, rivals: rivalsOf(found.machines) }
    },
    prune(declared) {
      for (const node of kept.keys()) if (!declared(node)) kept.delete(node)
    },
  }
}

/** Machines that reported lately: no more than a handful, whoever reports. */
function withMachine(machines: readonly Machine[], { agent, underlay }: NodeReport, time: number): Machine[] {
  const { machine: id, host } = agent
  if (id === undefined) return [...machines]
  const name = `${host ?? id} (machine ${id}, ${underlay.device ?? 'no device with the address'})`
  const first = machines.find(one => one.id === id)?.first ?? time
  const others = machines.filter(one => one.id !== id && time - one.last < silentAfter * 1000)
  return [...others.slice(-3), { id, name, first, last: time }]
}

/** A machine that took over from another one is no rival: they report in turns. */
const rivalsOf = (machines: readonly Machine[]): string[] => {
  const inTurns = machines.filter(a => machines.some(b => a !== b && a.last > b.first && b.last > a.first))
  return inTurns.map(({ name }) => name).toSorted()
}

export type NodeStatus = {
  readonly state: 'ready' | 'working' | 'failing' | 'silent' | 'unseen'
  readonly missing: readonly string[]
  /** What somebody should know although nothing is missing. */
  readonly warnings: readonly string[]
}

/** The status of a node: what its agent says, and what its switch says to the controller, beside its plan. Pure. */
export const statusOf = (plan: NodePlan, reported: Reported | undefined, sw: SwitchView | undefined): NodeStatus => {
  const silent = reported !== undefined && reported.age > silentAfter * 1000
  const missing = [
    ...agentConditions(plan, reported, silent),
    ...(sw?.connected ? portConditions(plan, sw, reported?.report) : [notConnected(plan, sw)]),
  ]
  const warnings = reported?.report.health.warnings ?? []
  if (!reported) return { state: 'unseen', missing, warnings }
  if (silent) return { state: 'silent', missing, warnings }
  const failing = reported.report.health.state === 'failing' || reported.rivals.length > 0
  return { state: failing ? 'failing' : missing.length > 0 ? 'working' : 'ready', missing, warnings }
}

const agentConditions = (plan: NodePlan, reported: Reported | undefined, silent: boolean): string[] => {
  const { node, underlay, dpid, version } = plan
  if (!reported)
    return [
      `no agent of node ${node} has reported since the controller started: run l2sm agent --node ${node} there`,
      ...[unusableAddress(underlay.address)].filter(why => why !== undefined),
    ]
  const { report, age, rivals } = reported
  const conditions = report.health.reasons.map(reason => `its agent says: ${reason}`)
  if (rivals.length > 0)
    conditions.unshift(
      `${rivals.length} machines report as node ${node}: ${rivals.join(', ')}: give each agent its own --node`,
    )
  if (silent) conditions.unshift(`its agent has been silent for ${Math.round(age / 1000)} s: see whether it runs`)
  if (report.underlay.address !== underlay.address)
    conditions.push(`its agent has address ${report.underlay.address}, declared is ${underlay.address}`)
  if (report.dpid !== dpid) conditions.push(`its switch has datapath id ${report.dpid}, planned is ${dpid}`)
  if (report.plan !== version) conditions.push('its agent has not taken over the newest plan yet')
  return conditions
}

const notConnected = ({ dpid, controllers }: NodePlan, sw: SwitchView | undefined): string => {
  const why = sw?.reason ? `: ${sw.reason}` : ''
  const targets = controllers.length > 0 ? `; it is told to connect to ${controllers.join(', ')}` : ''
  return `switch ${dpid} is not connected${why}${targets}`
}

/** Named one by one up to here. */
const most = 10

const portConditions = (plan: NodePlan, sw: SwitchView, report: NodeReport | undefined): string[] => {
  const there = new Map(sw.ports.map(port => [port.name, port]))
  const told = new Map<string, ReportedPort>(report?.ports.map(port => [port.name, port]))
  const conditions: string[] = []
  for (const { name, peer, port, bfd } of plan.links) {
    const own = told.get(name)
    if (!there.has(name))
      conditions.push(
        `its link to ${peer} is not there: no port ${name} (${own?.error ?? `planned is number ${port}`})`,
      )
    else if (bfd && own?.bfd !== undefined && own.bfd !== 'up')
      conditions.push(`its link to ${peer} is down: BFD is in state ${own.bfd}`)
  }
  const { fixed, bridgePrefix } = plan.interfaces
  for (let number = 1; number <= fixed; number++)
    if (!there.has(`${bridgePrefix}${number}`))
      conditions.push(`interface ${number} is not there: no port ${bridgePrefix}${number}`)
  const more = conditions.length - most
  return more > 0
    ? [...conditions.slice(0, most), `${more} more links and interfaces are not there or down`]
    : conditions
}
