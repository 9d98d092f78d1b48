// Messages per processor second of the OpenFlow codec, on one thread, beside openflowj and os-ken. Each is a process of its own that is
// told over standard input what to do; they take turns, so that what else the machine does hits all of them.
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { environment } from '../lab/command.ts'
import type { Bench } from './bench.ts'
import { python } from './contenders.ts'
import { median, print } from './machine.ts'

/** What is done, and how many messages that are. Each contender has a function of that name. */
const cases = [
  ['encode_flow_mod', 'a flow-mod of 96 bytes, encoded', 1],
  ['decode_flow_mod', 'a flow-mod of 96 bytes, decoded', 1],
  ['decode_packet_in', 'a packet-in of 110 bytes, decoded', 1],
  ['programme', 'a switch programmed: flow-mods that differ, made and encoded', 512],
  ['take', 'packet-ins taken: out of a stream, where which sender came in', 512],
] as const

const jars = join(tmpdir(), 'l2sm-bench-openflowj')
const here = import.meta.dirname

type Contender = {
  readonly name: string
  readonly argv: readonly string[]
  there(): boolean
  readonly install: string
}
const contenders: readonly Contender[] = [
  { name: 'l2sm', argv: [process.execPath, join(here, 'codec-l2sm.ts')], there: () => true, install: '' },
  {
    name: 'openflowj',
    argv: ['java', '-cp', `${jars}/*:${here}/openflowj`, join(here, 'openflowj', 'Codec.java')],
    there: () => existsSync(jars),
    install: 'see bench/README.md: openflowj from Maven Central',
  },
  {
    name: 'os-ken',
    argv: [python, join(here, 'codec_os_ken.py')],
    there: () => existsSync(python),
    install: 'see bench/README.md: os-ken from PyPI, in a virtual environment',
  },
]

export const codec: Bench = {
  about: 'messages encoded and decoded in a processor second, one thread',
  async run({ small }) {
    const there = contenders.filter(c => c.there())
    const running = there.map(begin)
    try {
      await agree(running)
      const rates = await race(running, small)
      print('thousands of messages a processor second: median (best)', [
        ['', ...running.map(r => r.name)],
        ...cases.map(([name, words]) => [words, ...running.map(r => shown(rates.get(`${r.name} ${name}`)!))]),
      ])
      for (const { name, install } of contenders.filter(c => !c.there()))
        console.log(`  ${name} is missing: ${install}`)
    } finally {
      for (const { child } of running) child.kill()
    }
  },
}

const shown = (rates: readonly number[]): string =>
  `${Math.round(median(rates) / 1000)} (${Math.round(Math.max(...rates) / 1000)})`

type Running = { readonly name: string; readonly child: ChildProcess; ask(line: string): Promise<string> }

function begin({ name, argv: [file, ...args] }: Contender): Running {
  const child = spawn(file!, args, { stdio: ['pipe', 'pipe', 'inherit'], env: environment() })
  const gone = new Promise<never>((_, reject) => {
    child.on('error', reject)
    child.on('exit', code => reject(new Error(`${name} ended with ${code}`)))
  })
  gone.catch(() => {})
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  return {
    name,
    child,
    async ask(line) {
      child.stdin!.write(`${line}\n`)
      return (await Promise.race([lines.next(), gone])).value ?? ''
    },
  }
}

/** All work on the same bytes, or the figures say nothing. */
async function agree(running: readonly Running[]): Promise<void> {
  const told = await Promise.all(running.map(r => r.ask('hex')))
  for (const [i, hex] of told.entries())
    if (hex !== told[0]) throw new Error(`${running[i]!.name} has other bytes:\n${hex}\n${told[0]}`)
}

/** Messages per second of processor time, by contender and case: of rounds of about 0.2 s each. */
async function race(running: readonly Running[], small: boolean): Promise<ReadonlyMap<string, readonly number[]>> {
  const calls = new Map<string, number>()
  const rates = new Map<string, number[]>()
  const rounds = small ? 3 : 9
  // Compilers need some rounds before they have done what they can: those do not count.
  for (let round = small ? -2 : -5; round < rounds; round++)
    for (const [name, , messages] of cases)
      for (const { name: who, ask } of running) {
        const key = `${who} ${name}`
        const n = calls.get(key) ?? Math.ceil(4096 / messages)
        const seconds = Number(await ask(`${name} ${n}`)) / 1e9
        calls.set(key, Math.ceil((n * 0.2) / Math.max(seconds, 0.002)))
        if (round >= 0) rates.set(key, [...(rates.get(key) ?? []), (n * messages) / seconds])
      }
  return rates
}
