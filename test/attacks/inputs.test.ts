// What one call, or a store that nobody could have written over REST, may cost the controller as it is run.
import { join } from 'node:path'
import t from 'tap'
import { maxFullMeshNodes } from '../../store/limits.ts'
import { putMesh } from '../../store/nodes.ts'
import { parseAddress, parseIp, parseNetworkId, parseNodeName } from '../../store/parse.ts'
import { parsePrefix, parseSource } from '../../store/prefix.ts'
import { openSqlite } from '../../store/sqlite/sqlite.ts'
import { parseDpid, parseEndpoint, parseMac, parsePort } from '../../topology/parse.ts'
import { startController } from '../cli/command.ts'
import { until } from '../controller/watching.ts'
import { attack } from './table.ts'
import { mib, seconds, usageOf } from './usage.ts'

t.setTimeout(600_000)

const args = (store = 'memory') => ['--openflow', 'tcp:127.0.0.1:0', '--http', '127.0.0.1:0', '--store', store]
const json = (method: string, body: object | string) => ({
  method,
  headers: { 'content-type': 'application/json' },
  body: typeof body === 'string' ? body : JSON.stringify(body),
})
const nodes = (count: number) =>
  Array.from({ length: count }, (_, i) => ({ name: `node-${i}`, address: `10.0.${i >> 8}.${i & 255}` }))

attack(
  t,
  {
    id: 'A28',
    attack: 'ids, addresses and numbers of 1 MB, made for expressions that go back and try again',
    criterion: '< 5 CPU-ms each where they are read; 4xx, < 0.3 CPU-s each over REST',
  },
  async t => {
    const parsers = {
      ...{ parseNetworkId, parseNodeName, parseAddress, parseIp, parsePrefix, parseSource },
      ...{ parseDpid, parseEndpoint, parseMac, parsePort },
    }
    const units = [
      'a',
      '.',
      '0',
      '1.',
      ':',
      '0:',
      '::',
      'of:',
      'aa:',
      'aa-',
      '/',
      '1/',
      'a.-_',
      '10.0.0.0/',
      ' ',
      '%',
      'é',
    ]
    const mebibyte = 1024 * 1024
    let worst = { ms: 0, of: '' }
    for (const [name, parse] of Object.entries(parsers))
      for (const unit of units)
        for (const tail of ['', '!', '/24', ':ff']) {
          const text = unit.repeat(mebibyte / unit.length) + tail
          // Made of one piece, or that would count.
          text.charCodeAt(0)
          // The least of three, for the collector of garbage counts too.
          let [ms, parsed] = [Number.POSITIVE_INFINITY, undefined as unknown]
          for (let i = 0; i < 3; i++) {
            const before = process.cpuUsage()
            parsed = parse(text)
            const { user, system } = process.cpuUsage(before)
            ms = Math.min(ms, (user + system) / 1000)
          }
          if (ms > worst.ms) worst = { ms, of: `${name} of ${JSON.stringify(unit)}` }
          t.equal(parsed, undefined, `${name} of ${JSON.stringify(unit)} ${tail}`)
        }
    t.ok(worst.ms < 5, `${worst.of}: ${worst.ms} ms`)

    const { base, pid } = await startController(t, args())
    const long = (unit: string, bytes: number) => unit.repeat(Math.floor(bytes / unit.length))
    const [dpid, body] = ['00000000000000a1', 900_000]
    const calls: readonly (readonly [path: string, init?: RequestInit])[] = [
      ...['a', '.', '0', ':', 'of:'].flatMap(unit => {
        const text = long(unit, 15_000)
        return [
          [`/v1/networks/${text}`],
          [`/v1/nodes/${text}`],
          [`/v1/switches/${text}`],
          [`/v1/networks/a/attachments/${text}/1`, { method: 'PUT' }],
          [`/v1/networks/a/attachments/${dpid}/${text}`, { method: 'PUT' }],
          [`/v1/links/${text}/1/${dpid}/1`],
          [`/v1/explain?from=${text}&to=${text}`],
          [`/v1/trace?from=${text}&dst=${text}`],
          [`/v1/networks?wait=${text}`],
          [`/v1/events?since=${text}`],
        ] as const
      }),
      ...['a', '1.', '0:', 'aa:', 'aa-'].flatMap(unit => {
        const text = long(unit, body)
        return [
          [`/v1/networks/a/attachments/${dpid}/1`, json('PUT', { mac: text })],
          [`/v1/networks/a/attachments/${dpid}/1`, json('PUT', { mac: '02:00:00:00:00:01', ips: [text] })],
          ['/v1/nodes/n', json('PUT', { address: text })],
          ['/v1/mesh', json('PUT', { nodes: [{ name: text, address: '10.0.0.1' }], full: true })],
          ['/onos/vnets/api', json('POST', { networkId: text })],
          ['/onos/vnets/api/port', json('POST', { networkId: 'a', networkPort: [text] })],
        ] as const
      }),
    ]
    await fetch(`${base}/v1/networks/a`, { method: 'PUT' })
    let dearest = 0
    for (const [path, init] of calls) {
      const before = usageOf(pid).cpuSeconds
      const { status } = await fetch(`${base}${path}`, init)
      dearest = Math.max(dearest, usageOf(pid).cpuSeconds - before)
      t.ok(status >= 400 && status < 500, `${init?.method ?? 'GET'} ${path.slice(0, 60)}: ${status}`)
    }
    t.ok(dearest < 0.3, `the dearest call costs ${dearest} s`)
    return `${worst.ms.toFixed(1)} CPU-ms at most (${worst.of}); of ${calls.length} calls the dearest ${dearest.toFixed(2)} CPU-s`
  },
)

attack(
  t,
  {
    id: 'o4',
    attack: 'PUT /v1/mesh: a full mesh of 3,000 nodes; one of as many as may be; then 3,000 in the store',
    criterion: 'refused with the number; < 800 MiB; it starts, says why it waits, and REST undoes it',
  },
  async t => {
    const path = join(t.testdir(), 'l2sm.db')
    const first = await startController(t, args(`sqlite:${path}`))
    const mesh = (base: string, body: object) => fetch(`${base}/v1/mesh`, json('PUT', body))
    const refused = await mesh(first.base, { full: true, nodes: nodes(3_000) })
    t.equal(refused.status, 409)
    t.match(await refused.json(), { detail: new RegExp(`3000 .*${maxFullMeshNodes}`) })
    t.equal((await mesh(first.base, { full: true, nodes: nodes(maxFullMeshNodes) })).status, 200)
    const state = async (base: string) => (await (await fetch(`${base}/v1/networks/red`)).json()) as any
    t.equal((await fetch(`${first.base}/v1/networks/red`, { method: 'PUT' })).status, 201)
    await until('its mesh is worked out', async () => (await state(first.base)).state === 'programmed', { ms: 300_000 })
    const listed = (await (await fetch(`${first.base}/metrics`)).text()).match(/^l2sm_links\{.*\} (\d+)/gm) ?? []
    const all = listed.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
    t.equal(all, maxFullMeshNodes * (maxFullMeshNodes - 1))
    const { peak, cpuSeconds } = usageOf(first.pid)
    t.ok(peak < 800 * 1024 * 1024, mib(peak))
    t.equal(await first.stop('SIGTERM'), 0)

    const store = await openSqlite(path)
    await store.write(draft => putMesh(draft, { links: [], nodes: nodes(3_000) }))
    await store.write(draft => draft.setOverlay({ ...draft.overlay, full: true }))
    await store.close()
    const { base, pid, stop } = await startController(t, args(`sqlite:${path}`))
    const ready = async () => (await (await fetch(`${base}/readyz`)).json()) as { ready: boolean; reasons: string[] }
    t.match(await ready(), { ready: false, reasons: [/3000 nodes, and at most 1000.*PUT \/v1\/mesh/] })
    t.match(await state(base), { state: 'pending', reason: /mesh is too large/ })
    t.equal((await fetch(`${base}/v1/links`)).status, 200)
    const odd = usageOf(pid).peak
    t.ok(odd < 400 * 1024 * 1024, mib(odd))
    t.equal((await mesh(base, { full: true, nodes: nodes(10) })).status, 200)
    await until('it is ready', async () => (await ready()).ready)
    await until('the network is', async () => (await state(base)).state === 'programmed')
    t.equal(await stop('SIGTERM'), 0)
    return `409; 1,000 nodes: ${mib(peak)}, ${seconds(cpuSeconds)}; 3,000 in the store: ${mib(odd)}, and undone`
  },
)
