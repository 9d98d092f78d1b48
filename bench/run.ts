// `npm run bench [-- NAME ...] [-- --small]`: measures what we claim, beside peers, in one run. See README.md.
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { agentBench } from './agent.ts'
import { attachBench } from './attach.ts'
import type { Bench } from './bench.ts'
import { codec } from './codec.ts'
import { dataplane } from './dataplane.ts'
import { flows } from './flows.ts'
import { learn } from './learn.ts'
import { load, machine } from './machine.ts'
import { proof } from './proof.ts'
import { recompute } from './recompute.ts'
import { reroute } from './reroute.ts'
import { folder, runInside, settleIn } from './sandbox.ts'
import { scale } from './scale.ts'
import { sessions } from './sessions.ts'
import { startBench } from './start.ts'

/** To add a bench: a row here, and what it measures in README.md. */
const benches: Readonly<Record<string, Bench>> = {
  start: startBench,
  flows,
  attach: attachBench,
  learn,
  codec,
  sessions,
  dataplane,
  reroute,
  agent: agentBench,
  recompute,
  proof,
  scale,
}

const usage = `usage: npm run bench -- [--small] [NAME ...]

${Object.entries(benches)
  .map(([name, { about }]) => `  ${name.padEnd(10)}${about}`)
  .join('\n')}

  --small   a tenth of everything, to see that it works
  --long    also what takes minutes
`

async function runAll(names: readonly string[], words: readonly string[], path: string): Promise<void> {
  console.log(machine())
  for (const name of names) {
    console.log(`\n== ${name}: ${benches[name]!.about} (load ${load()})`)
    const own = join(path, name)
    await mkdir(own)
    await benches[name]!.run({ folder: own, small: words.includes('--small'), long: words.includes('--long') })
    await rm(own, { recursive: true })
  }
}

const words = process.argv.slice(2)
const asked = words.filter(word => !word.startsWith('--'))
const unknown = words.filter(word =>
  word.startsWith('--') ? !['--small', '--long'].includes(word) : !(word in benches),
)
const path = folder()
if (words.includes('--help')) console.log(usage)
else if (unknown.length > 0) {
  console.error(`bench: there is no ${unknown.join(', ')}\n\n${usage}`)
  process.exitCode = 2
} else if (path === undefined) process.exitCode = await runInside(import.meta.filename, words)
else {
  settleIn(path)
  await runAll(asked.length > 0 ? asked : Object.keys(benches), words, path)
  process.exit()
}
