import t from 'tap'
import { operations } from '../../../api/contract/operations.ts'
import { startApi } from '../harness.ts'

const inPath = (path: string) => path.replaceAll(/:([A-Za-z]+)/g, '{$1}')

t.test('the table of calls is what the server has, with its schemas', async t => {
  const { api } = await startApi(t)
  const { paths } = (await api.openapi()) as { paths: Record<string, Record<string, any>> }
  const served = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map(method => `${method.toUpperCase()} ${path}`),
  )
  const rows = Object.values(operations)
  const known = rows.map(({ method, path }) => `${method} ${inPath(path)}`)
  t.same(known.toSorted(), served.filter(each => / \/(v1\/|readyz)/.test(each)).toSorted())
  // As the description spells it: a constant is an enumeration of one.
  const plain = (schema: unknown) =>
    JSON.parse(JSON.stringify(schema), (_, value) => {
      if (value?.const === undefined) return value
      const { const: only, ...rest } = value
      return { ...rest, enum: [only] }
    })
  for (const row of rows) {
    const { parameters = [], requestBody, responses } = paths[inPath(row.path)]![row.method.toLowerCase()]
    const named = (place: string) =>
      (parameters as any[]).flatMap(each => (each.in === place ? [each.name] : [])).toSorted()
    const names = (schema: any) => Object.keys(schema?.properties ?? {}).toSorted()
    const what = `${row.method} ${row.path}`
    t.same(named('path'), names('params' in row && row.params), what)
    t.same(named('query'), names('query' in row && row.query), what)
    const body = requestBody?.content['application/json'].schema
    t.same(body, 'body' in row ? plain(row.body) : undefined, what)
    t.same(responses[200].content['application/json'].schema, plain(row.answer), what)
  }
})
