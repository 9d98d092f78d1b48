// The controller as it is run, and strangers who hold its connections. Figures are its own processor time and memory.
import { fork } from 'node:child_process'
import { existsSync, globSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { encode } from '../../openflow/index.ts'
import { type Environment, startController } from '../cli/command.ts'
import { until } from '../controller/watching.ts'
import { strangers } from './strangers.ts'
import { attack } from './table.ts'
import { mib, seconds, usageOf } from './usage.ts'

t.setTimeout(300_000)

type Victim = Awaited<ReturnType<typeof startController>> & {
  readonly ports: { readonly http: number; readonly openflow: number }
  connected(): Promise<number>
  /** What the log says of switches that were lost. */
  lost(): readonly string[]
}

const manySwitches = fileURLToPath(new URL('../openflow/many-switches.ts', import.meta.url))

/** A controller with so many switches, which answer echoes as long as the test lasts. */
async function victim(t: Test, switches: number, first = 'true', env: Environment = {}): Promise<Victim> {
  const options = ['--openflow', 'tcp:127.0.0.1:0', '--http', '127.0.0.1:0', '--store', 'memory']
  const running = await startController(t, options, env, { first })
  const portOf = (address: string) => Number(address.split(':').at(-1))
  const ports = { http: portOf(running.http), openflow: portOf(running.openflow[0]!) }
  const fakes = fork(manySwitches, [String(ports.openflow), String(switches)], { stdio: 'inherit' })
  t.teardown(() => fakes.kill('SIGKILL'))
  const connected = async () => {
    const { switches } = (await (await fetch(`${running.base}/v1/switches`)).json()) as any
    return switches.filter((sw: { state: string }) => sw.state === 'live').length
  }
  await until('its switches are live', async () => (await connected()) === switches, { ms: 60_000 })
  const lost = () => running.log.filter(({ msg }) => /^switch .* disconnected/.test(msg)).map(({ msg }) => msg)
  return { ...running, ports, connected, lost }
}

/** Whether a stranger is let in, and answered. */
async function connects(port: number): Promise<boolean> {
  const [one] = await strangers(1, port)
  one!.socket.write('GET /livez HTTP/1.1\r\nHost: l2sm\r\n\r\n')
  await until('it is answered', () => one!.text().startsWith('HTTP/1.1 200'))
  one!.socket.destroy()
  return true
}

/** Milliseconds that each probe took, until `over`: one at a time, on a connection of its own, as a kubelet does. */
async function probing(base: string, over: () => boolean): Promise<number[]> {
  const took: number[] = []
  while (!over()) {
    const began = performance.now()
    const { status } = await fetch(`${base}/livez`, { headers: { connection: 'close' } })
    if (status !== 200) throw new Error(`/livez answers ${status}`)
    took.push(performance.now() - began)
    await sleep(20)
  }
  return took.sort((a, b) => a - b)
}
const p99 = (sorted: readonly number[]): number => sorted[Math.floor(sorted.length * 0.99)]!

attack(
  t,
  {
    id: 'F14',
    attack: '1,000 OpenFlow peers that say a byte a second',
    criterion: 'closed at 10 s at the latest; < 100 MB; a switch stays',
  },
  async t => {
    const { pid, ports, connected, lost } = await victim(t, 1)
    const before = usageOf(pid)
    const began = performance.now()
    const slow = await strangers(1_000, ports.openflow)
    const hello = encode({ type: 'hello', xid: 1, elements: [{ type: 'versionbitmap', versions: [4] }] })
    const closedAt: number[] = []
    for (const { socket } of slow) socket.once('close', () => closedAt.push(performance.now() - began))
    for (let at = 0; closedAt.length < slow.length; at++) {
      for (const { socket } of slow) if (socket.writable) socket.write(hello.subarray(at % 12, (at % 12) + 1))
      await sleep(1_000)
      if (at > 60) throw new Error(`${slow.length - closedAt.length} are open after a minute`)
    }
    const after = usageOf(pid)
    const grown = after.peak - before.resident
    t.ok(grown < 100e6, `${mib(grown)} more`)
    t.ok(after.cpuSeconds - before.cpuSeconds < 5)
    t.equal(await connected(), 1)
    t.same(lost(), [])
    // Our own process takes as long as it does to see an end; five seconds are a busy machine's.
    t.ok(Math.max(...closedAt) < 15_000)
    return `closed after ${(Math.max(...closedAt) / 1000).toFixed(1)} s at most, ${mib(grown)}, ${seconds(after.cpuSeconds - before.cpuSeconds)}`
  },
)

attack(
  t,
  {
    id: 'A27',
    attack: 'slowloris: 2,000 requests that come a byte a second',
    criterion: '408 after 8 s; < 5 CPU-s, and each probe is answered',
  },
  async t => {
    const { pid, ports, base, lost } = await victim(t, 1)
    const before = usageOf(pid)
    let over = false
    const busy = probing(base, () => over)
    // From elsewhere than the probes: of one source there may be 2,048.
    const began = performance.now()
    const slow = await strangers(2_000, ports.http, '127.0.0.2')
    for (const { socket } of slow) socket.write('GET /v1/networks HTTP/1.1\r\nHost: l2sm\r\nX-Slow: ')
    // Ours is a second process, which a busy machine lets wait: how long it took is told, not judged.
    while (slow.some(({ isClosed }) => !isClosed())) {
      await sleep(1_000)
      for (const { socket, isClosed } of slow) if (!isClosed() && socket.writable) socket.write('z')
    }
    const took = (performance.now() - began) / 1000
    over = true
    const during = await busy
    const told = slow.filter(({ text }) => text().startsWith('HTTP/1.1 408')).length
    const cpu = usageOf(pid).cpuSeconds - before.cpuSeconds
    t.ok(told > 1_000, `${told} were told so; the others found no room`)
    t.ok(slow.every(({ text }) => /^(HTTP\/1\.1 408|$)/.test(text())))
    t.ok(cpu < 5, 'which cost little')
    t.same(lost(), [])
    return `${told} x 408 in ${took.toFixed(1)} s, ${seconds(cpu)}; of ${during.length} probes p99 ${p99(during).toFixed(0)} ms`
  },
)

attack(
  t,
  {
    id: 'A27',
    attack: '48,000 requests at once on 40 connections (pipelining)',
    criterion: 'a probe waits for < 0.5 CPU-s of the controller; all of it costs < 2',
  },
  async t => {
    const { pid, ports, base, lost } = await victim(t, 1)
    const flooding = await strangers(40, ports.http, '127.0.0.3')
    const before = usageOf(pid).cpuSeconds
    const began = performance.now()
    for (const { socket } of flooding) socket.write('GET /v1/switches HTTP/1.1\r\nHost: l2sm\r\n\r\n'.repeat(1_200))
    const { status } = await fetch(`${base}/livez`, { headers: { connection: 'close' } })
    const [waited, untilThen] = [performance.now() - began, usageOf(pid).cpuSeconds - before]
    t.equal(status, 200)
    await until('all are answered and closed', () => flooding.every(({ isClosed }) => isClosed()), { ms: 60_000 })
    const cpu = usageOf(pid).cpuSeconds - before
    t.ok(untilThen < 0.5, `${untilThen} s`)
    t.ok(cpu < 2, `${cpu} s`)
    t.same(lost(), [])
    return `a probe waited ${waited.toFixed(0)} ms, ${seconds(untilThen)} of the controller; all of it ${seconds(cpu)}`
  },
)

attack(
  t,
  {
    id: 'F51',
    attack: '256 open files, 256 MiB, and 600 connections at each port',
    criterion: 'it sheds load and does not end; switches stay; then as before',
  },
  async t => {
    const limited = memoryLimit(t, 256 * 1024 * 1024)
    const running = await victim(t, 20, `${limited ? `echo $$ > ${limited}/cgroup.procs && ` : ''}ulimit -n 256`)
    const { pid, ports, base, connected, lost } = running
    const before = usageOf(pid)
    const asking = await strangers(600, ports.http)
    const body = `[${'0,'.repeat(400_000)}0]`
    for (const [i, { socket }] of asking.entries())
      socket.write(
        i % 2 === 0
          ? 'GET /v1/switches HTTP/1.1\r\nHost: l2sm\r\n\r\n'.repeat(20)
          : `PUT /v1/mesh HTTP/1.1\r\nHost: l2sm\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      )
    const peers = await strangers(600, ports.openflow)
    for (const { socket } of peers) socket.write(Buffer.from('040affff00000001', 'hex'))
    const files = () => readdirSync(`/proc/${pid}/fd`).length
    let most = 0
    const sentAway = () => [...asking, ...peers].filter(({ isClosed }) => isClosed()).length
    await until(
      'most were sent away',
      () => {
        most = Math.max(most, files())
        return sentAway() > 800
      },
      { ms: 60_000, why: () => `${sentAway()} were` },
    )
    t.ok(existsSync(`/proc/${pid}`), 'it runs')
    t.ok(most <= 256)
    t.equal(await connected(), 20)
    for (const { socket } of [...asking, ...peers]) socket.destroy()
    await until('it is as before', async () => (await fetch(`${base}/livez`)).ok && files() < 120, { ms: 30_000 })
    t.same(lost(), [])
    const { peak, cpuSeconds } = usageOf(pid)
    return `alive; ${most} files and ${mib(peak)}${limited ? '' : ' (no memory limit here)'} at most, ${seconds(cpuSeconds - before.cpuSeconds)}; 20 switches stay`
  },
)

attack(
  t,
  {
    id: 'A24',
    attack: '10 MB of JSON, 100,000 arrays in each other, 80,000 keys, an id of 16 KB',
    criterion: '413 or 400; < 0.3 CPU-s each; a second request is answered meanwhile',
  },
  async t => {
    const { pid, ports, base } = await victim(t, 1)
    const put = (body: string, path = '/v1/mesh') =>
      fetch(`${base}${path}`, { method: 'PUT', headers: { 'content-type': 'application/json' }, body })
    const keys = JSON.stringify(Object.fromEntries(Array.from({ length: 80_000 }, (_, i) => [`k${i}`, i])))
    const bodies: readonly (readonly [name: string, body: string, status: number])[] = [
      ['10 MB', `[${'0,'.repeat(5_000_000)}0]`, 413],
      ['100,000 deep', `${'['.repeat(100_000)}${']'.repeat(100_000)}`, 413],
      ['80,000 keys', keys, 413],
    ]
    const costs: string[] = []
    for (const [name, body, status] of bodies) {
      const before = usageOf(pid).cpuSeconds
      const [answer, other] = await Promise.all([put(body), fetch(`${base}/livez`)])
      const cpu = usageOf(pid).cpuSeconds - before
      t.equal(answer.status, status, name)
      t.equal(other.status, 200)
      t.ok(cpu < 0.3, `${name} costs ${cpu} s`)
      costs.push(`${name} ${answer.status} ${cpu.toFixed(2)} CPU-s`)
    }
    const long = await fetch(`${base}/v1/networks/${'a-'.repeat(7_000)}`)
    t.equal(long.status, 400)
    t.ok(await connects(ports.http))
    return costs.join('; ')
  },
)

attack(
  t,
  {
    id: 'A29',
    attack: 'a second request in the body of the first: both Content-Length and chunks, in every spelling',
    criterion: '400, closed, and nothing of the second is done',
  },
  async t => {
    const { ports, base } = await victim(t, 1)
    const hidden = 'PUT /v1/networks/smuggled HTTP/1.1\r\nHost: l2sm\r\nContent-Length: 0\r\n\r\n'
    const heads = [
      'Content-Length: 4\r\nTransfer-Encoding: chunked',
      'Transfer-Encoding: chunked\r\nContent-Length: 4',
      'Content-Length: 0\r\nContent-Length: 4',
      'Transfer-Encoding: chunked, identity',
      'Transfer-Encoding: xchunked',
      'Transfer-Encoding : chunked',
      'Transfer-Encoding:\tchunked\r\nTransfer-Encoding: x',
    ]
    let refused = 0
    for (const head of heads) {
      const [one] = await strangers(1, ports.http)
      one!.socket.write(`PUT /v1/networks/outer HTTP/1.1\r\nHost: l2sm\r\n${head}\r\n\r\n0\r\n\r\n${hidden}`)
      await until(`"${head}" is refused`, () => one!.isClosed(), { ms: 20_000 })
      if (/^HTTP\/1\.1 400/.test(one!.text())) refused++
      t.equal(one!.text().match(/HTTP\/1\.1 /g)?.length, 1, head)
    }
    const { networks } = (await (await fetch(`${base}/v1/networks`)).json()) as any
    t.same(networks, [])
    return `${refused} of ${heads.length} refused with 400, ${networks.length} networks made`
  },
)

attack(
  t,
  {
    id: 'F11',
    attack: 'the clock of the machine jumps two hours ahead, and four back (libfaketime)',
    criterion: '0 disconnects; echoes go on; events keep their order',
  },
  async t => {
    const library = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')[0]
    if (library === undefined) throw new Error('libfaketime is not there: npm run setup installs it')
    const offset = join(t.testdir(), 'offset')
    writeFileSync(offset, '+0')
    const env = {
      ...{ LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: offset, FAKETIME_NO_CACHE: '1' },
      // A monotonic clock does not jump when somebody sets the time (clock_gettime(2)).
      ...{ FAKETIME_DONT_FAKE_MONOTONIC: '1', DONT_FAKE_MONOTONIC: '1' },
    }
    const { base, connected, lost } = await victim(t, 20, 'true', env)
    /** Hours by which the controller's clock is ahead of ours, as its answers say. */
    const ahead = async () => {
      const { headers } = await fetch(`${base}/livez`)
      return Math.round((Date.parse(headers.get('date')!) - Date.now()) / 3_600_000)
    }
    const echoes = async () => {
      const text = await (await fetch(`${base}/metrics`)).text()
      return Number(/^l2sm_openflow_messages_total\{type="echo_reply",direction="in"\} (\d+)/m.exec(text)?.[1] ?? 0)
    }
    const seen: number[] = []
    for (const hours of [2, -2, 0]) {
      const before = await echoes()
      writeFileSync(offset, `${hours < 0 ? '' : '+'}${hours}h`)
      await until(`the clock is ${hours} h off`, async () => (await ahead()) === hours)
      await until('all switches were asked for an echo again', async () => (await echoes()) >= before + 20, {
        ms: 30_000,
      })
      t.equal(await connected(), 20)
      const put = await fetch(`${base}/v1/networks/at${hours + 2}`, { method: 'PUT' })
      t.equal(put.status, 201)
      seen.push(hours)
    }
    t.same(lost(), [])
    const { events } = (await (await fetch(`${base}/v1/events?severity=info`)).json()) as any
    const made = events.filter(({ object }: any) => object === 'network').map(({ key }: any) => key)
    t.same(made.sort(), ['at0', 'at2', 'at4'])
    return `${seen.map(h => `${h} h`).join(', ')}: ${lost().length} of 20 disconnected`
  },
)

/** A memory group for the test alone, where the system has them; undefined where not. */
function memoryLimit(t: Test, bytes: number): string | undefined {
  const [v1, v2] = ['/sys/fs/cgroup/memory', '/sys/fs/cgroup']
  const isV1 = existsSync(`${v1}/memory.limit_in_bytes`)
  const folder = `${isV1 ? v1 : v2}/l2sm-attacks-${process.pid}`
  try {
    mkdirSync(folder)
    t.teardown(async () => {
      await until('the group is empty', () => {
        try {
          rmdirSync(folder)
          return true
        } catch {
          return false
        }
      })
    })
    writeFileSync(`${folder}/${isV1 ? 'memory.limit_in_bytes' : 'memory.max'}`, String(bytes))
    return folder
  } catch {
    return undefined
  }
}
