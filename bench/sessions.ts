// What an idle switch costs: memory, and processor time for the echoes, with 1,000 emulated switches of 8 ports in a process of their own.
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { environment } from '../lab/command.ts'
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
import { cpuOf, memoryNow, print } from './machine.ts'

/** For how long they are idle, seconds: two or three echoes of each. */
const idle = 12

export const sessions: Bench = {
  about: 'memory and processor time of idle switches, 1,000 at once',
  async run({ folder, small }) {
    const count = small ? 100 : 1_000
    const rows = [['', 'before, MiB', 'with them, MiB', 'KiB each', 'processor time, ms a second']]
    rows.push(['the OpenFlow library, what is in use', ...(await library(count))])
    const ours = l2sm(`sqlite:${join(folder, 'store')}`, join(folder, 'cache'))
    rows.push(['l2sm, resident', ...(await resident(ours, count, () => answers(httpPort, '/readyz')))])
    // ovs-testcontroller takes 16 switches at most.
    for (const { name, command, there, install } of peers.filter(p => p.name !== 'ovs-testcontroller'))
      rows.push(
        there()
          ? [`${name}, resident`, ...(await resident(command, count, () => asksForFeatures(openflowPort)))]
          : [`${name} is missing: ${install}`],
      )
    print(`${count} switches`, rows)
  },
}

const mib = 2 ** 20
const row = (before: number, after: number, count: number, cpu: number): string[] => [
  (before / mib).toFixed(1),
  (after / mib).toFixed(1),
  ((after - before) / 1024 / count).toFixed(1),
  ((cpu / idle) * 1000).toFixed(0),
]

function switches(count: number): ChildProcess {
  const script = join(import.meta.dirname, '../test/openflow/many-switches.ts')
  return spawn(process.execPath, [script, String(openflowPort), String(count)], {
    ...{ stdio: ['ignore', 'inherit', 'inherit'], env: environment() },
  })
}

/** Connects them, waits until they are at rest, and answers the processor seconds that `pid` used in the `idle` seconds after that. */
async function atRest(pid: number, count: number, then: () => Promise<void>): Promise<number> {
  const peer = switches(count)
  try {
    await sleep(8_000)
    const before = cpuOf(pid)
    await sleep(idle * 1000)
    const used = cpuOf(pid) - before
    await then()
    return used
  } finally {
    peer.kill()
  }
}

async function resident(command: Command, count: number, ready: () => Promise<void>): Promise<string[]> {
  const controller = start(command)
  try {
    await Promise.race([controller.died, ready()])
    await sleep(1_000)
    const before = memoryNow(controller.pid) * mib
    let after = 0
    const cpu = await atRest(controller.pid, count, async () => {
      after = memoryNow(controller.pid) * mib
    })
    return row(before, after, count, cpu)
  } finally {
    await end(controller)
  }
}

/** Bytes in use, which the collector's leisure does not blur. */
async function library(count: number): Promise<string[]> {
  const script = join(import.meta.dirname, 'sessions-l2sm.ts')
  const child = spawn(process.execPath, ['--expose-gc', script, String(openflowPort)], {
    ...{ stdio: ['pipe', 'pipe', 'inherit'], env: environment() },
  })
  try {
    const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
    await lines.next()
    const used = async (): Promise<number> => {
      child.stdin!.write('\n')
      return Number((await lines.next()).value)
    }
    const before = await used()
    let after = 0
    const cpu = await atRest(child.pid!, count, async () => {
      after = await used()
    })
    return row(before, after, count, cpu)
  } finally {
    child.kill()
  }
}
