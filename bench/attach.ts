// One more port for a network, from the REST call until the last of ten switches has confirmed it; and a network with two
// ports. With 100 and with 1,000 networks there already. Beside OVN, with as many logical switches on one chassis.

import { mkdir } from 'node:fs/promises'
import { Agent, request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { flowMod } from '../openflow/index.ts'
import { openSqlite } from '../store/sqlite/sqlite.ts'
import type { Bench } from './bench.ts'
import { answers, end, httpPort, l2sm, openflowPort, profiling, start } from './contenders.ts'
import { cpuOf, median, memoryNow, print, quantile } from './machine.ts'
import { ovnInstall, ovnIsThere, startOvn } from './ovn.ts'
import { type Ovs, type Port, startOvs } from './ovs.ts'
import { bundled, type RawController, rawController } from './raw.ts'
import { dpidOf, fill, linkPort, macOf, networkId, portOf } from './world.ts'

const switches = 10
/** Ports of each network, one on each switch. */
const ports = 10
/** Ports that nobody uses yet, for what is measured: from this number on. */
const spare = 50_000
/** Of a flow in this table l2sm takes no notice. */
const unusedTable = 10
const extraMac = (kind: number, i: number) =>
  `02:0${kind}:00:00:${(i >> 8).toString(16).padStart(2, '0')}:${(i & 255).toString(16).padStart(2, '0')}`

export const attachBench: Bench = {
  about: 'a port attached, a network made: from the call until the switches have it, with 100 and 1,000 networks there',
  async run({ folder, small, long }) {
    const sizes = small ? [10, 100] : [100, 1000]
    const rows: string[][] = []
    for (const networks of sizes) {
      const own = join(folder, `l2sm${networks}`)
      rows.push(...(await ours(own, networks, small ? 10 : 50)))
      if (networks > 100 && !long) rows.push([`OVN, ${networks} networks`, 'takes minutes: add --long'])
      else if (ovnIsThere()) rows.push(...(await theirs(join(folder, `ovn${networks}`), networks, small ? 5 : 20)))
    }
    print('milliseconds from the call to the answer, and CPU milliseconds for one', [
      ['', 'median', 'p99', 'CPU'],
      ...rows,
    ])
    if (!ovnIsThere()) console.log(`  OVN is missing: ${ovnInstall}`)
  },
}

/** How long each of these took (ms), and the processor time (ms each) of those who worked for it. */
async function measured(
  name: string,
  pids: Readonly<Record<string, readonly number[]>>,
  count: number,
  work: (i: number) => Promise<unknown>,
): Promise<string[]> {
  const times: number[] = []
  const used = () => Object.values(pids).map(of => of.reduce((sum, pid) => sum + cpuOf(pid), 0))
  const before = used()
  for (let i = 0; i < count; i++) {
    const began = performance.now()
    await work(i)
    times.push(performance.now() - began)
  }
  const after = used()
  const each = Object.keys(pids).map((who, k) => `${who} ${(((after[k]! - before[k]!) * 1000) / count).toFixed(1)}`)
  return [name, median(times).toFixed(1), quantile(times, 0.99).toFixed(1), each.join(', ')]
}

async function ours(folder: string, networks: number, count: number): Promise<string[][]> {
  await mkdir(folder)
  const file = join(folder, 'l2sm.db')
  const store = await openSqlite(file)
  await fill(store, { networks, switches, ports })
  await store.close()
  const mesh = await startMesh(folder, networks, Math.max(21, Math.ceil((3 * count) / switches)))
  const controller = start(l2sm(`sqlite:${file}`, join(folder, 'cache'), ...profiling))
  try {
    await Promise.race([controller.died, allProgrammed(networks)])
    const pids = { l2sm: [controller.pid], 'ten vswitchd': mesh.map(n => n.ovs.pid) }
    const there = `${networks} networks`
    const attach = (network: string, i: number, mac: string) =>
      programmed(`/v1/networks/${network}/attachments/${dpidOf(i % switches)}/${spare + Math.floor(i / switches)}`, {
        mac,
      })
    // Compiled by now is what a controller that has run for a while has compiled.
    const warm = `/v1/networks/${networkId(0)}/attachments/${dpidOf(0)}/${spare + 20}`
    for (let i = 0; i < count; i++) {
      await programmed(warm, { mac: extraMac(3, i) })
      await call('DELETE', `${warm}?wait=5s`)
    }
    const onDisk = await commits()
    const prepared = (i: number) => bundled([flowMod({ tableId: unusedTable, match: { in_port: 1 + i } })])
    const rows = [
      await measured(`ten switches alone, ${there}: one prepared flow each`, pids, count, i => {
        const bytes = prepared(i)
        return Promise.all(mesh.map(({ raw }) => raw.write(bytes)))
      }),
      await measured(`l2sm, ${there}: port attached`, pids, count, i =>
        attach(networkId(i % networks), i, extraMac(1, i)),
      ),
      await measured(`l2sm, ${there}: network with two ports`, pids, count, async i => {
        const [a, b] = [count + 2 * i, count + 2 * i + 1]
        const made = programmed(`/v1/networks/new.n${i}`, {})
        await Promise.all([made, attach(`new.n${i}`, a, extraMac(2, a)), attach(`new.n${i}`, b, extraMac(2, b))])
      }),
    ]
    const now = await commits()
    const each = ((now.seconds - onDisk.seconds) * 1000) / (now.count - onDisk.count)
    return [
      ...rows,
      [
        `  of these, store (fsync included): ${each.toFixed(1)} ms a commit; l2sm has ${memoryNow(controller.pid).toFixed(0)} MiB`,
      ],
    ]
  } finally {
    await end(controller)
    for (const { ovs, raw } of mesh) {
      await raw.close()
      await ovs.close()
    }
  }
}

type Node = { readonly ovs: Ovs; readonly raw: RawController }

/** A switch in a process of its own for each node, as nodes have it, with VXLAN links, each to each. */
async function startMesh(folder: string, networks: number, spares: number): Promise<readonly Node[]> {
  const range = (n: number) => Array.from({ length: n }, (_, i) => i)
  const mesh: Node[] = []
  for (const s of range(switches)) {
    const ovs = await startOvs(join(folder, `ovs${s}`))
    const raw = await rawController()
    mesh.push({ ovs, raw })
    const others = range(switches).filter(to => to !== s)
    const own: Port[] = [
      ...range(networks).map(n => ({ name: `p${n}`, ofport: portOf(n) })),
      ...others.map(to => ({ name: `l${to}`, ofport: linkPort(to), remote: `10.0.0.${1 + to}` })),
      ...range(spares).map(i => ({ name: `x${i}`, ofport: spare + i })),
    ]
    await ovs.addBridge({
      name: 'br0',
      dpid: dpidOf(s),
      ports: own,
      controllers: [`tcp:127.0.0.1:${openflowPort}`, raw.target],
    })
    await raw.ready
  }
  return mesh
}

const agent = new Agent({ keepAlive: true })

/** One REST call. Rejects unless it is answered with 2xx. */
function call(method: string, path: string, body?: object): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = body ? { 'content-type': 'application/json' } : {}
    const r = request({ agent, host: '127.0.0.1', port: httpPort, method, path, headers }, answer => {
      let text = ''
      answer.setEncoding('utf8').on('data', piece => (text += piece))
      answer.on('end', () =>
        answer.statusCode! < 300 ? resolve(text) : reject(new Error(`${method} ${path}: ${answer.statusCode} ${text}`)),
      )
    })
    r.on('error', reject)
    r.end(body && JSON.stringify(body))
  })
}

/** Rejects unless the switches have it within 5 s. */
async function programmed(path: string, body: object): Promise<void> {
  const text = await call('PUT', `${path}?wait=5s`, body)
  if (JSON.parse(text).state !== 'programmed') throw new Error(`PUT ${path} answered ${text}`)
}

async function allProgrammed(networks: number): Promise<void> {
  await answers(httpPort, '/readyz')
  for (;;) {
    const states: { state: string }[] = JSON.parse(await call('GET', '/v1/networks')).networks
    const done = states.filter(n => n.state === 'programmed').length
    if (done === networks) return
    await sleep(500)
  }
}

async function commits(): Promise<{ count: number; seconds: number }> {
  const text = await call('GET', '/metrics')
  const value = (name: string) =>
    Number(new RegExp(`^l2sm_store_commit_duration_seconds_${name} (.*)$`, 'm').exec(text)?.[1])
  return { count: value('count'), seconds: value('sum') }
}

async function theirs(folder: string, networks: number, count: number): Promise<string[][]> {
  await mkdir(folder)
  const port = (n: number, p: number) => `n${n}-p${p}`
  const total = networks + count
  const plugged = Array.from({ length: total * (ports + 1) }, (_, i): Port => {
    const name = port(Math.floor(i / (ports + 1)), i % (ports + 1))
    return { name, ofport: 1 + i, ifaceId: name }
  })
  const ovn = await startOvn(folder, plugged)
  try {
    const join = (commands: readonly string[][]) => commands.flatMap((words, i) => (i === 0 ? words : ['--', ...words]))
    const portOn = (n: number, p: number, mac: string) => [
      ['lsp-add', `n${n}`, port(n, p)],
      ['lsp-set-addresses', port(n, p), mac],
    ]
    const network = (n: number, ports: number) => [
      ['ls-add', `n${n}`],
      ...Array.from({ length: ports }, (_, p) => portOn(n, p, macOf(n, p))).flat(),
    ]
    for (let n = 0; n < networks; n++) await ovn.nbctl(...join(network(n, ports)))
    // The first may be answered before the chassis is there to be waited for.
    for (let i = 0; i < 3; i++) await ovn.nbctl('--wait=hv', 'sync')
    const there = `${networks} networks`
    return [
      await measured(`OVN, ${there}: port attached`, ovn.pids, count, i =>
        ovn.nbctl('--wait=hv', ...join(portOn(i % networks, ports, extraMac(1, i)))),
      ),
      await measured(`OVN, ${there}: network with two ports`, ovn.pids, count, i =>
        ovn.nbctl('--wait=hv', ...join(network(networks + i, 2))),
      ),
    ]
  } finally {
    await ovn.close()
  }
}
