// A mesh of real switches, the controller as a process of its own, and pods whose frames are counted.
import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { broadcast, probe } from '../../lab/frame.ts'
import { type Frames, openFrames, type Stream } from '../../lab/frames.ts'
import { type Mesh, makeMesh } from '../../lab/mesh.ts'
import type { Pod } from '../../lab/pod.ts'
import { startController } from '../cli/command.ts'
import { until } from '../controller/watching.ts'
import { type Hops, openHops } from './hops.ts'
import type { NetworkPlan, Pair, Plan } from './plan.ts'

/** Milliseconds of CLOCK_MONOTONIC, as frames.py has it. */
export const now = (): number => Number(process.hrtime.bigint() / 1000n) / 1000

export type Flow = {
  readonly network: string
  readonly from: Pod
  /** Absent: to all. */
  readonly to: Pod | undefined
  readonly pps: number
  readonly stream: Stream
}

export type Stage = {
  readonly mesh: Mesh
  readonly frames: Frames
  readonly hops: Hops
  members(network: string): readonly Pod[]
  rest(method: string, path: string, body?: object): Promise<{ readonly status: number; readonly body: any }>
  startController(): Promise<void>
  endController(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
  /** What controllers have logged so far, in order. */
  log(): readonly LogLine[]
  /** Ready, every switch live, every network programmed. */
  isCalm(): Promise<string | undefined>
  /** Every member hears every other one of its network, once. What is missing, in words. */
  hears(): Promise<readonly string[]>
  linkPath(link: Pair): string
  flow(network: string, from: Pod, to: Pod | undefined, pps: number): Promise<Flow>
}

type LogLine = Awaited<ReturnType<typeof startController>>['log'][number]

export type Ends = { teardown(end: () => unknown): unknown }

export async function makeStage(ends: Ends, plan: Plan): Promise<Stage> {
  // Whoever else runs on this machine has other ports.
  const port = randomInt(20_000, 30_000)
  const mesh = await makeMesh({ nodes: plan.nodes, links: plan.links, controllerPorts: [port] })
  ends.teardown(() => mesh.close())
  for (const { port, nodes } of plan.networks) for (const node of nodes) await mesh.addPod(node, { port })
  const frames = await openFrames(mesh.pods())
  ends.teardown(() => frames.close())
  const hops = await openHops(
    `${mesh.prefix}-und`,
    mesh.nodes.map(({ number }) => `u${number}`),
  )
  ends.teardown(() => hops.close())
  const past: LogLine[] = []
  let running: Awaited<ReturnType<typeof startController>> | undefined
  const rest: Stage['rest'] = async (method, path, body) => {
    if (!running) throw new Error(`${method} ${path}: no controller runs`)
    const json = { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
    const answer = await fetch(`${running.base}${path}`, {
      method,
      ...(body && json),
      signal: AbortSignal.timeout(15_000),
    })
    const text = await answer.text()
    return { status: answer.status, body: text.startsWith('{') ? JSON.parse(text) : text }
  }
  const members = (network: string) => {
    const { port } = plan.networks.find(({ id }) => id === network)!
    return mesh.pods().filter(pod => pod.port === port)
  }
  const isCalm = async () => {
    if (!running) return 'no controller runs'
    const ready = await rest('GET', '/readyz')
    if (ready.status !== 200) return `not ready: ${JSON.stringify(ready.body)}`
    const { switches } = (await rest('GET', '/v1/switches')).body
    const bad = switches.filter((sw: any) => sw.state !== 'live' || !sw.connected)
    if (switches.length < plan.nodes || bad.length > 0)
      return `switches: ${bad.map((sw: any) => `${sw.dpid} ${sw.state} ${sw.reason ?? ''}`).join(', ')} of ${switches.length}`
    for (const { id } of plan.networks) {
      const { body } = await rest('GET', `/v1/networks/${id}`)
      if (body.state !== 'programmed') return `network ${id} is ${body.state}: ${body.reason}`
    }
    return undefined
  }
  const stage: Stage = {
    ...{ mesh, frames, hops, members, rest, isCalm },
    log: () => [...past, ...(running?.log ?? [])],
    async startController() {
      const store = `sqlite:${join(mesh.directory, 'l2sm.db')}`
      const address = `tcp:${mesh.ctl.address}:${port}`
      running = await startController(ends, ['--openflow', address, '--http', '127.0.0.1:0', '--store', store])
    },
    async endController(signal) {
      const ended = running
      running = undefined
      await ended?.stop(signal)
      if (ended) past.push(...ended.log)
    },
    async hears() {
      const missing: string[] = []
      for (const { id } of plan.networks) {
        const pods = members(id)
        const reach = await frames.reach(pods, { quiet: 300 })
        for (const a of pods)
          for (const b of pods) {
            const times = reach.times(a, b)
            if (times !== (a === b ? 0 : 1)) missing.push(`${id}: ${b.name} hears ${a.name} ${times} times`)
          }
      }
      return missing
    },
    linkPath([a, b]) {
      const [from, to] = [mesh.node(a), mesh.node(b)]
      return `/v1/links/${from.dpid}/${from.links.get(b)}/${to.dpid}/${to.links.get(a)}`
    },
    async flow(network, from, to, pps) {
      const template = (counted: { stream: number; sequence: number }) =>
        probe({ dst: to?.mac ?? broadcast, src: from.mac }, counted)
      const stream = await frames.stream(from, template, { pps, seconds: 600 })
      return { network, from, to, pps, stream }
    },
  }
  // What will lose frames on purpose is put in place: to add it under traffic loses some, too.
  for (const [a, b] of plan.links) await mesh.lose(a, b, 0)
  for (const { number } of mesh.nodes) await mesh.lose(number, 'ctl', 0)
  await stage.startController()
  await until(
    'all links are known',
    async () => {
      const { links } = (await rest('GET', '/v1/links')).body
      return links.filter((link: any) => link.state === 'up').length >= 2 * plan.links.length
    },
    { ms: 60_000 },
  )
  for (const network of plan.networks) await makeNetwork(stage, network)
  await until('all is calm', async () => (await isCalm()) === undefined, { ms: 60_000 })
  await until('everybody hears everybody', async () => (await stage.hears()).length === 0, { ms: 30_000 })
  return stage
}

async function makeNetwork({ rest, mesh, members }: Stage, { id, how }: NetworkPlan): Promise<void> {
  await rest('PUT', `/v1/networks/${id}`, {})
  for (const pod of members(id)) {
    const path = `/v1/networks/${id}/attachments/${mesh.node(pod.node).dpid}/${pod.port}`
    const { status, body } = await rest('PUT', path, how === 'pinned' ? { mac: pod.mac } : {})
    if (status >= 300) throw new Error(`PUT ${path}: ${status} ${JSON.stringify(body)}`)
  }
}
