/** What the demo plays on: a mesh, a controller, two networks with a pod on every node, and a port that is nobody's. */

import { join } from 'node:path'
import type * as schemas from '../../api/schemas.ts'
import { enlargeBuffers } from '../../lab/buffers.ts'
import { type Frames, openFrames } from '../../lab/frames.ts'
import { type Mesh, makeMesh } from '../../lab/mesh.ts'
import { type ControllerProcess, freePort, isReady, lastWords, linesOf, spawnController } from './controller.ts'
import { type Member, ports } from './member.ts'
import { curl, type Rest, restAt, until } from './rest.ts'

export type Stage = {
  readonly mesh: Mesh
  /** Red ones by node, then blue ones, then nobody. */
  readonly members: readonly Member[]
  readonly frames: Frames
  readonly rest: Rest
  /** The networks' numbers, as the controller gave them: the VNIs of their frames. */
  readonly numbers: Readonly<Record<'red' | 'blue', number>>
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
  const mesh = await makeMesh({ nodes, controllerPorts: [], signals: false })
  const open: (() => Promise<unknown>)[] = [mesh.close]
  const close = async () => {
    for (const one of open.splice(0).reverse()) await one()
  }
  try {
    const members = await addMembers(mesh)
    await enlargeBuffers(mesh.nodes).catch(error =>
      say(step('beware', `small receive buffers: a busy machine may lose frames (${error.message})`)),
    )
    const frames = await openFrames(members)
    open.push(frames.close)
    const seconds = ((performance.now() - began) / 1000).toFixed(1)
    say(step('mesh', `${nodes} nodes, each with an Open vSwitch; VXLAN from each to each; made in ${seconds} s`))
    say(step('pods', 'a red and a blue one on each node, and nobody, whose port is in no network'))

    const { rest, ...controller } = await startController(mesh, 8181)
    open.push(() => controller.kill('SIGTERM'))
    say(step('controller', `process ${controller.pid()}, its log in ${controller.log}`))
    await Promise.all(mesh.nodes.map(node => node.connect([`tcp:${mesh.ctl.address}:6653`])))
    await controller.settled(0)
    say(step('switches', `${nodes} connected over OpenFlow 1.3, ${nodes * (nodes - 1)} links found by LLDP`))

    const numbers = await createNetworks(rest, members, say)
    await controller.settled(2)
    say(step('programmed', `${2 * nodes} ports on ${nodes} switches: every barrier came back without an error`))
    return { mesh, members, frames, rest, numbers, controller, close }
  } catch (error) {
    await close()
    throw error
  }
}

export const step = (name: string, text: string): string => `  ${name.padEnd(12)}${text}`

async function addMembers(mesh: Mesh): Promise<readonly Member[]> {
  const networks = ['red', 'blue', undefined] as const
  const added = await Promise.all(
    mesh.nodes.map(async ({ number }) => {
      const members: Member[] = []
      // A switch gets its ports one after the other.
      for (const network of networks) {
        if (network === undefined && number > 1) continue
        const name = network === undefined ? 'nobody' : `${network}-${number}`
        members.push({ ...(await mesh.addPod(number, { port: ports[network ?? 'nobody'], name })), network })
      }
      return members
    }),
  )
  return networks.flatMap(network => added.flat().filter(member => member.network === network))
}

type Started = Restartable & { readonly rest: Rest; settled(networks: number): Promise<void> }

/** @param first The first TCP port to try for HTTP. */
async function startController(mesh: Mesh, first: number): Promise<Started> {
  const host = '127.0.0.1'
  const port = await freePort(host, first)
  const rest = restAt(`http://${host}:${port}`)
  const controller = restartable(mesh, `${host}:${port}`, rest)
  try {
    await controller.start()
    return { ...controller, rest }
  } catch (error) {
    await controller.kill('SIGKILL')
    // Somebody else took it since we looked.
    if (String(error).includes(`can not listen on ${host}:${port}`)) return startController(mesh, port + 1)
    throw error
  }
}

/** @param http HOST:PORT where it is to listen. */
function restartable(mesh: Mesh, http: string, rest: Rest): Restartable & { settled(networks: number): Promise<void> } {
  const log = join(mesh.directory, 'controller.log')
  const options = [
    ...['--openflow', `tcp:${mesh.ctl.address}:6653`, '--http', http],
    ...['--store', `sqlite:${join(mesh.directory, 'l2sm.db')}`],
  ]
  let current: ControllerProcess | undefined
  // Before the mesh goes: that takes a moment, in which it ends.
  process.prependListener('exit', () => current?.kill('SIGKILL'))
  /** What `awaited` is about, unless the controller ends first. */
  const alive = async (process: ControllerProcess, awaited: Promise<void>) => {
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
      current = spawnController(options, log)
      // Not by asking: whoever else took that port meanwhile would answer too.
      const listens = until('the controller listens', 30, async () =>
        linesOf(log).slice(said).some(isReady) ? undefined : 'its log does not say so',
      )
      await alive(current, again ? listens.then(() => settled(rest, mesh, 2)) : listens)
    },
    settled: networks => alive(current!, settled(rest, mesh, networks)),
  }
}

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
async function createNetworks({ base, put }: Rest, members: readonly Member[], say: Say): Promise<Stage['numbers']> {
  const url = `${base}/v1/networks`
  const create = async (path: string, body: object, shown: boolean) => {
    if (shown) say(`    ${curl(path, body)}`)
    return put<schemas.Wire<typeof schemas.Network>>(`/v1/networks${path}`, body)
  }
  say(step('networks', 'red, whose addresses are learned, and blue, whose addresses are given; by hand:'))
  say(`    url=${url}`)
  const [red, blue] = [await create('/red', {}, true), await create('/blue', {}, true)]
  for (const { network, node, port, mac } of members) {
    if (network === undefined) continue
    const path = `/${network}/attachments/${node.toString(16).padStart(16, '0')}/${port}`
    await create(path, network === 'blue' ? { mac } : {}, node === 1)
  }
  say('    ... and the same for the other nodes')
  return { red: red.number, blue: blue.number }
}
