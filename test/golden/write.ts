// `npm run golden`: writes the compiled tables of the examples anew. Read the difference before you commit it.
import { globSync, rmSync, writeFileSync } from 'node:fs'
import { examples } from './examples.ts'
import { goldenText } from './text.ts'

const folder = new URL('.', import.meta.url)
for (const old of globSync('*.txt', { cwd: folder.pathname })) rmSync(new URL(old, folder))
for (const [name, example] of Object.entries(examples))
  writeFileSync(new URL(`${name}.txt`, folder), goldenText(example))
