/** What the demo plays on: a mesh, a controller, two networks with a pod on every node, and a port that is nobody's. */

import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type * as nodeSchemas from '../../api/contract/mesh-schemas.ts'
import type * as schemas from '../../api/contract/schemas.ts'
import { enlargeBuffers } from '../../lab/buffers.ts'
import { type Frames, openFrames } from '../../lab/frames.ts'
import { type Mesh, makeMesh } from '../../lab/mesh.ts'
import { type Member, ports } from './member.ts'
import { type Agents, meshWish, planOf, startAgents, switchOf } from './nodes.ts'
import { freePort, isReady, lastWords, linesOf, type Program, spawnProgram } from './program.ts'
import { curl, type Rest, restAt, until } from './rest.ts'

export type Stage = {
  readonly mesh: Mesh
  /** Red ones by node, then blue ones, then nobody. */
  readonly members: readonly Member[]
  readonly frames: Frames
  readonly rest: Rest
  /** The networks' numbers, as the controller gave them: the VNIs of their frames. */
  readonly numbers: Readonly<Record<'red' | 'blue', number>>
  /** The port of node 1's link to node 2. */
  readonly link: number
  readonly controller: Restartable
  close(): Promise<void>
}

export type Restartable = {
  /** What it is started with, after `l2sm controller`. */
  readonly options: readonly string[]
  readonly log: string
  pid(): number
  /** Resolves when the process is gone. */
  kill(signal: NodeJS.Signals): Promise<void>
  /** Starts it again, and resolves when every switch is as it should be. */
  start(): Promise<void>
}

type Say = (line: string) => void

/** Builds all of it, telling what it does. When it rejects, or the process exits, what it made is gone. */
export async function buildStage(nodes: number, say: Say): Promise<Stage> {
  const began = performance.now()
  // The entry point ends the process on signals: 'exit' removes the mesh then.
  const mesh = await makeMesh({ nodes, controllerPorts: [], bare: switchOf, signals: false })
  const open: (() => Promise<unknown>)[] = [mesh.close]
  const close = async () => {
    for (const one of open.splice(0).reverse()) await one()
  }
  try {
    const seconds = () => ((performance.now() - began) / 1000).toFixed(1)
    say(step('nodes', `${nodes}, each with an Open vSwitch and nothing on it; made in ${seconds()} s`))

    const { rest, token, ...controller } = await startController(mesh, 8181)
    open.push(() => controller.kill('SIGTERM'))
    say(step('controller', `process ${controller.pid()}, its log in ${controller.log}`))
    await rest.put('/v1/mesh', meshWish(mesh))
    say(step('mesh', 'declared: the nodes, and a link from each to each; by hand:'))
    say(`    url=${rest.base}/v1`)
    say(`    put="curl -X PUT -H @${headerFile(mesh)}"`)
    say(`    ${curl('/mesh', '{"full":true,"nodes":[{"name":"node-1","address":...},...]}')}`)
    const agents = startAgents(mesh, rest.base, token)
    open.push(agents.close)
    await agentsReady(rest, agents)
    say(step('agents', `made a bridge, interfaces and VXLAN tunnels on each; after ${seconds()} s`))
    await controller.settled(0)
    say(step('switches', `${nodes} connected over OpenFlow 1.3, ${nodes * (nodes - 1)} links as declared`))

    const members = await addMembers(mesh, rest)
    await enlargeBuffers(mesh.nodes).catch(error =>
      say(step('beware', `small receive buffers: a busy machine may lose frames (${error.message})`)),
    )
    const frames = await openFrames(members)
    open.push(frames.close)
    say(step('pods', 'a red and a blue one on each node, and nobody, whose port is in no network'))

    const numbers = await createNetworks(rest, mesh, members, say)
    await controller.settled(2)
    say(step('programmed', `${2 * nodes} ports on ${nodes} switches: every barrier came back without an error`))
    const link = (await planOf(rest, 1)).links[0]!.port
    return { mesh, members, frames, rest, numbers, link, controller, close }
  } catch (error) {
    await close()
    throw error
  }
}

export const step = (name: string, text: string): string => `  ${name.padEnd(12)}${text}`

/** Pods get the interfaces that the agents have made for them. */
async function addMembers(mesh: Mesh, rest: Rest): Promise<readonly Member[]> {
  const networks = ['red', 'blue', undefined] as const
  const added = await Promise.all(
    mesh.nodes.map(async ({ number }) => {
      const members: Member[] = []
      const { podPrefix } = (await planOf(rest, number)).interfaces
      for (const network of networks) {
        if (network === undefined && number > 1) continue
        const name = network === undefined ? 'nobody' : `${network}-${number}`
        const port = ports[network ?? 'nobody']
        members.push({ ...(await mesh.adopt(number, `${podPrefix}${port}`, { port, name })), network })
      }
      return members
    }),
  )
  return networks.flatMap(network => added.flat().filter(member => member.network === network))
}

/** `token`: the path of the file with what lets one in. */
type Started = Restartable & { readonly rest: Rest; readonly token: string; settled(networks: number): Promise<void> }

/** What lets one in, as curl takes it. */
const headerFile = ({ directory }: Pick<Mesh, 'directory'>): string => join(directory, 'auth')

/** @param first The first TCP port to try for HTTP. */
async function startController(mesh: Mesh, first: number): Promise<Started> {
  // Where the agents reach it. Beyond loopback nobody is let in without a token.
  const host = mesh.ctl.address
  const port = await freePort(host, first)
  const token = join(mesh.directory, 'token')
  const secret = randomBytes(16).toString('hex')
  writeFileSync(token, secret, { mode: 0o600 })
  writeFileSync(headerFile(mesh), `authorization: Bearer ${secret}\n`, { mode: 0o600 })
  const rest = restAt(`http://${host}:${port}`, secret)
  const controller = restartable(mesh, `${host}:${port}`, token, rest)
  try {
    await controller.start()
    return { ...controller, rest, token }
  } catch (error) {
    await controller.kill('SIGKILL')
    // Somebody else took it since we looked.
    if (String(error).includes(`can not listen on ${host}:${port}`)) return startController(mesh, port + 1)
    throw error
  }
}

/** @param http HOST:PORT where it is to listen. */
function restartable(mesh: Mesh, http: string, token: string, rest: Rest): Omit<Started, 'rest' | 'token'> {
  const log = join(mesh.directory, 'controller.log')
  const options = [
    ...['--openflow', `tcp:${mesh.ctl.address}:6653`, '--http', http],
    ...['--store', `sqlite:${join(mesh.directory, 'l2sm.db')}`, '--token-file', token],
  ]
  let current: Program | undefined
  // Before the mesh goes: that takes a moment, in which it ends.
  process.prependListener('exit', () => current?.kill('SIGKILL'))
  /** What `awaited` is about, unless the controller ends first. */
  const alive = async (process: Program, awaited: Promise<void>) => {
    const ended = process.ended.then(how => {
      throw new Error(`the controller ended (${how})`)
    })
    await Promise.race([awaited, ended]).catch(error => {
      throw new Error(`${error.message}; the last it said:\n${lastWords(log)}`)
    })
  }
  return {
    options,
    log,
    pid: () => current?.pid ?? 0,
    kill: async signal => {
      const ending = current
      ending?.kill(signal)
      // One that does not end when asked is not waited for.
      const impatient = setTimeout(() => ending?.kill('SIGKILL'), 5000)
      await ending?.ended
      clearTimeout(impatient)
    },
    start: async () => {
      const again = current !== undefined
      const said = again ? linesOf(log).length : 0
      current = spawnProgram(['controller', ...options], log)
      // Not by asking: whoever else took that port meanwhile would answer too.
      const listens = until('the controller listens', 30, async () =>
        linesOf(log).slice(said).some(isReady) ? undefined : 'its log does not say so',
      )
      await alive(current, again ? listens.then(() => settled(rest, mesh, 2)) : listens)
    },
    settled: networks => alive(current!, settled(rest, mesh, networks)),
  }
}

/** Every agent says that its switch is as planned, and the controller agrees. */
const agentsReady = ({ get }: Rest, agents: Agents): Promise<void> =>
  Promise.race([
    agents.ended,
    until('every node is as planned', 60, async () => {
      const { nodes } = await get<schemas.Wire<typeof nodeSchemas.Nodes>>('/v1/nodes')
      const late = nodes.find(({ state }) => state !== 'ready')
      return late && `${late.name} is ${late.state}: ${late.missing.join('; ')}`
    }),
  ])

/** Every switch is live, every link up, and so many networks are programmed. */
const settled = ({ get }: Rest, { nodes }: Mesh, networks: number): Promise<void> =>
  until('every switch is as it should be', 60, async () => {
    const { switches } = await get<schemas.Wire<typeof schemas.Switches>>('/v1/switches')
    const live = switches.filter(({ state }) => state === 'live').length
    if (live < nodes.length) return `${live} of ${nodes.length} switches are live`
    const { links } = await get<schemas.Wire<typeof schemas.Links>>('/v1/links')
    const up = links.filter(({ state }) => state === 'up').length
    const wanted = nodes.length * (nodes.length - 1)
    if (up !== wanted) return `${up} links are up, expected ${wanted}`
    const found = (await get<schemas.Wire<typeof schemas.Networks>>('/v1/networks')).networks
    const pending = found.find(({ state }) => state !== 'programmed')
    if (pending) return `network ${pending.id} is ${pending.state}: ${pending.reason}`
    return found.length === networks ? undefined : `${found.length} networks, expected ${networks}`
  })

/** Red's addresses are left for the controller to learn; blue's are given. */
async function createNetworks(
  { put }: Rest,
  mesh: Mesh,
  members: readonly Member[],
  say: Say,
): Promise<Stage['numbers']> {
  const create = async (name: string, body: object, shown: boolean) => {
    const path = `/networks${name}`
    if (shown) say(`    ${curl(path, JSON.stringify(body))}`)
    return put<schemas.Wire<typeof schemas.Network>>(`/v1${path}`, body)
  }
  say(step('networks', 'red, whose addresses are learned, and blue, whose addresses are given; by hand:'))
  const [red, blue] = [await create('/red', {}, true), await create('/blue', {}, true)]
  for (const { network, node, port, mac } of members) {
    if (network === undefined) continue
    const path = `/${network}/attachments/${mesh.node(node).dpid}/${port}`
    await create(path, network === 'blue' ? { mac } : {}, node === 1)
  }
  say('    ... and the same for the other nodes')
  return { red: red.number, blue: blue.number }
}
