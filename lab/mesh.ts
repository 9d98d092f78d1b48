/**
 * A mesh to try things on: nodes with a real Open vSwitch each, VXLAN links between them, pods on their switches, and a
 * place on the underlay where a controller in the caller's own namespace listens. All in network namespaces.
 *
 *   caller's namespace        l2sm-..-und             l2sm-..-n1                     l2sm-..-pod-n1p1
 *   controller, tests         Linux bridge br0        Open vSwitch
 *   198.18.x.254 ── veth ──── ctl │ u1 ── veth ─────  uplink ─ br-phy 198.18.x.1
 *                                 │ u2 ── ...              br-l2 ─ port 1 ── veth ──────  eth0 10.200.1.1
 *                                                           └ port 10002: VXLAN to node 2
 *
 * With the kernel's datapath there is no br-phy: uplink has the address itself.
 */

import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CommandFailed, endCommands, ipBatch, run, shell } from './command.ts'
import { requirements, spell } from './install.ts'
import { killWithin, ownerPrefix, removeOwned, sweep } from './leftovers.ts'
import { bridge, type Node, type NodePlan, nodeCommands, nodeNetns, openNodeOvs, startNode } from './node.ts'
import { addPort, checkInterfaces, type Datapath, findDatapath } from './ovs.ts'
import {
  cablePort,
  deviceOf,
  fillChecksums,
  type Pod,
  type PodSpec,
  podCommands,
  podLinks,
  podOf,
  silence,
} from './pod.ts'
import { waitForEnd } from './proc.ts'
import { claimSubnet } from './subnet.ts'
import {
  ctlAddress,
  type Loss,
  type Place,
  setCable,
  setLosses,
  type Underlay,
  underlayCommands,
  underlayLinks,
  underlayMac,
} from './underlay.ts'

export type MeshOptions = {
  /** How many nodes, 1 to 250. */
  readonly nodes: number
  /** Pods on ports 1, 2, ... of each node. Default 0; `addPod` makes others. */
  readonly podsPerNode?: number
  /** Where the nodes' switches look for controllers, on `ctl.address`. Default [6653]; with [] they have none. */
  readonly controllerPorts?: readonly number[]
  /** Pairs of nodes with a VXLAN link. Default 'full'. */
  readonly links?: 'full' | readonly (readonly [number, number])[]
  /** Found out by trying when left out: the kernel's where it has one. */
  readonly datapath?: Datapath
  /**
   * The nodes have Open vSwitch and their address, and no bridge: whoever makes it, by these names, says `adopt` for pods.
   * `links` only says which there will be.
   */
  readonly bare?: (node: number) => { readonly bridge: string; readonly dpid: string }
  /** Leaves the checksums of what comes to the nodes to hardware that there is not, as veths and virtual machines do. Default false. */
  readonly offload?: boolean
  /** On SIGINT, SIGTERM and SIGHUP, remove everything and end the process. Default true; with false the caller sees to it. */
  readonly signals?: boolean
}

export type Mesh = {
  /** Starts the names of all that belongs to this mesh. */
  readonly prefix: string
  readonly directory: string
  readonly datapath: Datapath
  /** Where a controller listens: an address of the caller's own namespace. */
  readonly ctl: { readonly address: string; readonly device: string }
  /** Node number n is at index n - 1. */
  readonly nodes: readonly Node[]
  node(number: number): Node
  pods(): readonly Pod[]
  addPod(node: number, spec: PodSpec): Promise<Pod>
  /** A pod gets a device that is on the node, as Multus would give it: renamed, with the pod's MAC, and otherwise as it is. */
  adopt(node: number, device: string, spec: PodSpec): Promise<Pod>
  /** The pod and its interface go. With `keepPort` the port stays in the switch's configuration, without link, as when a real pod dies. */
  removePod(pod: Pod, how?: { readonly keepPort: boolean }): Promise<void>
  /** Runs a command in a pod, resolves with what it printed. */
  exec(pod: Pod, command: string, ...args: string[]): Promise<string>
  /** How many of `count` pings (default 1, 20 ms apart) were answered within a second, to the first address of `to`. */
  ping(from: Pod, to: Pod, count?: number): Promise<number>
  /** Joins two nodes by a plain cable, a port of each switch at its ends: see Cable. */
  cable(a: number, b: number): Promise<Cable>
  /** Loses this share (0 to 1) of the frames between two places of the underlay, both ways; 1 cuts them off from each other. */
  lose(a: Place, b: Place, share: number): Promise<void>
  /** Loses frames between two places, both ways, with more than `mtu` bytes after their Ethernet header; those of tunnels have theirs in front. */
  narrow(a: Place, b: Place, mtu: number): Promise<void>
  /** Pulls the underlay's cable of a place. */
  cut(place: Place): Promise<void>
  /** Plugs it in again. */
  mend(place: Place): Promise<void>
  /** Removes everything. Whatever runs in its namespaces is killed. */
  close(): Promise<void>
}

/** A veth from switch to switch, with no tunnel in it. */
export type Cable = {
  /** The OpenFlow port of each end: on node a, which is at index 0, and on node b. */
  readonly ports: readonly [number, number]
  /** Loses all frames both ways, without a port going down; or no more. */
  lose(all: boolean): Promise<void>
}

/** Rejects when the machine lacks something (see `requirements`). When it rejects, nothing is left behind. */
export async function makeMesh(options: MeshOptions): Promise<Mesh> {
  const { nodes: count, signals = true } = options
  const missing = requirements()
  if (missing.length > 0) throw new Error(`a mesh needs ${spell(missing)}`)
  if (!Number.isInteger(count) || count < 1 || count > 250) throw new Error(`nodes: ${count}, expected 1 to 250`)
  sweep()
  const lab = randomBytes(3).toString('hex')
  const remove = () => removeOwned(owner => owner.pid === process.pid && owner.lab === lab)
  const forget = removeAtExit(remove, signals)
  const subnet = await claimSubnet()
  const close = async () => {
    const { processes } = remove()
    await Promise.all([subnet.release(), ...processes.map(waitForEnd)])
    forget()
  }
  try {
    return await build(options, ownerPrefix(lab), subnet.prefix, close)
  } catch (error) {
    await close()
    throw error
  }
}

/** However the process ends, short of SIGKILL, `remove` runs. Returns what calls that off. */
function removeAtExit(remove: () => unknown, signals: boolean): () => void {
  const numbers = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 } as const
  const listeners = Object.entries(numbers).map(([signal, number]) => ({
    signal,
    listener: () => process.exit(128 + number),
  }))
  // A command that was making something may have finished that while the rest was removed: so once more.
  const leave = () => {
    endCommands()
    remove()
    remove()
  }
  process.on('exit', leave)
  if (signals) for (const { signal, listener } of listeners) process.on(signal, listener)
  return () => {
    process.off('exit', leave)
    for (const { signal, listener } of listeners) process.off(signal, listener)
  }
}

async function build(options: MeshOptions, prefix: string, subnet: string, close: () => Promise<void>): Promise<Mesh> {
  const { nodes: count, podsPerNode = 0, controllerPorts = [6653], links = 'full' } = options
  const directory = join(tmpdir(), prefix)
  const numbers = range(count)
  const places: Place[] = [...numbers, 'ctl']
  const underlay: Underlay = { netns: `${prefix}-und`, macs: new Map(places.map(place => [place, underlayMac(place)])) }
  const ctl = { address: ctlAddress(subnet), device: prefix.replace(/^l2sm-.*-/, 'l2sm-') }
  await Promise.all([
    mkdir(directory, { mode: 0o700 }),
    ipBatch([underlay.netns, ...numbers.map(number => nodeNetns(prefix, number))].map(name => `netns add ${name}`)),
  ])
  const datapath = options.datapath ?? (await findDatapath(underlay.netns))
  const plans = numbers.map((number): NodePlan => {
    const pods = range(podsPerNode).map(port => podOf(prefix, number, { port }))
    const bare = options.bare?.(number)
    return { number, prefix, directory, subnet, datapath, linkedTo: linkedTo(number, count, links), pods, bare }
  })
  const pods = plans.flatMap(plan => plan.pods)
  await ipBatch([
    ...underlayLinks(
      underlay,
      { ...ctl, alias: prefix },
      number => nodeNetns(prefix, number),
      datapath === 'kernel' || options.bare !== undefined,
    ),
    ...pods.flatMap(pod => podLinks(pod, nodeNetns(prefix, pod.node))),
  ])
  const controllers = controllerPorts.map(port => `tcp:${ctl.address}:${port}`)
  const wired = shell(underlay.netns, [...silence, ...underlayCommands(places, subnet, options.offload)])
  const [nodes] = await Promise.all([
    Promise.all(plans.map(plan => makeNode(plan, controllers, wired))),
    ...pods.map(pod => shell(pod.netns, [...podCommands(pod), fillChecksums])),
  ])
  const node = (number: number): Node => {
    const found = nodes[number - 1]
    if (found === undefined) throw new Error(`node ${number}: the mesh has nodes 1 to ${nodes.length}`)
    return found
  }
  return {
    ...{ prefix, directory, datapath, ctl, nodes, node, close, ping },
    exec: (pod, command, ...args) => run(command, args, { netns: pod.netns }),
    ...podOperations(prefix, node, pods),
    ...underlayOperations(underlay),
    cable: (a, b) => layCable(node(a), node(b)),
  }
}

async function layCable(a: Node, b: Node): Promise<Cable> {
  const end = (other: Node) => ({ name: `cable${other.number}`, ofport: cablePort(other.number) })
  const [there, here] = [end(b), end(a)]
  // Room for a full-sized frame with tags.
  await ipBatch([
    `link add name ${there.name} mtu 1600 netns ${a.netns} type veth peer name ${here.name} mtu 1600 netns ${b.netns}`,
  ])
  const ends = [
    [a, there],
    [b, here],
  ] as const
  await Promise.all(
    ends.map(async ([{ netns, ovs }, { name, ofport }]) => {
      await shell(netns, [`ip link set ${name} up`, `ethtool -K ${name} tx off >/dev/null`])
      await ovs.vsctl(...addPort({ bridge, name, ofport }))
      await checkInterfaces(ovs)
    }),
  )
  const lossy = async (netns: string, name: string, all: boolean) => {
    await run('tc', ['qdisc', 'replace', 'dev', name, 'clsact'], { netns })
    await run('tc', ['filter', 'del', 'dev', name, 'egress'], { netns })
    if (!all) return
    const drop = ['protocol', 'all', 'prio', '1', 'bpf', 'bytecode', '1,6 0 0 2', 'direct-action']
    await run('tc', ['filter', 'add', 'dev', name, 'egress', ...drop], { netns })
  }
  return {
    ports: [there.ofport, here.ofport],
    lose: async all => void (await Promise.all(ends.map(([{ netns }, { name }]) => lossy(netns, name, all)))),
  }
}

async function makeNode(plan: NodePlan, controllers: readonly string[], wired: Promise<unknown>): Promise<Node> {
  const [ovs] = await Promise.all([
    openNodeOvs(plan),
    shell(nodeNetns(plan.prefix, plan.number), nodeCommands(plan)),
    wired,
  ])
  return startNode(plan, ovs, controllers)
}

/** What is done with pods while the mesh stands. */
function podOperations(
  prefix: string,
  node: Mesh['node'],
  first: readonly Pod[],
): Pick<Mesh, 'pods' | 'addPod' | 'adopt' | 'removePod'> {
  const pods = new Map(first.map(pod => [pod.name, pod]))
  const adopted = new Set<Pod>()
  const announce = (number: number, spec: PodSpec): Pod => {
    const pod = podOf(prefix, number, spec)
    if (pods.has(pod.name)) throw new Error(`pod ${pod.name}: there is one of that name`)
    pods.set(pod.name, pod)
    return pod
  }
  return {
    pods: () => [...pods.values()],
    addPod: async (number, spec) => {
      const { netns, ovs } = node(number)
      const pod = announce(number, spec)
      await ipBatch(podLinks(pod, netns))
      await Promise.all([
        ipBatch([`link set ${deviceOf(pod)} up`], netns),
        shell(pod.netns, [...podCommands(pod), fillChecksums]),
      ])
      // A port that was kept: the userspace datapath would go on reading the device that is gone, and yet say LIVE.
      await ovs.vsctl('--if-exists', 'del-port', bridge, deviceOf(pod))
      await ovs.vsctl(...addPort({ bridge, name: deviceOf(pod), ofport: pod.port }))
      await checkInterfaces(ovs)
      return pod
    },
    adopt: async (number, device, spec) => {
      const pod = announce(number, spec)
      adopted.add(pod)
      await ipBatch([`netns add ${pod.netns}`])
      await ipBatch([`link set ${device} netns ${pod.netns}`], node(number).netns)
      await shell(pod.netns, podCommands(pod, [`link set ${device} name eth0`, `link set eth0 address ${pod.mac}`]))
      return pod
    },
    removePod: async (pod, { keepPort } = { keepPort: false }) => {
      const { netns, ovs } = node(pod.node)
      if (!keepPort && !adopted.has(pod)) await ovs.vsctl('--if-exists', 'del-port', bridge, deviceOf(pod))
      killWithin([pod.netns], [])
      // One that was adopted ends with its namespace.
      if (!adopted.delete(pod)) await ipBatch([`link del ${deviceOf(pod)}`], netns)
      await ipBatch([`netns del ${pod.netns}`])
      pods.delete(pod.name)
    },
  }
}

/** What is done to the underlay while the mesh stands. */
function underlayOperations(underlay: Underlay): Pick<Mesh, 'lose' | 'narrow' | 'cut' | 'mend'> {
  const losses = new Map<Place, Loss[]>()
  const known = (place: Place) => {
    if (!underlay.macs.has(place))
      throw new Error(`place ${place}: the underlay has ${[...underlay.macs.keys()].join(', ')}`)
  }
  const loseOneWay = async (from: Place, to: Place, change: Partial<Loss>) => {
    const before = losses.get(to) ?? []
    const loss = { share: 0, ...before.find(loss => loss.from === from), from, to, ...change }
    losses.set(to, [...before.filter(loss => loss.from !== from), loss])
    await setLosses(underlay, to, losses.get(to)!)
  }
  const both = async (a: Place, b: Place, change: Partial<Loss>) => {
    known(a)
    known(b)
    await loseOneWay(a, b, change)
    await loseOneWay(b, a, change)
  }
  const plug = async (place: Place, plugged: boolean) => {
    known(place)
    await setCable(underlay, place, plugged)
  }
  return {
    lose: (a, b, share) => both(a, b, { share }),
    narrow: (a, b, mtu) => both(a, b, { mtu }),
    cut: place => plug(place, false),
    mend: place => plug(place, true),
  }
}

async function ping(from: Pod, to: Pod, count = 1): Promise<number> {
  const target = to.ips[0]?.split('/')[0]
  if (target === undefined) throw new Error(`pod ${to.name} has no address to ping`)
  const args = ['-n', '-q', '-c', String(count), '-i', '0.02', '-W', '1', target]
  const answer = await run('ping', args, { netns: from.netns }).catch(error => {
    // Exit code 1: not every ping was answered.
    if (error instanceof CommandFailed && error.code === 1) return error.stdout
    throw error
  })
  return Number(/(\d+) received/.exec(answer)?.[1] ?? 0)
}

/** The other ends of a node's links. */
function linkedTo(number: number, count: number, links: 'full' | readonly (readonly [number, number])[]): number[] {
  if (links === 'full') return range(count).filter(other => other !== number)
  const ends = links.flatMap(([a, b]) => (a === number ? [b] : b === number ? [a] : []))
  for (const end of ends)
    if (!(end >= 1 && end <= count)) throw new Error(`link ${number}-${end}: the mesh has nodes 1 to ${count}`)
  return [...new Set(ends)]
}

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1)
