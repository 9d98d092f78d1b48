import { readFileSync } from 'node:fs'
import t from 'tap'
import { documents } from '../docs/generate.ts'

for (const [name, write] of Object.entries(documents))
  t.test(`docs/${name} says what the code says (else: npm run docs)`, async t =>
    t.equal(readFileSync(new URL(`../docs/${name}`, import.meta.url), 'utf8'), write()),
  )
