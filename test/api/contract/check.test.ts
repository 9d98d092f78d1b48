import fc from 'fast-check'
import t from 'tap'
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { checker, type Schema } from '../../../api/contract/check.ts'
import * as meshSchemas from '../../../api/contract/mesh-schemas.ts'
import { nearest } from '../../../api/contract/nearest.ts'
import { NodePlan, NodeReport } from '../../../api/contract/node-schemas.ts'
import * as schemas from '../../../api/contract/schemas.ts'
import { parseNetworkId } from '../../../store/parse.ts'
import { parseDpid, parsePort } from '../../../topology/parse.ts'

/** Their static types are for the routes; here they are the JSON that they are. */
const every = { ...schemas, ...meshSchemas, NodePlan, NodeReport }
const all = Object.entries(every as unknown as { readonly [name: string]: TSchema & Schema })
const named = Object.fromEntries(all)

/** Text that a pattern matches; what it says must not come next is left to chance. */
const matching = (pattern: string) => fc.stringMatching(new RegExp(pattern.replace(/\(\?![^)]*\)/, '')))

/** Values near to what a schema wants: right ones, and wrong ones of every kind in every place. */
const near = (schema: Schema): fc.Arbitrary<unknown> => {
  const anything = fc.constantFrom(null, true, 0, 7, -1, 1.5, 0xffffff01, '', '7', 'x'.repeat(400), [], {}, ['x'])
  const right = (): fc.Arbitrary<unknown> => {
    if (schema.anyOf) return fc.oneof(...schema.anyOf.map(near))
    if (schema.enum) return fc.constantFrom(...schema.enum)
    if ('const' in schema) return fc.constant(schema.const)
    switch (schema.type) {
      case 'object': {
        const fields = Object.fromEntries(Object.entries(schema.properties ?? {}).map(([name, s]) => [name, near(s)]))
        const required = [...(schema.required ?? [])] as 'extra'[]
        return fc.record({ ...fields, extra: fc.constant(1) }, { requiredKeys: required, noNullPrototype: true })
      }
      case 'array':
        return fc.array(near(schema.items ?? {}), { maxLength: 4 })
      case 'string':
        return schema.pattern ? fc.oneof(matching(schema.pattern), fc.string()) : fc.string()
      case 'integer':
        return fc.integer({ min: (schema.minimum ?? 0) - 1, max: schema.maximum ?? 1000 })
      case 'number':
        return fc.double({ noNaN: true, noDefaultInfinity: true })
      case 'boolean':
        return fc.boolean()
      default:
        return fc.constant(null)
    }
  }
  return fc.oneof({ weight: 8, arbitrary: right() }, { weight: 1, arbitrary: anything })
}

for (const [name, schema] of all)
  t.test(`${name}: our checker and TypeBox's agree`, async t => {
    const compiled = Compile(schema)
    const check = checker(schema)
    let refused = 0
    const agree = (value: unknown): boolean => {
      const fault = check(value, 'body')
      if (fault) refused++
      return (fault === undefined) === compiled.Check(value)
    }
    fc.assert(fc.property(near(schema), agree), { numRuns: 300 })
    t.ok(refused > 0, 'and some were wrong')
  })

t.test('schemas say nothing that the checker does not read', async t => {
  const known = new Set([
    'type',
    'properties',
    'required',
    'additionalProperties',
    'items',
    'maxItems',
    'pattern',
    'minLength',
  ])
  for (const more of ['maxLength', 'minimum', 'maximum', 'enum', 'const', 'anyOf', 'description', 'examples'])
    known.add(more)
  const visit = (schema: Schema, where: string): void => {
    for (const keyword of Object.keys(schema)) t.ok(known.has(keyword), `${where} has ${keyword}`)
    for (const [name, field] of Object.entries(schema.properties ?? {})) visit(field, `${where}/${name}`)
    for (const option of schema.anyOf ?? []) visit(option, where)
    if (schema.items) visit(schema.items, `${where}/items`)
  }
  for (const [name, schema] of all) visit(schema, name)
})

t.test('a pattern refuses nothing that the parser takes', async t => {
  const { network, dpid, port } = schemas.AttachmentPath.properties as unknown as {
    [name: string]: { pattern: string }
  }
  const letters = fc.string({ unit: fc.constantFrom(...'of:0123456789abcdefABCDEFg.-_'), maxLength: 20 })
  const likely = (pattern: string) => fc.oneof(letters, matching(pattern))
  const pairs: [{ pattern: string } | undefined, (text: string) => unknown][] = [
    [network, parseNetworkId],
    [dpid, parseDpid],
    [port, parsePort],
  ]
  for (const [schema, parse] of pairs) {
    const pattern = new RegExp(schema!.pattern, 'u')
    let taken = 0
    const noStricter = (text: string): boolean => {
      if (parse(text) === undefined) return true
      taken++
      return pattern.test(text)
    }
    fc.assert(fc.property(likely(schema!.pattern), noStricter), { numRuns: 2000 })
    t.ok(taken > 0)
  }
})

t.test('a fault is told by where it is, what was expected and what came', async t => {
  const check = checker(named['AttachmentSpec']!)
  t.same(check({ ips: ['10.0.0.1', 7] }, 'body'), {
    where: 'body/ips/1',
    expected: 'an IPv4 or IPv6 address, with or without a prefix length',
    got: '7',
  })
  t.match(check({ guard: 'none' }, 'body'), { where: 'body/guard', got: '"none"' })
  t.match(check({ nmae: 'x' }, 'body'), { where: 'body/nmae', hint: 'did you mean name?', unknownField: true })
  t.match(check({ colour: 'x' }, 'body'), { hint: 'leave it out' })
  t.match(checker(named['StateSpec']!)({}, 'body'), { where: 'body/complete', expected: 'true', got: 'nothing' })
})

t.test('the nearest word is suggested only when it is near', async t => {
  const known = ['--http', '--store', '--token-file', 'mac']
  t.equal(nearest('--htpp', known), '--http')
  t.equal(nearest('--HTTP', known), '--http')
  t.equal(nearest('--tokenfile', known), '--token-file')
  t.equal(nearest('mca', known), 'mac')
  t.equal(nearest('cam', known), undefined)
  t.equal(nearest('macs', known), 'mac')
  t.equal(nearest('--colour', known), undefined)
  t.equal(nearest('x'.repeat(1_000_000), known), undefined)
})
