// What a change costs when much exists: 10, 100 and 1,000 switches of 100 ports, one network a switch, ports attached over REST one after
// the other. The switches are emulated and keep, check and answer what they are sent (scale-switches.ts).
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Bench } from './bench.ts'
import { answers, end, httpPort, l2sm, openflowPort, profiling, start } from './contenders.ts'
import { cpuOf, median, memoryNow, print, quantile } from './machine.ts'
import { attachmentAt, dpidOf, links, type Plan, type Tally } from './scale-plan.ts'
import { networkId } from './world.ts'

const ports = 100
const parallel = 32

export const scale: Bench = {
  about: 'what a change costs with 10, 100, 1,000 switches; memory; reconnecting',
  async run({ folder, small, long }) {
    const rows: string[][] = []
    for (const [switches, each] of sizes(small, long))
      rows.push(await measured(join(folder, `${switches}-${each}`), switches, each))
    print("a network a switch; attachments over REST, 32 at a time; CPU seconds are the controller's", [
      [
        'switches',
        'attachments',
        'CPU s',
        'ms each',
        'flows',
        'MiB',
        'bytes a flow',
        'one more: CPU ms',
        'ms p99',
        'reconnect: s',
        'CPU s',
        'flow-mods',
        'idle CPU s/60 s',
        'longest turn ms',
      ],
      ...rows,
    ])
  },
}

/** Switches, and attachments of each. `L2SM_BENCH_SCALE=300x10,1000x99`: these and no others. */
function sizes(small: boolean, long: boolean): readonly (readonly [number, number])[] {
  const asked = process.env['L2SM_BENCH_SCALE']
  if (asked) return asked.split(',').map(size => size.split('x').map(Number) as [number, number])
  const switches = small ? [10, 50] : long ? [10, 100, 1000] : [10, 100, 300]
  return switches.flatMap(n => [10, ports - 1].map(each => [n, each] as const))
}

type Switches = { ask(order: string): Promise<Tally>; end(): void }
async function emulated(plan: Plan): Promise<Switches> {
  const child: ChildProcess = fork(join(import.meta.dirname, 'scale-switches.ts'), [JSON.stringify(plan)], {
    execArgv: ['--max-old-space-size=12000'],
  })
  await once(child, 'message')
  return {
    async ask(order) {
      child.send(order)
      return (await once(child, 'message'))[0] as Tally
    },
    end: () => void child.kill(),
  }
}

async function measured(folder: string, switches: number, each: number): Promise<string[]> {
  const total = switches * each
  const controller = start(l2sm(`sqlite:${folder}.db`, `${folder}-cache`, ...profiling))
  const peers = await emulated({ switches, ports: ports + 1, openflowPort })
  try {
    await Promise.race([controller.died, answers(httpPort, '/readyz')])
    for (const { from, to } of links(switches)) await put(`/v1/links/${from.dpid}/${from.port}/${to.dpid}/${to.port}`)
    const empty = memoryNow(controller.pid)
    await peers.ask('connect')
    await Promise.race([controller.died, live(switches)])
    const slots = new Map<string, number>()
    const attach = (i: number) => {
      const { network, dpid } = attachmentAt(i, { switches, networks: switches })
      const port = (slots.get(dpid) ?? 0) + 1
      slots.set(dpid, port)
      return `/v1/networks/${network}/attachments/${dpid}/${port}`
    }
    await inParallel(Array.from({ length: switches }, (_, n) => `/v1/networks/${networkId(n)}`))
    const cpu = cpuOf(controller.pid)
    const began = performance.now()
    await inParallel(Array.from({ length: total }, (_, i) => attach(i)))
    await put(`${attach(total)}?wait=60s`)
    const took = performance.now() - began
    const used = cpuOf(controller.pid) - cpu
    const { flows } = await peers.ask('tally')
    const memory = memoryNow(controller.pid)
    const times: number[] = []
    const before = cpuOf(controller.pid)
    const more = 50
    for (let i = 0; i < more; i++) {
      const at = performance.now()
      await put(`/v1/networks/${networkId(i % switches)}/attachments/${dpidOf(i % switches)}/${ports + 1}?wait=10s`)
      await del(`/v1/networks/${networkId(i % switches)}/attachments/${dpidOf(i % switches)}/${ports + 1}?wait=10s`)
      times.push((performance.now() - at) / 2)
    }
    const oneMore = ((cpuOf(controller.pid) - before) * 1000) / (2 * more)
    await sleep(1000)
    const idleFrom = cpuOf(controller.pid)
    await sleep(20_000)
    const idle = (cpuOf(controller.pid) - idleFrom) * 3
    await peers.ask('hang up')
    await sleep(500)
    await peers.ask('tally')
    const from = cpuOf(controller.pid)
    const leftAt = performance.now()
    await peers.ask('connect')
    await live(switches)
    const back = (performance.now() - leftAt) / 1000
    const backCpu = cpuOf(controller.pid) - from
    const { flowMods } = await peers.ask('tally')
    return [
      ...[`${switches}`, `${total}`, used.toFixed(1), (took / total).toFixed(2), `${flows}`, memory.toFixed(0)],
      (((memory - empty) * 2 ** 20) / Math.max(1, flows)).toFixed(0),
      ...[oneMore.toFixed(1), `${median(times).toFixed(1)} / ${quantile(times, 0.99).toFixed(1)}`],
      ...[back.toFixed(1), backCpu.toFixed(1), `${flowMods}`, idle.toFixed(1), await longestTurn()],
    ]
  } finally {
    peers.end()
    await end(controller)
  }
}

const agent = new Agent({ keepAlive: true, maxSockets: parallel })
function call(method: string, path: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port: httpPort, path, method, agent }, answer => {
      let text = ''
      answer.setEncoding('utf8').on('data', piece => (text += piece))
      answer.on('end', () => resolve({ status: answer.statusCode!, text }))
    })
    asked.on('error', reject)
    asked.end()
  })
}
async function must(method: string, path: string): Promise<void> {
  const { status, text } = await call(method, path)
  if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text}`)
}
const put = (path: string) => must('PUT', path)
const del = (path: string) => must('DELETE', path)

async function inParallel(paths: readonly string[]): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < paths.length) await put(paths[next++]!)
  }
  await Promise.all(Array.from({ length: parallel }, worker))
}

/** Until all switches are connected and compared. */
async function live(switches: number): Promise<void> {
  for (;;) {
    const { text } = await call('GET', '/metrics')
    const up = Number(/^l2sm_datapaths(?:\{[^}]*\})? (\d+)/m.exec(text)?.[1] ?? 0)
    if (up >= switches && (await call('GET', '/readyz')).status === 200) return
    await sleep(200)
  }
}

async function longestTurn(): Promise<string> {
  const { text } = await call('GET', '/metrics')
  const found = /^l2sm_event_loop_(?:lag|longest)[a-z_]*(?:\{[^}]*(?:max|quantile="1")[^}]*\})? ([\d.e-]+)/m.exec(
    text,
  )?.[1]
  return found === undefined ? '?' : (Number(found) * 1000).toFixed(0)
}
