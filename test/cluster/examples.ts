// The examples, word by word: what their READMEs tell to type is typed, and what they show is seen.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { Installed } from './installed.ts'
import { typed } from './typed.ts'

const folder = new URL('../../examples', import.meta.url).pathname
const all = readdirSync(folder, { withFileTypes: true }).flatMap(entry => (entry.isDirectory() ? [entry.name] : []))

type Step = { readonly commands: string; readonly shown: readonly string[] }

/** Each block of commands, with the lines of the block of output after it. */
const stepsOf = (page: string): readonly Step[] => {
  const blocks = [...page.matchAll(/^```(sh)?\n([\s\S]*?)^```$/gm)].map(([, shell, text = '']) => ({ shell, text }))
  return blocks.flatMap(({ shell, text }, i) => {
    if (shell === undefined) return []
    const next = blocks[i + 1]
    return [{ commands: text, shown: next && next.shell === undefined ? next.text.trim().split('\n') : [] }]
  })
}

/** A shown line as a pattern: blanks are any number of blanks, and `...` is anything. */
const pattern = (line: string): RegExp =>
  new RegExp(
    line
      .trim()
      .split('...')
      .map(part => part.trim().split(/\s+/).map(RegExp.escape).join('\\s+'))
      .join('.*'),
  )

export const examples = async (t: Test, cluster: Installed, names = all): Promise<void> => {
  for (const name of names)
    await t.test(`examples/${name} does what its README says`, async t => {
      const steps = stepsOf(readFileSync(join(folder, name, 'README.md'), 'utf8'))
      t.ok(steps.some(({ shown }) => shown.length > 0))
      for (const { commands, shown } of steps) {
        const said = await typed(cluster, commands)
        for (const line of shown) t.match(said, pattern(line), commands)
      }
    })
}
