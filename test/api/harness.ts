import { connect } from 'node:net'
import { pino } from 'pino'
import type t from 'tap'
import { Compile } from 'typebox/compile'
import type { HttpTls } from '../../api/http/app.ts'
import type { Auth } from '../../api/http/auth.ts'
import { createMetrics, type Metrics } from '../../api/metrics.ts'
import { createApi } from '../../api/server.ts'
import { openRecord, type RecordOptions } from '../../controller/history/record.ts'
import type { Controller, Progress, SwitchView } from '../../controller/view/view.ts'
import { openMemory } from '../../store/memory.ts'
import type { Store } from '../../store/store.ts'
import { linkKey } from '../../topology/topology.ts'

type Test = Pick<typeof t, 'teardown'>

export const dpid = '00000000000000a1'
export const other = '00000000000000b2'
export const open: Auth = { token: { is: 'anybody' }, login: { is: 'anybody' } }

export const switchView = (more: Partial<SwitchView> = {}): SwitchView => ({
  dpid,
  connected: true,
  state: 'live',
  remote: '127.0.0.1:40000',
  manufacturer: 'Nicira, Inc.',
  software: '3.1.0',
  ports: [
    { number: 2, name: 'ls2', mac: '02:00:00:00:00:02', up: true },
    { number: 1, name: 'ls1', mac: '02:00:00:00:00:01', up: false },
  ],
  flows: { desired: 3, actual: 3, foreign: 0, drift: 0 },
  programmedRevision: 0,
  ...more,
})

/** A controller of which no switch ever confirms anything, unless a test says otherwise; it keeps what it was asked. */
export const stillController = (more: Partial<Controller> = {}) => {
  const asked: { readonly network: string; readonly revision: number; readonly ms: number; readonly about?: string }[] =
    []
  const pending = (revision: number): Progress => ({ state: 'pending', reason: 'no switch is connected', revision })
  const controller: Controller = {
    switches: () => [],
    eachSwitch: () => controller.switches().map(sw => ({ ...sw, readAt: undefined })),
    switch: dpid => controller.switches().find(s => s.dpid === dpid),
    forget: () => false,
    connected: dpid => controller.switch(dpid)?.connected ?? false,
    links: () => [],
    linked: () => true,
    vlink: () => undefined,
    eachLink: () => controller.links(),
    link: wanted => controller.links().find(link => linkKey(link) === linkKey(wanted)),
    probing: () => ({
      carrying: { ports: 0, intervalMs: 250 },
      idle: { ports: 0, intervalMs: 250 },
      unknown: { ports: 0, intervalMs: 5000 },
    }),
    mtu: async () => undefined,
    network: () => undefined,
    attachmentCounts: async () => ({ pending: 0, programmed: 0, degraded: 0 }),
    partitions: () => [],
    conflicts: () => [],
    ipConflicts: () => [],
    multicast: () => undefined,
    attachment: () => undefined,
    limits: () => [],
    readLimits: async () => {},
    eachDrop: () => [],
    settled: async (network, revision, ms, about) => {
      asked.push({ network, revision, ms, ...(about !== undefined && { about }) })
      return pending(revision)
    },
    takeover: async wanted => ({ refused: `switch ${wanted} is not connected` }),
    explain: async () => ({ revision: 1, reaches: 'unknown', summary: '', findings: [] }),
    proof: async tables => ({
      ...{ result: 'proved', tables, revision: 1, counterexamples: [], unread: [], assumptions: [] },
      covers: { switches: 0, networks: 0, ports: 0, entries: 0 },
      models: { openVSwitch: 0, openFlow13: 0 },
    }),
    trace: async () => ({ revision: 1, frame: '', words: '', traces: [] }),
    ready: () => ({ ready: true, reasons: [], concerns: [] }),
    tunnelsNotified: () => {},
    ...more,
  }
  return { controller, asked }
}

/** Every answer is held against what /openapi.json promises for it; this answers what is wrong, if anything. */
const promises = (openapi: any) => {
  const routes = Object.entries<any>(openapi.paths).map(([path, methods]) => ({
    pattern: new RegExp(`^${path.replaceAll(/\{[^}]+\}/g, '[^/]+')}$`),
    literal: !path.includes('{'),
    methods,
  }))
  routes.sort((a, b) => Number(b.literal) - Number(a.literal))
  return (method: string, path: string, status: number, type: string, body: unknown): string | undefined => {
    const pathname = path.split('?', 1)[0]!
    const route = routes.find(r => r.pattern.test(pathname) && r.methods[method.toLowerCase()])
    const responses = route?.methods[method.toLowerCase()].responses
    const promised = responses?.[status] ?? openapi.paths['/livez'].get.responses.default
    const schema = promised.content?.[type.split(';', 1)[0]!]?.schema
    if (schema === undefined) return body === undefined ? undefined : `no ${type} is promised`
    const wrong = Compile(schema).Errors(body)[0]
    return wrong && `${wrong.instancePath} ${wrong.message}`
  }
}

export type Answer = { readonly status: number; readonly headers: Headers; readonly text: string; readonly body: any }

export const recordOf = (store: Store, log: RecordOptions['log'], more: Partial<RecordOptions> = {}) =>
  openRecord({ revision: () => store.state().revision, log, observe: () => {}, ...more })

/** The API on a free port of loopback, over a store that is really written to. */
export const startApi = async (
  t: Test,
  options: {
    readonly auth?: Auth
    readonly store?: Store
    readonly controller?: Controller
    readonly metrics?: Metrics
    readonly tls?: HttpTls
    /** Of the history. */
    readonly bounds?: { readonly events: number; readonly characters: number }
  } = {},
) => {
  const store = options.store ?? openMemory()
  const controller = options.controller ?? stillController().controller
  const metrics = options.metrics ?? createMetrics({ version: '0.0.0' })
  const log = pino({ level: 'silent' })
  const { bounds } = options
  const record = await recordOf(store, log, { observe: metrics.observe, ...(bounds && { bounds }) })
  const { emit, history } = record
  const api = await createApi({
    store,
    ...{ controller, emit, history },
    metrics,
    auth: options.auth ?? open,
    tls: options.tls,
    log,
    version: '0.0.0',
  })
  const { port } = await api.listen({ host: '127.0.0.1', port: 0 })
  t.teardown(async () => {
    await api.close()
    await record.close()
    await store.close()
  })
  const base = `http://127.0.0.1:${port}`
  const promised = promises(await api.openapi())
  const call = async (
    method: string,
    path: string,
    body?: unknown,
    headers: { readonly [name: string]: string } = {},
  ): Promise<Answer> => {
    const sent = body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }
    const jsonType = body === undefined ? {} : { 'content-type': 'application/json' }
    const answer = await fetch(`${base}${path}`, { method, headers: { ...jsonType, ...headers }, ...sent })
    const text = await answer.text()
    const type = answer.headers.get('content-type') ?? ''
    const json = type.includes('json') ? JSON.parse(text) : undefined
    const wrong = promised(method, path, answer.status, type, json)
    if (wrong) throw new Error(`${method} ${path} answered ${answer.status} ${text}, against its promise: ${wrong}`)
    return { status: answer.status, headers: answer.headers, text, body: json }
  }
  return { base, port, store, metrics, api, call, emit }
}

/** Bytes as they are, which fetch would put right; answers all that comes back until the connection ends. */
export const raw = (port: number, ...parts: readonly (string | Buffer)[]): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    const chunks: Buffer[] = []
    socket.on('data', chunk => chunks.push(chunk))
    socket.on('error', error => (chunks.length > 0 ? resolve(Buffer.concat(chunks).toString()) : reject(error)))
    socket.on('close', () => resolve(Buffer.concat(chunks).toString()))
    for (const part of parts) socket.write(part)
  })

export const statusOf = (text: string): number => Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1])
