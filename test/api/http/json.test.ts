import fc from 'fast-check'
import t from 'tap'
import { maxDepth, maxKeys, parseJson } from '../../../api/http/json.ts'
import { ProblemError } from '../../../api/http/problems.ts'

const bytes = (text: string) => Buffer.from(text)
const codeOf = async (text: string | Buffer): Promise<string> => {
  try {
    await parseJson(typeof text === 'string' ? bytes(text) : text)
    return 'taken'
  } catch (error) {
    if (error instanceof ProblemError) return error.problem.type.split(':').at(-1)!
    throw error
  }
}

t.test('what JSON.parse reads is read the same, unless a key stands twice or is __proto__', async t => {
  const depth = { maxDepth: 5, noNullPrototype: true }
  await fc.assert(
    fc.asyncProperty(fc.jsonValue(depth), fc.constantFrom(undefined, 1, '\t'), async (value, indent) => {
      const text = JSON.stringify(value, null, indent)
      fc.pre(!text.includes('__proto__'))
      t.same(await parseJson(bytes(text)), JSON.parse(text))
    }),
  )
})

t.test('text that is not JSON is refused, and never thrown over', async t => {
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'{}[]":,\\ntrue1-.e ') })),
      async text => {
        const code = await codeOf(text)
        let isJson = true
        try {
          JSON.parse(text)
        } catch {
          isJson = false
        }
        if (text === '') return
        t.equal(code === 'bad-json', !isJson, JSON.stringify(text))
      },
    ),
    { numRuns: 1000 },
  )
})

t.test('no bytes are no body', async t => t.equal(await parseJson(Buffer.alloc(0)), undefined))

const rows: readonly (readonly [text: string, code: string])[] = [
  ['{"a":1,"b":{"a":1}}', 'taken'],
  ['[{"a":1},{"a":1}]', 'taken'],
  ['{"a":"a","b":"a"}', 'taken'],
  ['{"a":"\\"a\\":"}', 'taken'],
  ['{"a":["__proto__"]}', 'taken'],
  ['{"a":1,"a":1}', 'duplicate-key'],
  ['{"a":1 , "b":{}, "a" \n:1}', 'duplicate-key'],
  ['{"a":1,"\\u0061":1}', 'duplicate-key'],
  ['[{"b":{"a":[],"a":[]}}]', 'duplicate-key'],
  ['{"":1,"":2}', 'duplicate-key'],
  ['{"a\\\\":1,"a\\\\":2}', 'duplicate-key'],
  ['{"__proto__":1}', 'forbidden-key'],
  ['{"\\u005F\\u005fproto__":1}', 'forbidden-key'],
  ['{"a":[{"__proto__":null}]}', 'forbidden-key'],
  [`${'['.repeat(maxDepth)}${']'.repeat(maxDepth)}`, 'taken'],
  [`${'['.repeat(maxDepth + 1)}${']'.repeat(maxDepth + 1)}`, 'too-deep'],
  [`${'{"a":'.repeat(maxDepth + 1)}1${'}'.repeat(maxDepth + 1)}`, 'too-deep'],
  [`"${'['.repeat(1000)}"`, 'taken'],
  [`"\\"${'['.repeat(1000)}"`, 'taken'],
]
for (const [text, code] of rows) t.test(`${text.slice(0, 40)} is ${code}`, async t => t.equal(await codeOf(text), code))

t.test('bytes that are not UTF-8 are refused', async t => {
  t.equal(await codeOf(Buffer.from([0x22, 0xc3, 0x28, 0x22])), 'bad-json')
  t.equal(await codeOf(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])), 'bad-json', 'half of a pair')
  t.equal(await codeOf(Buffer.from('"ä€😀"')), 'taken')
})

t.test('a body has so many different keys at most, however often each', async t => {
  const keys = (count: number, from = 0) => `{${Array.from({ length: count }, (_, i) => `"k${from + i}":1`)}}`
  t.equal(await codeOf(keys(maxKeys)), 'taken')
  t.equal(await codeOf(keys(maxKeys).replace('"k999"', '"k0"')), 'duplicate-key')
  t.equal(await codeOf(keys(maxKeys + 1)), 'too-many-keys')
  t.equal(await codeOf(keys(80_000)), 'too-many-keys')
  t.equal(await codeOf(`[${Array.from({ length: 80 }, () => keys(maxKeys))}]`), 'taken')
  t.equal(await codeOf(`[${Array.from({ length: 80 }, (_, i) => keys(maxKeys, maxKeys * i))}]`), 'too-many-keys')
  t.equal(await codeOf(`{"a":"${':'.repeat(80_000)}"}`), 'taken', 'a colon in a string is none')
})

t.test('while a large body is read others run: the event loop turns many times', async t => {
  const text = `[${Array.from({ length: 80_000 }, (_, i) => `{"k":${i % 10}}`)}]`
  let turns = 0
  let isRead = false
  const count = () => {
    turns++
    if (!isRead) setImmediate(count)
  }
  setImmediate(count)
  await parseJson(bytes(text))
  isRead = true
  t.ok(turns >= 3, `${turns} turns`)
})
