import { existsSync, readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { around, folders } from '../docs/folders.ts'
import { between, documents } from '../docs/generate.ts'
import { direct, folderOf, fromTheTop, importedFolders, sourceFiles } from '../docs/imports.ts'

const root = new URL('..', import.meta.url).pathname
const page = (name: string): string => readFileSync(`${root}/${name}`, 'utf8')

for (const [name, write] of Object.entries(documents))
  t.test(`docs/${name} says what the code says (else: npm run docs)`, async t => t.equal(page(`docs/${name}`), write()))

t.test('every folder with files of ours has its sentence, and every sentence its folder', async t => {
  t.same(
    sourceFiles().filter(file => folderOf(file) === undefined),
    [],
  )
  t.same(
    Object.keys({ ...folders, ...around }).filter(folder => !existsSync(`${root}/${folder}`)),
    [],
  )
})

t.test('folders import each other downwards only', async t => {
  const graph = importedFolders()
  const order = fromTheTop(graph)
  for (const [folder, imported] of graph)
    for (const other of imported)
      if (graph.has(other)) t.ok(order.indexOf(other) > order.indexOf(folder), `${folder} imports ${other}`)
})

t.test('of imports, those are drawn that nothing else implies', async t => {
  const graph = new Map([
    ['a', new Set(['b', 'c'])],
    ['b', new Set(['c'])],
    ['c', new Set<string>()],
  ])
  t.same(direct(graph, 'a'), ['b'])
  t.throws(() => fromTheTop(new Map([...graph, ['c', new Set(['a'])]])), { message: /circle/ })
})

t.test('what is generated stands between its marks', async t => {
  t.equal(
    between('x\n<!-- p: y -->\nold\n<!-- end of p -->\nz', 'p', 'new'),
    'x\n<!-- p: y -->\n\nnew\n\n<!-- end of p -->\nz',
  )
  t.throws(() => between('x', 'p', 'new'), { message: /no part "p"/ })
})

t.test('every file that our pages name is there', async t => {
  const pages = [
    'README.md',
    'CONTRIBUTING.md',
    ...readdirSync(`${root}/docs`)
      .filter(f => f.endsWith('.md'))
      .map(f => `docs/${f}`),
  ]
  const missing = pages.flatMap(name =>
    [...page(name).matchAll(/`((?:[\w-]+\/)+[\w.-]+\.(?:ts|md|py|txt))`/g)]
      .map(([, path]) => path!)
      .filter(path => !existsSync(`${root}/${path}`))
      .map(path => `${name}: ${path}`),
  )
  t.same(missing, [])
})
