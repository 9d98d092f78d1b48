/** A node of the mesh: a namespace with an Open vSwitch of its own, and on it `br-l2`, the switch that is controlled. */

import { ipBatch, run } from './command.ts'
import {
  addBridge,
  addPort,
  checkInterfaces,
  type Datapath,
  type Ovs,
  openOvs,
  sequence,
  setControllers,
} from './ovs.ts'
import { deviceOf, linkPort, type Pod, setSysctls, silence } from './pod.ts'
import { ctlAddress, gateAddress, gateMac, hex, underlayMac } from './underlay.ts'

export const bridge = 'br-l2'

export type Trace = {
  /** What the datapath would do: 'drop', or '2,set(tunnel(...)),3'. Its port numbers are the datapath's own. */
  readonly actions: string
  /** The whole answer of ofproto/trace, with each table on the way. */
  readonly text: string
}

export type Node = {
  /** From 1. */
  readonly number: number
  readonly name: string
  readonly netns: string
  readonly dpid: string
  /** On the underlay; the VXLAN links end here. */
  readonly address: string
  /** The switch that is controlled. */
  readonly bridge: string
  /** The OpenFlow port of the link to each node it is linked to. */
  readonly links: ReadonlyMap<number, number>
  readonly ovs: Ovs
  /** One line for each flow of the switch, as `ovs-ofctl dump-flows` prints it, statistics included. */
  dumpFlows(): Promise<string[]>
  dumpGroups(): Promise<string[]>
  /** Where a frame would go, without sending one: `flow` as in ovs-ofctl, e.g. 'in_port=1,dl_dst=ff:ff:ff:ff:ff:ff'. */
  trace(flow: string): Promise<Trace>
  /** Puts flows in, each in ovs-ofctl's syntax; returns when frames are treated so. */
  addFlows(flows: readonly string[]): Promise<void>
  /** Deletes the flows that match, all without an argument; returns when frames are treated so. */
  deleteFlows(match?: string): Promise<void>
  /** A barrier's answer is not yet the datapath: it may forward by old flows some more milliseconds. This waits for it. */
  settle(): Promise<void>
  /** Replaces the switch's controllers. See setControllers for what that does to flows. */
  connect(targets: readonly string[]): Promise<void>
  /** Makes the switch try its controllers at once, whatever its back-off (up to 8 s); connections that stand are renewed. Flows stay. */
  reconnect(): Promise<void>
  /** Ends ovs-vswitchd and starts it again: with `kill`, by SIGKILL. Its flows are lost, as with a real one. */
  restart(how?: { readonly kill: boolean }): Promise<void>
}

export type NodePlan = {
  readonly number: number
  readonly prefix: string
  readonly directory: string
  /** The underlay's subnet, three octets. */
  readonly subnet: string
  readonly datapath: Datapath
  readonly linkedTo: readonly number[]
  readonly pods: readonly Pod[]
  /** Open vSwitch runs and has no bridge; the node's address is on its uplink. Whoever makes the bridge calls it so. */
  readonly bare?: { readonly bridge: string; readonly dpid: string } | undefined
}

export const nodeNetns = (prefix: string, number: number): string => `${prefix}-n${number}`
export const nodeAddress = (subnet: string, number: number): string => `${subnet}.${number}`

/** Shell commands, to be run in the node's namespace when its links are there. */
export function nodeCommands({ number, subnet, datapath, pods, bare }: NodePlan): string[] {
  // The kernel sees each frame that Open vSwitch reads from a device. Without these it would answer a pod's ARP for
  // the node's underlay address, and take in packets for it.
  const deaf = { 'ipv4/ip_forward': 0, 'ipv4/conf/all/arp_ignore': 1, 'ipv4/conf/all/rp_filter': 1 }
  return [
    ...silence,
    ...setSysctls(deaf),
    "ip -batch - <<'END'",
    'link set lo up',
    ...(datapath === 'kernel' || bare ? [`addr add ${nodeAddress(subnet, number)}/24 dev uplink`] : []),
    'link set uplink up',
    ...pods.map(pod => `link set ${deviceOf(pod)} up`),
    'END',
  ]
}

/** The switch is not started yet: `startNode` does, when the node's namespace is complete. */
export const openNodeOvs = (plan: NodePlan): Promise<Ovs> =>
  openOvs(
    {
      directory: `${plan.directory}/n${plan.number}`,
      netns: nodeNetns(plan.prefix, plan.number),
      datapath: plan.datapath,
    },
    plan.bare ? [] : switchConfig(plan),
  )

function switchConfig({ number, subnet, datapath, linkedTo, pods }: NodePlan): string[] {
  const vxlan = linkedTo.map(other =>
    addPort({
      ...{ bridge, name: `vx${other}`, ofport: linkPort(other), type: 'vxlan' },
      options: { remote_ip: nodeAddress(subnet, other), local_ip: nodeAddress(subnet, number), key: 'flow' },
    }),
  )
  // In userspace a tunnel is sent out only through a bridge of the same kind that owns the address. Its MAC is not the
  // uplink's own, or the kernel would take in what arrives there a second time.
  const physical = [
    addBridge({ name: 'br-phy', datapath, failMode: 'standalone', mac: underlayMac(number) }),
    addPort({ bridge: 'br-phy', name: 'uplink', ofport: 1 }),
  ]
  return sequence(
    ...(datapath === 'userspace' ? physical : []),
    addBridge({ name: bridge, datapath, dpid: hex(number, 16) }),
    ...vxlan,
    ...pods.map(pod => addPort({ bridge, name: deviceOf(pod), ofport: pod.port })),
  )
}

/** Starts the switch, gives the underlay its address back (a device of ovs-vswitchd dies with it), and warms the tunnels. */
async function startSwitch(plan: NodePlan, ovs: Ovs): Promise<void> {
  const { number, subnet, datapath, linkedTo } = plan
  const device = datapath === 'userspace' ? 'br-phy' : 'uplink'
  await ovs.start()
  if (plan.bare) return
  await checkInterfaces(ovs)
  const neighbours = linkedTo.map(other => ({ address: nodeAddress(subnet, other), mac: underlayMac(other) }))
  if (datapath === 'kernel') {
    const known = neighbours.map(({ address, mac }) => `neigh replace ${address} lladdr ${mac} dev ${device}`)
    await ipBatch(known, nodeNetns(plan.prefix, number))
    return
  }
  const up = [
    `addr replace ${nodeAddress(subnet, number)}/24 dev ${device}`,
    `link set ${device} up`,
    `neigh replace ${gateAddress(subnet)} lladdr ${gateMac} dev ${device}`,
    `neigh replace ${ctlAddress(subnet)} lladdr ${underlayMac('ctl')} dev ${device}`,
  ]
  await ipBatch(up, nodeNetns(plan.prefix, number))
  // Open vSwitch can lose what is sent through a device that just came up. A controller connection's ARP or SYN would
  // be repeated only a second later: so addresses are known, and a ping goes first, every 10 ms until it is answered.
  await run('ping', ['-q', '-c', '1', '-i', '0.01', '-w', '5', gateAddress(subnet)], {
    netns: nodeNetns(plan.prefix, number),
  })
  // The first frame over a tunnel would be lost to the search for the peer's MAC.
  await Promise.all(neighbours.map(({ address, mac }) => ovs.appctl('tnl/neigh/set', device, address, mac)))
}

export async function startNode(plan: NodePlan, ovs: Ovs, controllers: readonly string[]): Promise<Node> {
  await startSwitch(plan, ovs)
  // Not before the address is there: a first try that fails costs a second of back-off.
  const own = plan.bare ?? { bridge, dpid: hex(plan.number, 16) }
  if (controllers.length > 0 && !plan.bare) await ovs.vsctl(...setControllers(bridge, controllers))
  const { number } = plan
  const node: Node = {
    number,
    name: `n${number}`,
    netns: nodeNetns(plan.prefix, number),
    dpid: own.dpid,
    address: nodeAddress(plan.subnet, number),
    bridge: own.bridge,
    links: new Map(plan.linkedTo.map(other => [other, linkPort(other)])),
    ovs,
    dumpFlows: async () => entries(await ovs.ofctl(own.bridge, 'dump-flows')),
    dumpGroups: async () => entries(await ovs.ofctl(own.bridge, 'dump-groups')),
    trace: async flow => {
      const text = await ovs.appctl('ofproto/trace', own.bridge, flow)
      return { actions: /^Datapath actions: (.*)$/m.exec(text)?.[1] ?? '', text }
    },
    addFlows: async flows => {
      await ovs.ofctl(own.bridge, 'add-flows', ['-'], `${flows.join('\n')}\n`)
      await node.settle()
    },
    deleteFlows: async (match = '') => {
      await ovs.ofctl(own.bridge, 'del-flows', [match])
      await node.settle()
    },
    settle: async () => void (await ovs.appctl('revalidator/wait')),
    connect: async targets => {
      await ovs.vsctl(...setControllers(own.bridge, targets))
    },
    reconnect: () => reconnect(ovs),
    restart: async how => {
      await ovs.stop(how)
      await startSwitch(plan, ovs)
      await node.reconnect()
    },
  }
  return node
}

/**
 * Open vSwitch renews a connection whose target is spelled in another way: a zero before the port number
 * is enough, and the controllers are never none in between, which would flush all flows.
 */
async function reconnect(ovs: Ovs): Promise<void> {
  const found = await ovs.vsctl('--format=json', '--columns=_uuid,target', 'list', 'controller')
  const { data: rows }: { data: [[string, string], string][] } = JSON.parse(found)
  const respelled = rows.map(([[, uuid], target]) => ['set', 'controller', uuid, `target="${respell(target)}"`])
  if (rows.length > 0) await ovs.vsctl('--no-wait', ...sequence(...respelled))
}

export const respell = (target: string): string =>
  /:0\d+$/.test(target) ? target.replace(/:0(\d+)$/, ':$1') : target.replace(/:(\d+)$/, ':0$1')

/** Lines that are entries: what follows a header, which starts at the line's beginning in capitals. */
const entries = (text: string): string[] =>
  text
    .split('\n')
    .filter(line => /^ \S/.test(line))
    .map(line => line.trim())
