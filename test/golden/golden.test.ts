import { globSync, readFileSync } from 'node:fs'
import t from 'tap'
import { examples } from './examples.ts'
import { goldenText } from './text.ts'

const folder = new URL('.', import.meta.url)

t.test('every example has its file, and every file its example', async t =>
  t.same(
    globSync('*.txt', { cwd: folder.pathname }).sort(),
    Object.keys(examples)
      .map(name => `${name}.txt`)
      .sort(),
  ),
)

for (const [name, example] of Object.entries(examples))
  t.test(`${name}.txt says what is compiled (if the change is meant: npm run golden)`, async t =>
    t.equal(goldenText(example), readFileSync(new URL(`${name}.txt`, folder), 'utf8')),
  )
