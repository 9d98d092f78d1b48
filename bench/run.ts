// `npm run bench [-- NAME ...] [-- --small]`: measures what we claim, beside peers, in one run. See README.md.
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { flows } from './flows.ts'
import { load, machine } from './machine.ts'
import { folder, runInside, settleIn } from './sandbox.ts'
import { startBench } from './start.ts'

export type Bench = {
  readonly about: string
  /** Prints its figures. `folder` is its own, empty, and removed afterwards; `small`: a tenth of everything. */
  run(setting: { readonly folder: string; readonly small: boolean }): Promise<void>
}

/** To add a bench: a row here, and what it measures in README.md. */
const benches: Readonly<Record<string, Bench>> = { start: startBench, flows }

const usage = `usage: npm run bench -- [--small] [NAME ...]

${Object.entries(benches)
  .map(([name, { about }]) => `  ${name.padEnd(10)}${about}`)
  .join('\n')}

  --small   a tenth of everything, to see that it works
`

async function runAll(names: readonly string[], small: boolean, path: string): Promise<void> {
  console.log(machine())
  for (const name of names) {
    console.log(`\n== ${name}: ${benches[name]!.about} (load ${load()})`)
    const own = join(path, name)
    await mkdir(own)
    await benches[name]!.run({ folder: own, small })
    await rm(own, { recursive: true })
  }
}

const words = process.argv.slice(2)
const asked = words.filter(word => !word.startsWith('--'))
const unknown = words.filter(word => (word.startsWith('--') ? word !== '--small' : !(word in benches)))
const path = folder()
if (words.includes('--help')) console.log(usage)
else if (unknown.length > 0) {
  console.error(`bench: there is no ${unknown.join(', ')}\n\n${usage}`)
  process.exitCode = 2
} else if (path === undefined) process.exitCode = await runInside(import.meta.filename, words)
else {
  settleIn(path)
  await runAll(asked.length > 0 ? asked : Object.keys(benches), words.includes('--small'), path)
  process.exit()
}
