// Nodes with a real Open vSwitch and nothing on it, an agent on each as it is run, and a controller: the mesh makes itself.
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Test } from 'tap'
import type { NodePlan } from '../../api/contract/node-schemas.ts'
import { inNamespace, run } from '../../lab/command.ts'
import type { Pod } from '../../lab/pod.ts'
import { bridgeName, datapathOf, interfaceNames, tunnelName } from '../../topology/names.ts'
import { l2sm, run as runCommand } from '../cli/command.ts'
import { until } from '../controller/watching.ts'
import { makeStage, openflowPort, type Stage } from './stage.ts'

export type Line = { readonly level: number; readonly msg: string }

export type Agents = {
  readonly stage: Stage
  readonly log: readonly Line[]
  plan(node: number): NodePlan
  /** Writes the node's plan anew, as whoever replaces a file would. */
  change(node: number, over: (plan: NodePlan) => Partial<NodePlan>): void
  /** With other variables than ours. */
  start(node: number, env?: Readonly<Record<string, string>>): Promise<void>
  /** Resolves with its exit code or signal. */
  stop(node: number, signal: NodeJS.Signals): Promise<number | string | null>
  /** Until the agent says that all is as planned, and so does this. */
  settled(node: number, also?: () => Promise<boolean> | boolean): Promise<void>
  metrics(node: number): Promise<string>
  /** What /readyz says; nothing while it can't be asked. */
  health(node: number): Promise<string>
  /** Runs `l2sm agent --remove` on the node. */
  remove(node: number): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>
  /** Until the agent has looked at the node once more: it repairs something that is wrong from now on. */
  looked(node: number): Promise<void>
  /** Runs a command on the node. */
  on(node: number, command: string): Promise<string>
  /** A pod on that interface of the node, as Multus would make it. */
  pod(node: number, number: number): Promise<Pod>
}

export type AgentsOptions = {
  readonly nodes: number
  readonly interfaces?: number
  readonly spare?: number
  readonly links?: 'full' | readonly (readonly [number, number])[]
  readonly bfd?: boolean
  /** See MeshOptions. */
  readonly offload?: boolean
  /** False: no agent yet. */
  readonly start?: boolean
  /** Options of the agents that say where plans come from. Default: a file for each. */
  readonly source?: (node: number) => readonly string[]
}

const httpPort = 8182
export const nameOf = (node: number): string => `n${node}`
export const bridgeOf = (node: number): string => bridgeName(nameOf(node))
export const tunnelOf = (node: number, to: number): string => tunnelName(bridgeOf(node), nameOf(to))
export const bridgeEndOf = (node: number, number: number): string =>
  `${interfaceNames(bridgeOf(node)).bridgePrefix}${number}`
const podEndOf = (node: number, number: number) => `${interfaceNames(bridgeOf(node)).podPrefix}${number}`
const bare = (node: number) => ({ bridge: bridgeOf(node), dpid: datapathOf(bridgeOf(node)) })

export async function makeAgents(t: Test, options: AgentsOptions): Promise<Agents> {
  const { nodes, interfaces = 3, spare = 0, links = 'full', bfd = false, offload = false } = options
  const stage = await makeStage(t, { nodes, links, bare, offload, start: false })
  const { mesh } = stage
  const plans = new Map<number, NodePlan>()
  const running = new Map<number, { child: ChildProcess; ended: Promise<number | string | null> }>()
  const log: Line[] = []
  const fileOf = (node: number) => join(mesh.directory, `plan-${node}.json`)
  const stateOf = (node: number) => join(mesh.directory, `state-${node}`)
  const write = (node: number, plan: NodePlan) => {
    const { version: _, ...rest } = plan
    const version = createHash('sha256').update(JSON.stringify(rest)).digest('hex').slice(0, 16)
    plans.set(node, { ...plan, version })
    writeFileSync(`${fileOf(node)}.new`, JSON.stringify({ ...plan, version }))
    renameSync(`${fileOf(node)}.new`, fileOf(node))
  }
  for (const { number, address, links: to } of mesh.nodes)
    write(number, {
      ...{ node: nameOf(number), version: '', provider: 'l2sm-controller', ...bare(number), underlay: { address } },
      links: [...to.keys()].map((other, index) => ({
        ...{ peer: nameOf(other), name: tunnelOf(number, other), port: 100 + index, type: 'vxlan', udpPort: 7000, bfd },
        ...{ local: address, remote: mesh.node(other).address },
      })),
      interfaces: { fixed: interfaces, spare, most: 200, ...interfaceNames(bridgeOf(number)) },
      controllers: [`tcp:${mesh.ctl.address}:${openflowPort}`],
      openvswitch: { datapath: 'auto', inactivityProbe: 5000, maxBackoff: 1000 },
    })

  const start = async (node: number, more: Readonly<Record<string, string>> = {}) => {
    const { netns, ovs, address } = mesh.node(node)
    const source = options.source?.(node) ?? ['--plan', fileOf(node)]
    const own = [
      ...source,
      '--ovs',
      join(ovs.directory, 'db.sock'),
      '--http',
      `${address}:${httpPort}`,
      '--state',
      stateOf(node),
      '--tls-folder',
      mesh.directory,
    ]
    const [command, args] = inNamespace(netns, process.execPath, [l2sm, 'agent', ...own])
    const { NODE_OPTIONS: _, ...env } = process.env
    const child = spawn(command, args, { env: { ...env, ...more }, stdio: ['ignore', 'pipe', 'pipe'] })
    const ended = new Promise<number | string | null>(resolve => child.on('close', (code, by) => resolve(code ?? by)))
    running.set(node, { child, ended })
    createInterface(child.stdout).on('line', text => log.push({ ...JSON.parse(text), node }))
    createInterface(child.stderr).on('line', text => log.push({ level: 60, msg: `n${node}: ${text}` }))
  }
  const stop = async (node: number, signal: NodeJS.Signals) => {
    const agent = running.get(node)
    running.delete(node)
    agent?.child.kill(signal)
    return (await agent?.ended) ?? null
  }
  if (process.env['SHOW']) t.teardown(() => console.error(log.map(l => JSON.stringify(l)).join('\n')))
  t.teardown(() => Promise.all([...running.keys()].map(node => stop(node, 'SIGKILL'))))
  const get = (node: number, path: string) =>
    fetch(`http://${mesh.node(node).address}:${httpPort}${path}`, { signal: AbortSignal.timeout(2_000) })
  const lately = () =>
    `\n${log
      .slice(-12)
      .map(line => JSON.stringify(line))
      .join('\n')}`
  const settled: Agents['settled'] = async (node, also = () => true) => {
    const isSettled = async () => {
      const { status } = await get(node, '/readyz').catch(() => ({ status: 0 }))
      return status === 200 && (await also())
    }
    await until(`node ${node} is as planned`, isSettled, { ms: 60_000, why: lately })
  }
  if (options.start !== false) {
    await Promise.all(mesh.nodes.map(({ number }) => start(number)))
    await Promise.all(mesh.nodes.map(({ number }) => settled(number)))
  }
  return {
    ...{ stage, log, start, stop, settled },
    plan: node => plans.get(node)!,
    change: (node, over) => write(node, { ...plans.get(node)!, ...over(plans.get(node)!) }),
    health: node =>
      get(node, '/readyz').then(
        answer => answer.text(),
        () => '',
      ),
    metrics: async node => (await get(node, '/metrics')).text(),
    remove: node => {
      const { netns, ovs } = mesh.node(node)
      const whose = ['--node', nameOf(node), '--ovs', join(ovs.directory, 'db.sock'), '--state', stateOf(node)]
      return runCommand(['agent', '--remove', ...whose], {}, { netns })
    },
    looked: async node => {
      const { ovs } = mesh.node(node)
      await ovs.vsctl('set', 'bridge', bridgeOf(node), 'fail_mode=standalone')
      const mode = () => ovs.vsctl('get', 'bridge', bridgeOf(node), 'fail_mode')
      await until('it has looked', async () => (await mode()).trim() === 'secure', { why: lately })
    },
    on: (node, command) => run('sh', ['-ec', command], { netns: mesh.node(node).netns }),
    pod: async (node, number) => {
      const pod = await mesh.adopt(node, podEndOf(node, number), { port: number })
      await stage.frames.open(pod)
      return pod
    },
  }
}
