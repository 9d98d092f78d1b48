import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import t from 'tap'

const root = new URL('..', import.meta.url).pathname

type Room = {
  /** Rooms that its files reach, by however many imports, types counted. `*`: any. Itself always. */
  readonly reaches: readonly string[]
  /** Same arguments, same answer: its files read no clock, socket, random number, logger or environment. */
  readonly pure?: true
}
const openflow = ['openflow', 'openflow/messages', 'openflow/text', 'openflow/wire']
const compiling = [...openflow, 'controller/compile', 'store', 'topology']
const switching = [...compiling, 'controller/clock', 'controller/switch', 'controller/view', 'openflow/session']

/** The operator's rooms, each on top of those before it. */
const asking = ['operator/address', 'operator/asked', 'operator/kube']
const certifying = ['operator/kube', 'pki', 'topology']
const operating = [...asking, 'api/contract', 'operator/claim', 'operator/world']

const viewing = ['controller/view', 'store', 'topology']

/** Every folder with files of ours. To add one: a row here, and what it holds in docs/architecture.md. */
const rooms: { readonly [folder: string]: Room } = {
  'openflow/wire': { reaches: [], pure: true },
  'openflow/messages': { reaches: ['openflow/wire'], pure: true },
  'openflow/text': { reaches: ['openflow/messages', 'openflow/wire'], pure: true },
  openflow: { reaches: openflow, pure: true },
  'openflow/session': { reaches: openflow },
  topology: { reaches: [], pure: true },
  store: { reaches: ['topology'] },
  'store/sqlite': { reaches: ['store', 'topology'] },
  'controller/view': { reaches: ['topology'], pure: true },
  'controller/clock': { reaches: [] },
  'controller/history': { reaches: ['controller/clock', 'controller/view', 'topology'] },
  'controller/compile': { reaches: compiling, pure: true },
  'controller/proof': { reaches: [...openflow, 'controller/compile', 'topology'], pure: true },
  'controller/switch': { reaches: switching },
  'controller/links': { reaches: switching },
  'controller/learning': { reaches: switching },
  'controller/multicast': { reaches: switching },
  'controller/limits': { reaches: switching },
  'controller/loops': { reaches: switching },
  controller: {
    reaches: [
      ...switching,
      'controller/limits',
      'controller/loops',
      'controller/links',
      'controller/learning',
      'controller/multicast',
      'controller/proof',
    ],
  },
  'api/contract': { reaches: [] },
  'api/http': { reaches: ['api/contract', ...viewing] },
  'api/v1': { reaches: ['api/contract', 'api/http', ...viewing] },
  'api/onos': { reaches: ['api/contract', 'api/http', 'api/v1', ...viewing] },
  api: { reaches: ['api/contract', 'api/http', 'api/onos', 'api/v1', ...viewing] },
  'agent/ovsdb': { reaches: [] },
  'agent/switch': { reaches: ['agent/ovsdb', 'api/contract'], pure: true },
  'agent/node': { reaches: ['agent/switch', 'agent/ovsdb', 'api/contract'], pure: true },
  'agent/machine': { reaches: ['agent/node', 'agent/switch', 'agent/ovsdb', 'api/contract'] },
  agent: { reaches: ['agent/machine', 'agent/node', 'agent/switch', 'agent/ovsdb', 'api/contract'] },
  'operator/address': { reaches: [], pure: true },
  'operator/kube': { reaches: [] },
  'operator/asked': { reaches: ['operator/address', 'operator/kube'], pure: true },
  'operator/certificates': { reaches: certifying },
  'operator/claim': { reaches: asking },
  'operator/names': { reaches: [...asking, 'operator/claim'] },
  'operator/world': { reaches: [...asking, 'operator/claim'] },
  'operator/webhook': { reaches: operating },
  'operator/reconcile': { reaches: [...operating, ...certifying, 'operator/certificates'] },
  operator: {
    reaches: [...operating, ...certifying, 'operator/certificates', 'operator/reconcile', 'operator/webhook'],
  },
  pki: { reaches: [] },
  images: { reaches: [] },
  lab: { reaches: [] },
  'lab/k8s': { reaches: ['lab', 'images'] },
  cli: { reaches: ['*'] },
  'cli/command-line': { reaches: [] },
  'cli/demo': { reaches: ['*'] },
  docs: { reaches: ['*'] },
  bench: { reaches: ['*'] },
  test: { reaches: ['*'] },
}

const impure: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['a clock', /\bDate\.now\b|\bnew Date\(\)|\bperformance\.|\bset(Timeout|Interval|Immediate)\(/],
  ['random numbers', /\bMath\.random\b|\brandomBytes\b|\brandomUUID\b/],
  ['the environment', /\bprocess\.(env|argv|cwd)\b/],
  ['a log', /\bconsole\.|from 'pino'/],
  ['a socket or a file', /from 'node:(net|tls|fs|fs\/promises|http|dgram|child_process|worker_threads|sqlite)'/],
]

type Import = { readonly file: string; readonly target: string; readonly to: string }
const files = globSync('*/**/*.ts', { cwd: root, exclude: ['node_modules/**', 'dist/**', '.*/**'] })
const textOf = new Map(files.map(file => [file, readFileSync(join(root, file), 'utf8')]))
const ours: readonly Import[] = files.flatMap(file =>
  [...textOf.get(file)!.matchAll(/^(?:import|export)\b[^'"]*?from ['"](\.[^'"]+\.ts)['"]/gm)].map(([, target]) => ({
    file,
    target: target!,
    to: normalize(join(dirname(file), target!)),
  })),
)
const importsOf = Map.groupBy(ours, ({ file }) => file)

/** The longest folder of the table that a file lies in. */
const roomOf = (file: string): string => {
  for (let folder = dirname(file); folder !== '.'; folder = dirname(folder)) if (folder in rooms) return folder
  return file
}

/** Rooms that a file reaches, each with the chain of files that leads there first. */
function reached(file: string): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, readonly string[]>()
  const chains = new Map<string, readonly string[]>([[file, [file]]])
  for (const [at, chain] of chains) {
    if (!found.has(roomOf(at))) found.set(roomOf(at), chain)
    for (const { to } of importsOf.get(at) ?? []) if (!chains.has(to)) chains.set(to, [...chain, to])
  }
  return found
}

/** Circles among nodes, each as a set of names (Tarjan's strongly connected components of more than one). */
function circles(edges: ReadonlyMap<string, ReadonlySet<string>>): string[][] {
  const index = new Map<string, number>()
  const low = new Map<string, number>()
  const stack: string[] = []
  const found: string[][] = []
  const visit = (node: string) => {
    index.set(node, index.size)
    low.set(node, index.get(node)!)
    stack.push(node)
    for (const next of edges.get(node) ?? []) {
      if (!index.has(next)) visit(next)
      if (stack.includes(next)) low.set(node, Math.min(low.get(node)!, low.get(next)!))
    }
    if (low.get(node) !== index.get(node)) return
    const component = stack.splice(stack.indexOf(node))
    if (component.length > 1) found.push(component.sort())
  }
  for (const node of edges.keys()) if (!index.has(node)) visit(node)
  return found
}
const edgesBy = (name: (file: string) => string): ReadonlyMap<string, ReadonlySet<string>> =>
  new Map(
    [...Map.groupBy(ours, ({ file }) => name(file))].map(([from, imports]) => [
      from,
      new Set(imports.map(({ to }) => name(to)).filter(to => to !== from)),
    ]),
  )

t.test('every folder has its rules', async t =>
  t.same(
    files.filter(file => !(roomOf(file) in rooms)),
    [],
  ),
)

t.test('a file reaches only what its folder may, by however many imports', async t => {
  const wrong = files.flatMap(file => {
    const { reaches } = rooms[roomOf(file)] ?? { reaches: [] }
    if (reaches.includes('*')) return []
    return [...reached(file)]
      .filter(([room]) => room !== roomOf(file) && !reaches.includes(room))
      .map(([, chain]) => chain.join(' -> '))
  })
  t.same(wrong, [])
})

t.test('no files import each other in a circle, types counted', async t => t.same(circles(edgesBy(file => file)), []))

t.test('no folders import each other in a circle, types counted', async t => t.same(circles(edgesBy(roomOf)), []))

t.test('every import of ours names a file that is there, with its ending', async t =>
  t.same(
    ours.filter(({ to }) => !textOf.has(to)).map(({ file, target }) => `${file} imports ${target}`),
    [],
  ),
)

t.test('only the server of openflow/ opens sockets there', async t => {
  const sockets = files.filter(f => f.startsWith('openflow/') && /from 'node:(net|tls)'/.test(textOf.get(f)!))
  t.same(sockets, ['openflow/session/server.ts'])
})

t.test('the reference switch of the tests knows nothing of the controller', async t => {
  const wrong = files
    .filter(file => file.startsWith('test/reference/') && !file.endsWith('.test.ts'))
    .flatMap(file =>
      [...reached(file)].filter(([room]) => room.startsWith('controller')).map(([, c]) => c.join(' -> ')),
    )
  t.same(wrong, [])
})

t.test('proof and trace know of compile only the declaration of the pipeline', async t => {
  const wrong = ours.filter(
    ({ file, to }) =>
      roomOf(file) === 'controller/proof' &&
      roomOf(to) === 'controller/compile' &&
      to !== 'controller/compile/pipeline.ts',
  )
  t.same(wrong, [])
})

t.test('pure folders are pure', async t => {
  const found = files
    .filter(file => rooms[roomOf(file)]?.pure)
    .flatMap(file => impure.filter(([, p]) => p.test(textOf.get(file)!)).map(([what]) => `${file} reads ${what}`))
  t.same(found, [])
})
