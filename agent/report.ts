/** The agent's report to the controller, and its health. Pure. */

import type { NodePlan, NodeReport, ReportedPort } from '../api/contract/node-schemas.ts'
import { numberOf } from './node/stock.ts'
import type { Database, Row } from './ovsdb/schema.ts'
import { bridgeNamed, type Datapath, mark, portsOf } from './switch/desired.ts'

export type Health = NodeReport['health']

export type Reported = {
  readonly plan: NodePlan
  readonly database: Database
  readonly datapath: Datapath
  readonly health: Health
  /** Interfaces whose other end is in a pod, or was and is not made anew yet. */
  readonly used: ReadonlySet<number>
  readonly underlay: { readonly mtu?: number; readonly device?: string }
  readonly version: string
  readonly machine: string
  readonly host: string
  readonly time: Date
}

export function report({
  plan,
  database,
  datapath,
  health,
  used,
  underlay,
  version,
  machine,
  host,
  time,
}: Reported): NodeReport {
  const [root] = database.Open_vSwitch.values()
  const bridge = bridgeNamed(database, plan.bridge)
  const controllers = (bridge?.controller ?? []).map(uuid => database.Controller.get(uuid))
  const ports = portsOf(database, plan.bridge)
    .filter(({ port }) => port.name !== plan.bridge)
    .map(own => portReport(plan, own.interface, own.port.external_ids[mark] === plan.bridge, used))
  return {
    ...{ node: plan.node, time: time.toISOString(), plan: plan.version },
    agent: { version: version.slice(0, 64), machine, ...(host !== '' && { host: host.slice(0, 253) }) },
    ...{ bridge: plan.bridge, dpid: plan.dpid, underlay: { address: plan.underlay.address, ...underlay } },
    openvswitch: {
      version: (root?.ovs_version ?? 'unknown').slice(0, 64),
      datapath: datapath === 'system' ? 'kernel' : 'userspace',
      connected: controllers.some(controller => controller?.is_connected === true),
      ...(bridge && { failMode: bridge.fail_mode === 'secure' ? 'secure' : 'standalone' }),
      ...(bridge && { inBand: bridge.other_config['disable-in-band'] !== 'true' }),
    },
    // As many as the controller takes of one node.
    ports: ports.slice(0, 16_384).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    health,
  }
}

function portReport(plan: NodePlan, row: Row<'Interface'>, ours: boolean, used: ReadonlySet<number>): ReportedPort {
  const number = ours ? numberOf(plan.interfaces.bridgePrefix, row.name) : undefined
  const peer = ours ? plan.links.find(link => link.name === row.name)?.peer : undefined
  const error = troubleOf(row)
  return {
    name: row.name.slice(0, 255),
    ...(row.ofport !== undefined && row.ofport > 0 && { port: row.ofport }),
    ...(number !== undefined
      ? ({ role: 'interface', podEnd: `${plan.interfaces.podPrefix}${number}`, used: used.has(number) } as const)
      : peer !== undefined
        ? ({ role: 'link', peer, ...bfdOf(row) } as const)
        : ({ role: 'other' } as const)),
    ...(error !== undefined && { error: error.slice(0, 500) }),
  }
}

const states = ['admin_down', 'down', 'init', 'up'] as const

const bfdOf = (row: Row<'Interface'>): Pick<ReportedPort, 'bfd'> => {
  const state = states.find(state => state === row.bfd_status['state'])
  return row.bfd['enable'] === 'true' && state !== undefined ? { bfd: state } : {}
}

/** What Open vSwitch says is wrong with a port; undefined if nothing is. */
export function troubleOf(row: Row<'Interface'>): string | undefined {
  if (row.error !== undefined && row.error !== '') return row.error
  if (row.ofport !== undefined && row.ofport < 0) return 'Open vSwitch can not open it; its log says why'
  if (row.ofport !== undefined && row.ofport_request !== undefined && row.ofport !== row.ofport_request)
    return `it has number ${row.ofport} instead of ${row.ofport_request}, which another port has`
  return undefined
}
