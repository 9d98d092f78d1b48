/** What Open vSwitch's database should hold for a plan, on this node. Pure. */

import type { NodePlan } from '../../api/contract/node-schemas.ts'
import type { Database, Row } from '../ovsdb/schema.ts'

export type WantedPort = {
  readonly name: string
  /** '' is a device of the system. */
  readonly type: '' | 'vxlan'
  readonly options: Readonly<Record<string, string>>
  readonly bfd: Readonly<Record<string, string>>
  /** The OpenFlow port number to ask for. */
  readonly number: number
  /** In `external_ids`, besides the mark. */
  readonly notes: Readonly<Record<string, string>>
}

export type WantedController = { readonly target: string; readonly settings: Readonly<Record<string, string | number>> }

export type WantedBridge = {
  readonly name: string
  readonly datapath: Datapath
  readonly failMode: 'secure' | 'standalone'
  /** Empty: whatever Open vSwitch speaks. */
  readonly protocols: readonly string[]
  /** In `other_config`; what else is there is left alone. */
  readonly config: Readonly<Record<string, string>>
  readonly notes: Readonly<Record<string, string>>
  /** Notes whose changes are not worth a line in the log. */
  readonly silent?: readonly string[]
  readonly ports: readonly WantedPort[]
  /** None: those that are there stay, as the last one that goes takes all flows with it. */
  readonly controllers: readonly WantedController[]
}

export type Tls = NonNullable<NodePlan['tls']>

export type Wanted = {
  readonly bridges: readonly WantedBridge[]
  /** Bridges of ours to remove. One that is in neither list is left alone: it may be wanted again in a moment. */
  readonly unwanted?: readonly string[]
  /** Files for `ssl:` targets: Open vSwitch has one set for all of its bridges. */
  readonly tls: Tls | undefined
}

/** `system`: the kernel's. `netdev`: in ovs-vswitchd. As the database spells them. */
export type Datapath = 'system' | 'netdev'

/**
 * Whose a row is stands in its `external_ids`, with the bridge as the value: rows without it are somebody else's. So the
 * agents of two bridges on one Open vSwitch do not meet.
 */
export const mark = 'l2sm'
/** In `external_ids` of a pod's port: the kernel's number of the device that it was made for. */
export const deviceNote = 'l2sm-device'
export const peerNote = 'l2sm-peer'

/** On the bridge's row, so that the agent finds what is its own also without a plan. */
export const nodeNote = 'l2sm-node'
/**
 * On the root row, while somebody restarts ovs-vswitchd with its flows kept: which start of the machine, and until how many
 * seconds after it, and which process. So long nobody else touches the controllers. No clock that can be set has a say in it.
 */
export const restoringNote = 'l2sm-restoring'
/** Seconds that such a restart may take. */
export const longestRestore = 150
export type Now = { readonly boot: string; readonly uptime: number }
export const spellDeadline = ({ boot, uptime }: Now, seconds: number, maker: string): string =>
  [boot, Math.ceil(uptime + seconds), maker].join('/')

/** The process that set a deadline. */
export const makerOf = (text: string): string => text.split('/').slice(2).join('/')

/** Whether a deadline lies ahead, and not further than anybody would have set it. */
export const isAhead = (text: string | undefined, { boot, uptime }: Now): boolean => {
  const [start, until] = (text ?? '').split('/')
  const left = Number(until) - uptime
  return start === boot && left > 0 && left <= longestRestore + 1
}
export const interfacesNote = 'l2sm-interfaces'

export type Situation = {
  readonly datapath: Datapath
  /** Interfaces whose device is there, and which should be, by number. */
  readonly interfaces: ReadonlyMap<number, { readonly index: number }>
}

export function desired(plan: NodePlan, { datapath, interfaces }: Situation): WantedBridge {
  const { bridgePrefix, podPrefix } = plan.interfaces
  const pods = [...interfaces].map(
    ([number, { index }]): WantedPort => ({
      ...{ name: `${bridgePrefix}${number}`, type: '', options: {}, bfd: {}, number },
      notes: { [deviceNote]: String(index) },
    }),
  )
  const tunnels = plan.links.map(
    ({ peer, name, port, type, local, remote, udpPort, bfd }): WantedPort => ({
      ...{ name, type, number: port, bfd: bfd ? watched : {}, notes: { [peerNote]: peer } },
      options: { key: 'flow', remote_ip: remote, local_ip: local, dst_port: String(udpPort) },
    }),
  )
  const { inactivityProbe, maxBackoff } = plan.openvswitch
  const settings = {
    ...{ connection_mode: 'out-of-band', inactivity_probe: inactivityProbe, max_backoff: maxBackoff },
  }
  return {
    ...{ name: plan.bridge, datapath, failMode: 'secure', protocols: ['OpenFlow13'] },
    // In-band control would add hidden flows above all others.
    config: { 'datapath-id': plan.dpid, 'disable-in-band': 'true' },
    notes: { [nodeNote]: plan.node, [interfacesNote]: `${bridgePrefix} ${podPrefix}` },
    ports: [...pods, ...tunnels],
    controllers: plan.controllers.map(target => ({ target, settings })),
  }
}

/** A link is down 0.9 s after its last message. */
const watched = { enable: 'true', min_rx: '300', min_tx: '300' }

export type OwnPort = { readonly port: Row<'Port'>; readonly interface: Row<'Interface'> }

export const bridgeNamed = (database: Database, name: string): Row<'Bridge'> | undefined =>
  [...database.Bridge.values()].find(bridge => bridge.name === name)

/** The bridges that agents made for this node: one for each provider. */
export const bridgesOf = (database: Database, node: string): Row<'Bridge'>[] =>
  [...database.Bridge.values()].filter(
    ({ name, external_ids }) => external_ids[mark] === name && external_ids[nodeNote] === node,
  )

/** All ports of a bridge, whosever they are; one with several interfaces (a bond) is told with its first. */
export function portsOf(database: Database, bridge: string): OwnPort[] {
  return (bridgeNamed(database, bridge)?.ports ?? []).flatMap(uuid => {
    const port = database.Port.get(uuid)
    const first = database.Interface.get(port?.interfaces[0] ?? '')
    return port && first ? [{ port, interface: first }] : []
  })
}
