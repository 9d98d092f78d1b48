// Many peers that are no switches: slow ones, and more than the process may have files open.
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { encode, flowMod } from '../../../openflow/index.ts'
import { fakeSwitch } from '../fake-switch.ts'
import { listening } from '../listening.ts'

type Address = { readonly host: string; readonly port: number }

async function peers(t: Test, count: number, address: Address): Promise<Socket[]> {
  const sockets = Array.from({ length: count }, () => connect({ ...address, noDelay: true }))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
  })
  await Promise.all(
    sockets.map(socket => {
      socket.on('error', () => undefined)
      socket.resume()
      return new Promise(resolve => socket.once('connect', resolve).once('close', resolve))
    }),
  )
  return sockets
}

const hello = encode({ type: 'hello', xid: 1, elements: [{ type: 'versionbitmap', versions: [4] }] })
const features = (xid: number) =>
  encode({ type: 'features_reply', xid, datapathId: 7n, nBuffers: 0, nTables: 1, auxiliaryId: 0, capabilities: 0 })

for (const [what, first, ending] of [
  ['that say HELLO a byte at a time', hello, 'hello_timeout'],
  ['that say a byte now and then after HELLO', Buffer.concat([hello, features(0xffff)]), 'handshake_timeout'],
] as const)
  t.test(`1,000 peers ${what} are closed in time, take little memory, and a switch does not notice`, async t => {
    const c = await listening(t, { limits: { tick: 20, hello: 1_500, handshake: 1_500, partial: 1_500 } })
    const { session } = await c.live({ dpid: 1n })
    const before = process.memoryUsage().rss
    const slow = await peers(t, 1_000, c.address)
    const at = what.includes('after') ? hello.length : 0
    if (at > 0) for (const socket of slow) socket.write(first.subarray(0, at))
    let sent = at
    const timer = setInterval(() => {
      for (const socket of slow)
        if (socket.writable && sent < first.length - 1) socket.write(first.subarray(sent, sent + 1))
      sent++
    }, 200)
    t.teardown(() => clearInterval(timer))
    t.same(await session.apply([flowMod({})]), [])
    const grown = process.memoryUsage().rss - before
    t.ok(grown < 100 * 1024 * 1024, `${Math.round(grown / 1024 / 1024)} MiB, both ends of them`)
    await c.until(() => c.endings.length === 1_001)
    // On a busy machine some come as far as the first only.
    const endings = [...new Set(c.endings.slice(1))]
    t.ok(
      endings.every(each => each === ending || each === 'hello_timeout' || each === 'partial_message'),
      endings.join(),
    )
    t.equal(c.server.sessions().size, 1)
  })

t.test('with 256 files for the whole process, strangers keep neither switches nor files from it', async t => {
  const program = new URL('../stoppable-server.ts', import.meta.url).pathname
  const limited = ['-c', 'ulimit -n 256 && exec "$0" "$@"', process.execPath, program]
  const child = spawn('sh', limited, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  t.teardown(() => child.kill('SIGKILL'))
  const seen: { readonly event: string; readonly port?: number }[] = []
  const waiting = new Set<() => void>()
  child.on('message', message => {
    seen.push(message as (typeof seen)[number])
    for (const look of waiting) look()
  })
  const until = (condition: () => boolean) =>
    new Promise<void>(resolve => {
      const look = () => {
        if (!condition()) return
        waiting.delete(look)
        resolve()
      }
      waiting.add(look)
      look()
    })
  const ups = () => seen.filter(({ event }) => event === 'up').length
  await until(() => seen.length > 0)
  const address = { host: '127.0.0.1', port: seen[0]!.port! }
  const first = await fakeSwitch(address, { dpid: 1n })
  t.teardown(() => first.reset())
  await until(() => ups() === 1)
  await peers(t, 600, address)
  const files = readdirSync(`/proc/${child.pid}/fd`).length
  t.ok(files < 200, `${files} files are open`)
  const second = await fakeSwitch(address, { dpid: 2n })
  t.teardown(() => second.reset())
  await until(() => ups() === 2)
  t.notOk(
    seen.some(({ event }) => event === 'down'),
    'and the first switch stays',
  )
  t.equal(child.exitCode, null)
})
