// `node bench/links.ts`, as root: from the first frame that a link loses until the controller has taken it out of the mesh, and until
// frames go another way; and what probing costs, on emulated switches. It makes its own namespaces, so it is not one of run.ts.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createMetrics } from '../api/metrics.ts'
import { createController } from '../controller/controller.ts'
import { probe } from '../lab/frame.ts'
import { openFrames } from '../lab/frames.ts'
import { makeMesh } from '../lab/mesh.ts'
import { attach, putNetwork } from '../store/desired.ts'
import { openMemory } from '../store/memory.ts'
import { openSqlite } from '../store/sqlite/sqlite.ts'
import { dpidOf } from '../test/controller/peers.ts'
import { probed } from '../test/controller/probed.ts'
import { machine, print, quantile } from './machine.ts'
import { must } from './world.ts'

const rounds = 10
const pps = 1000

/** A mesh of three; the link between two of them goes silent in the middle of a stream that goes over it. */
async function silence(): Promise<void> {
  const mesh = await makeMesh({ nodes: 3, podsPerNode: 1, controllerPorts: [6653] })
  try {
    const store = await openSqlite(join(mesh.directory, 'l2sm.db'))
    const { record } = createMetrics({ version: 'bench' })
    const quiet = () => {}
    const controller = await createController({
      ...{ store, emit: quiet, metrics: record, listeners: [{ host: mesh.ctl.address, port: 6653 }] },
      log: { debug: quiet, info: quiet, warn: quiet, error: console.error },
    })
    await Promise.all(mesh.nodes.map(node => node.reconnect()))
    await store.write(draft => {
      must(putNetwork(draft, 'bench'))
      for (const { node, port, mac } of mesh.pods())
        must(attach(draft, { network: 'bench', dpid: mesh.node(node).dpid, port, mac }))
    })
    const [from, to] = mesh.pods()
    const frames = await openFrames(mesh.pods())
    const isWhole = () =>
      store.state().discoveredLinks.size === 6 &&
      store.state().deadLinks.size === 0 &&
      controller.network('bench')?.state === 'programmed'
    const out: number[] = []
    const lost: number[] = []
    for (let round = 0; round < rounds; round++) {
      while (!isWhole()) await sleep(50)
      // Longer than the hold-down of the last failure, and at another moment between two probes each time.
      await sleep(1000 + 25 * round)
      const stream = await frames.stream(from!, counted => probe({ dst: to!.mac, src: from!.mac }, counted), {
        pps,
        seconds: 4,
      })
      await sleep(1000)
      const began = performance.now()
      await mesh.lose(1, 2, 1)
      while (store.state().deadLinks.size === 0) await sleep(1)
      out.push(performance.now() - began)
      lost.push(((await stream.finish()).at(to!).lost * 1000) / pps)
      await mesh.lose(1, 2, 0)
    }
    const row = (name: string, of: readonly number[]) =>
      [name, ...[0.5, 0.9, 1].map(share => `${quantile(of, share).toFixed(0)} ms`)] as const
    print(`a link goes silent, ${rounds} times`, [
      ['', 'median', '90 %', 'worst'],
      [...row('until it is out of the mesh', out)],
      [...row('frames lost on the way, at 1,000 a second', lost)],
    ])
    await frames.close()
    await controller.close()
    await store.close()
  } finally {
    await mesh.close()
  }
}

/** Probing alone, on a clock that runs as fast as it can: without sockets, and without what OpenFlow costs. */
async function cost(name: string, switches: number, neighbours: number): Promise<readonly string[]> {
  const links: [number, number][] = []
  for (let a = 1; a <= switches; a++)
    for (let i = 1; i <= neighbours / 2; i++) links.push([a, ((a + i - 1) % switches) + 1])
  const store = openMemory()
  const end = (n: number, port: number) => ({ dpid: dpidOf(n), port: 100 + port })
  await store.write(draft => {
    for (const [a, b] of links.flatMap(([a, b]) => [[a, b] as const, [b, a] as const]))
      draft.putDiscoveredLink({ from: end(a, b), to: end(b, a) })
  })
  // Every tenth link carries networks.
  const world = probed({ switches, links, store, carries: ({ from, to }) => (from.port + to.port) % 10 === 0 })
  const { tick } = world.discovery
  const took: number[] = []
  world.discovery.tick = () => {
    const began = performance.now()
    tick()
    took.push(performance.now() - began)
  }
  await world.pass(2000)
  took.length = 0
  world.probes()
  const seconds = 20
  const before = process.cpuUsage()
  await world.pass(seconds * 1000)
  const { user, system } = process.cpuUsage(before)
  const probes = [...world.probes().values()].reduce((sum, n) => sum + n, 0)
  const share = (user + system) / 1e6 / seconds
  return [
    name,
    String(links.length),
    ...(['carrying', 'idle'] as const).map(
      kind => `${(world.discovery.probing()[kind].intervalMs / 1000).toFixed(2)} s`,
    ),
    `${(probes / seconds).toFixed(0)}/s`,
    `${(100 * share).toFixed(1)} %`,
    `${quantile(took, 0.5).toFixed(2)} ms`,
    `${quantile(took, 0.99).toFixed(2)} ms`,
  ]
}

console.log(machine())
await silence()
print('probing, in shares of one processor', [
  ['', 'links', 'every tenth, each', 'others, each', 'probes', 'processor', 'tick, median', '99 %'],
  await cost('10 switches, full mesh', 10, 8),
  await cost('1,000 switches, 10 neighbours each', 1000, 10),
  await cost('1,000 switches, 400 neighbours each', 1000, 400),
])
process.exit()
