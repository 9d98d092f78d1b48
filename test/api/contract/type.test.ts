import t from 'tap'
import { Type as TypeBox } from 'typebox'
import { Type } from '../../../api/contract/type.ts'

/** One schema with every maker in it, as either of them makes it. */
const sample = (make: typeof Type) => ({
  plain: make.Object({ a: make.String(), b: make.Boolean(), c: make.Null(), d: make.Integer() }),
  options: make.Object(
    {
      name: make.Optional(make.String({ description: 'a name', minLength: 1 })),
      number: make.Integer({ minimum: 1, maximum: 4 }),
      list: make.Optional(make.Array(make.Enum(['a', 'b'], { description: 'a or b' }), { maxItems: 3 })),
    },
    { additionalProperties: false },
  ),
  nothingRequired: make.Object({ a: make.Optional(make.Boolean({ description: 'yes' })) }),
  literals: [make.Literal('x'), make.Literal(true), make.Literal(7, { description: 'seven' })],
  union: make.Union([make.Null({ description: 'none' }), make.Object({})], { description: 'one or none' }),
})

t.test('schemas are those that TypeBox makes', async t => {
  t.strictSame(JSON.parse(JSON.stringify(sample(Type))), JSON.parse(JSON.stringify(sample(TypeBox))))
})

t.test('a schema that is used as optional in one place is required in another', async t => {
  const name = Type.String()
  const { required } = Type.Object({ a: Type.Optional(name), b: name }) as { required?: readonly string[] }
  t.strictSame(required, ['b'])
})
