// From the start of a process until it greets a switch, and until it answers REST; beside other controllers, and Node doing nothing.
import { once } from 'node:events'
import { join } from 'node:path'
import { openSqlite } from '../store/sqlite/sqlite.ts'
import type { Bench } from './bench.ts'
import {
  answers,
  asksForFeatures,
  type Command,
  end,
  httpPort,
  l2sm,
  openflowPort,
  peers,
  start,
} from './contenders.ts'
import { alternate, cpuOf, peakMemory, print } from './machine.ts'
import { fill } from './world.ts'

/** Milliseconds from the start of the process; NaN for what it does not do. */
type LinkStatistics = {
  readonly features: number
  readonly rest: number
  readonly cpu: number
  readonly memory: number
}

const rounds = 5

export const startBench: Bench = {
  about: 'from the start of the process to the first features request, and to REST',
  async run({ folder, small }) {
    const warm = join(folder, 'cache')
    const empty = `sqlite:${join(folder, 'empty.db')}`
    const full = `sqlite:${join(folder, 'full.db')}`
    const count = small ? 100 : 1000
    const store = await openSqlite(full.slice('sqlite:'.length))
    await fill(store, { networks: count, switches: 10, ports: 10 })
    await store.close()
    // What it compiles, and the store that it makes, are there from now on.
    await measure(l2sm(empty, warm))
    let fresh = 0
    const results = await alternate(small ? 3 : rounds, {
      'node -e 0': bareNode,
      l2sm: () => measure(l2sm(empty, warm)),
      [`l2sm, ${count} networks of 10 ports in its store`]: () => measure(l2sm(full, warm)),
      'l2sm, started for the first time after npm ci, which has compiled it': () =>
        measure(l2sm(`sqlite:${join(folder, `fresh${fresh++}.db`)}`, warm)),
      'l2sm, started for the first time, nothing compiled': () =>
        measure(l2sm(`sqlite:${join(folder, `new${fresh}.db`)}`, join(folder, `cache${fresh++}`))),
      ...Object.fromEntries(
        peers.filter(p => p.there()).map(p => [p.name, () => measure(p.command, { rest: false })] as const),
      ),
    })
    const cell = (value: number, digits: number) => (Number.isNaN(value) ? '-' : value.toFixed(digits))
    print(`from the start of the process, medians of ${small ? 3 : rounds}`, [
      ['', 'features request, ms', 'GET /livez, ms', 'CPU s by then', 'peak MiB'],
      ...Object.entries(results).map(([name, { features, rest, cpu, memory }]) => [
        name,
        cell(features, 0),
        cell(rest, 0),
        cell(cpu, 2),
        cell(memory, 0),
      ]),
    ])
    for (const { name, install } of peers.filter(p => !p.there())) console.log(`  ${name} is missing: ${install}`)
  },
}

async function measure(command: Command, { rest } = { rest: true }): Promise<LinkStatistics> {
  const began = performance.now()
  const since = async (event: Promise<void>) => {
    await event
    return performance.now() - began
  }
  const program = start(command)
  try {
    const ready = Promise.all([
      since(asksForFeatures(openflowPort)),
      rest ? since(answers(httpPort, '/livez')) : Number.NaN,
    ])
    const [features, live] = await Promise.race([program.died, ready])
    return { features, rest: live, cpu: cpuOf(program.pid), memory: peakMemory(program.pid) }
  } finally {
    await end(program)
  }
}

/** The floor for whatever runs on Node: start, do nothing, say how much memory that took, end. */
async function bareNode(): Promise<LinkStatistics> {
  const began = performance.now()
  const { child } = start({ argv: [process.execPath, '-e', '0'] })
  await once(child, 'exit')
  return { features: performance.now() - began, rest: Number.NaN, cpu: Number.NaN, memory: Number.NaN }
}
