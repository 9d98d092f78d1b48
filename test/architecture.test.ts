import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import t from 'tap'

const root = new URL('..', import.meta.url).pathname

/**
 * What each folder may import of ours. To add a folder: a row here, with what it is in docs/architecture.md.
 * `controller (core)` is what api/ may see of the controller: its views, and nothing that acts.
 */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  openflow: [],
  topology: [],
  store: ['topology'],
  controller: ['openflow', 'topology', 'store'],
  api: ['topology', 'store', 'controller/view/view.ts'],
  agent: ['api/contract/node-schemas.ts', 'api/contract/type.ts', 'api/contract/check.ts'],
  lab: [],
  cli: ['openflow', 'api', 'controller', 'store', 'topology', 'agent', 'lab'],
  docs: ['controller', 'topology'],
  bench: ['*'],
  test: ['*'],
}

/** Files that are pure: same arguments, same answer. They read no clock, socket, random, logger or environment. */
const pure = [
  ...globSync('topology/*.ts', { cwd: root }),
  ...globSync('openflow/*.ts', { cwd: root }).filter(f => !['server.ts', 'connection.ts'].includes(f.split('/')[1]!)),
  ...[
    'pipeline',
    'cookie',
    'item',
    'compile',
    'diff',
    'content',
    'tables',
    'learn',
    'status',
    'steps',
    'occupied',
    'vlink',
    'vlink-state',
    'lacks',
    'base',
    'tag',
  ].map(n => `controller/${n}.ts`),
  ...['igmp', 'asking', 'membership', 'snoop', 'metered'].map(n => `controller/${n}.ts`),
  ...[
    ...['ovsdb/json-stream', 'ovsdb/schema', 'node/devices', 'node/stock', 'node/pairs', 'node/underlay'],
    ...['switch/desired', 'switch/diff', 'switch/target', 'report', 'sight'],
  ].map(n => `agent/${n}.ts`),
]
const impure: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['a clock', /\bDate\.now\b|\bnew Date\(\)|\bperformance\.|\bset(Timeout|Interval|Immediate)\(/],
  ['random numbers', /\bMath\.random\b|\brandomBytes\b|\brandomUUID\b/],
  ['the environment', /\bprocess\.(env|argv|cwd)\b/],
  ['a log', /\bconsole\.|from 'pino'/],
  ['a socket or a file', /from 'node:(net|tls|fs|fs\/promises|http|dgram|child_process|worker_threads|sqlite)'/],
]

type Import = { readonly file: string; readonly target: string; readonly typeOnly: boolean }
const importsOf = (file: string): Import[] =>
  [...readFileSync(join(root, file), 'utf8').matchAll(/^(?:import|export)\b([^'"]*?)from ['"]([^'"]+)['"]/gm)].map(
    ([, what, target]) => ({ file, target: target!, typeOnly: /^\s*type\b/.test(what!) }),
  )
const files = globSync('*/**/*.ts', { cwd: root, exclude: ['node_modules/**', '.*/**'] })
const ours = files
  .flatMap(importsOf)
  .filter(i => i.target.startsWith('.') && i.target.endsWith('.ts'))
  .map(i => ({ ...i, to: normalize(join(dirname(i.file), i.target)) }))
const folder = (path: string) => path.split('/')[0]!

t.test('every folder has its rules', async t =>
  t.same(
    [...new Set(files.map(folder))].filter(f => !(f in mayImport)),
    [],
  ),
)

t.test('a folder imports only what it may', async t => {
  const wrong = ours.filter(({ file, to }) => {
    const allowed = mayImport[folder(file)] ?? []
    return folder(file) !== folder(to) && !allowed.some(a => a === '*' || a === folder(to) || a === to)
  })
  t.same(
    wrong.map(({ file, to }) => `${file} imports ${to}`),
    [],
  )
})

t.test('every import of ours names a file that is there, with its ending', async t =>
  t.same(
    ours.filter(({ to }) => !files.includes(to)).map(({ file, target }) => `${file} imports ${target}`),
    [],
  ),
)

t.test('only the server of openflow/ opens sockets there', async t => {
  const sockets = files.filter(
    f => folder(f) === 'openflow' && /from 'node:(net|tls)'/.test(readFileSync(join(root, f), 'utf8')),
  )
  t.same(sockets, ['openflow/session/server.ts'])
})

t.test('the core is pure', async t => {
  const found = pure.flatMap(file => {
    const text = readFileSync(join(root, file), 'utf8')
    return impure.filter(([, pattern]) => pattern.test(text)).map(([what]) => `${file} reads ${what}`)
  })
  t.same(found, [])
})
