import { spawn } from 'node:child_process'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { flowMod } from '../../../openflow/index.ts'
import { listening } from '../listening.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Bytes of memory that are in use, in JavaScript's heap and beside it. */
async function used(): Promise<number> {
  for (let i = 0; i < 3; i++) {
    collectGarbage()
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

t.test('1,000 switches at once are live, reachable, and take less than 50 KiB each', async t => {
  const count = 1_000
  const c = await listening(t, { limits: { echo: 500, tick: 100, request: 60_000 } })
  const before = await used()
  const rss = process.memoryUsage.rss()
  const args = [new URL('../many-switches.ts', import.meta.url).pathname, String(c.address.port), String(count)]
  const switches = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] })
  t.teardown(() => switches.kill('SIGKILL'))
  await c.until(() => c.server.sessions().size === count)
  const applied = await Promise.all([...c.server.sessions().values()].map(session => session.apply([flowMod({})])))
  t.ok(applied.every(failures => failures.length === 0))
  t.equal(new Set(c.ups.map(session => session.dpid)).size, count)
  // Idle: some echoes later.
  await new Promise(resolve => setTimeout(resolve, 1_200))
  const each = ((await used()) - before) / count
  t.comment(`${Math.round(each)} bytes each; resident ${Math.round((process.memoryUsage.rss() - rss) / count)}`)
  t.ok(each < 50 * 1024, `${Math.round(each)} bytes for each session`)
  t.same(c.downs, [])
  switches.kill('SIGKILL')
  await c.until(() => c.downs.length === count)
  t.equal(c.server.sessions().size, 0)
  // Who keeps a session keeps its memory.
  c.forget()
  const after = ((await used()) - before) / count
  t.comment(`${Math.round(after)} bytes each when they are gone`)
  t.ok(after < each / 3, 'and their memory is free again')
})
