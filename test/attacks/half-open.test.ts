// Switches whose path to the controller loses everything: nobody tells either end, and both must find out.
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { inNamespace } from '../../lab/command.ts'
import { needs } from '../../lab/install.ts'
import { makeMesh } from '../../lab/mesh.ts'
import { limits } from '../../openflow/session/limits.ts'
import { startController } from '../cli/command.ts'
import { until } from '../controller/watching.ts'
import { openflowPort } from '../ovs/stage.ts'
import { attack } from './table.ts'
import { mib, usageOf } from './usage.ts'

const manySwitches = fileURLToPath(new URL('../openflow/many-switches.ts', import.meta.url))
const fakes = 60

if (needs(t)) {
  t.setTimeout(280_000)
  const mesh = await makeMesh({ nodes: 1, controllerPorts: [openflowPort] })
  t.teardown(() => mesh.close())
  const [node] = mesh.nodes
  const { netns } = node!
  const controller = await startController(t, [
    ...['--openflow', `tcp:${mesh.ctl.address}:${openflowPort}`, '--http', '127.0.0.1:0', '--store', 'memory'],
  ])
  const { base, pid, log } = controller
  const live = async () => {
    const { switches } = (await (await fetch(`${base}/v1/switches`)).json()) as any
    return switches.filter((sw: { connected: boolean; state: string }) => sw.connected && sw.state === 'live').length
  }
  const sockets = () => readdirSync(`/proc/${pid}/fd`).length

  /** Connects all, takes their path away, and answers the seconds until the last of them counts as dead. */
  const round = async (): Promise<{ readonly dead: number; readonly told: readonly string[] }> => {
    await mesh.lose(1, 'ctl', 0)
    const [command, words] = inNamespace(netns, process.execPath, [
      ...[manySwitches, String(openflowPort), String(fakes), mesh.ctl.address, '1000'],
    ])
    const child = spawn(command, words, { stdio: 'inherit' })
    try {
      await node!.reconnect()
      let count = 0
      const all = async () => (count = await live()) === fakes + 1
      await until('all are live', all, { ms: 60_000, why: () => `${count} are` })
      const known = log.length
      await mesh.lose(1, 'ctl', 1)
      const began = performance.now()
      // As long as the silence may last, and what a busy machine needs to hear of it.
      await until('all are dead', async () => (await live()) === 0, { ms: limits.silence + 15_000 })
      const told = log.slice(known).flatMap(({ msg }) => /disconnected: (.*); its flows stay/.exec(msg)?.[1] ?? [])
      return { dead: (performance.now() - began) / 1000, told }
    } finally {
      child.kill('SIGKILL')
    }
  }

  attack(
    t,
    {
      id: 'F12',
      attack: `the path of ${fakes} switches and of an Open vSwitch loses 100 %, twice`,
      criterion: 'dead 15 s after their last byte; their sockets are freed; the real one comes back',
    },
    async t => {
      // Ours to the API, and a try or two of the real switch, are more or fewer.
      const before = sockets() + 20
      const first = await round()
      await until('their sockets are closed', () => sockets() <= before, { ms: 60_000 })
      const once = usageOf(pid).resident
      const second = await round()
      await until('their sockets are closed', () => sockets() <= before, { ms: 60_000 })
      const twice = usageOf(pid).resident
      t.ok(second.told.length > 0)
      t.same([...new Set([...first.told, ...second.told])], [`no byte for ${limits.silence} ms`])
      // What a session keeps is held against its memory in test/openflow/session/server-many.test.ts; here it is all of the process.
      t.ok(twice - once < 100 * 1024 * 1024, `${mib(twice - once)} more after the second time`)
      await mesh.lose(1, 'ctl', 0)
      await until('the real switch is back', async () => (await live()) === 1, { ms: 60_000 })
      const dead = [first, second].map(({ dead }) => `${dead.toFixed(1)} s`).join(' and ')
      return `all dead after ${dead}; resident ${mib(once)}, then ${mib(twice)}`
    },
  )
}
