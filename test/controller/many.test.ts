// A controller that starts, and a thousand switches that have waited for it.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import t from 'tap'
import { createController } from '../../controller/controller.ts'
import { attach, putNetwork } from '../../store/desired.ts'
import { openMemory } from '../../store/memory.ts'
import { isRefusal } from '../../store/refusals.ts'
import { counting, until } from './watching.ts'

t.setTimeout(120_000)

const switches = 1000
const dpidOf = (n: number) => n.toString(16).padStart(16, '0')

t.test('a thousand switches connect at once: each is compared and programmed, and nobody has to wait', async t => {
  const store = openMemory()
  const { record, log, emit, lines } = counting()
  await store.write(draft => {
    for (let n = 1; n <= switches; n++) {
      const id = `network-${n % 100}`
      const done = [putNetwork(draft, id), attach(draft, { network: id, dpid: dpidOf(n), port: 1, mac: macOf(n) })]
      const refused = done.find(isRefusal)
      if (refused) throw new Error(refused.detail)
    }
  })
  const controller = await createController({
    store,
    metrics: record,
    log,
    emit,
    listeners: [{ host: '127.0.0.1', port: 0 }],
  })
  t.teardown(() => controller.close())
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const program = new URL('../openflow/many-switches.ts', import.meta.url).pathname
  const many = spawn(process.execPath, [program, String(controller.addresses[0]!.port), String(switches)], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  t.teardown(async () => {
    many.kill('SIGKILL')
    await once(many, 'close')
  })
  await until('all are live', () => controller.switches().filter(sw => sw.state === 'live').length === switches, {
    ms: 110_000,
    why: () =>
      `${controller.switches().filter(sw => sw.state === 'live').length} are, of ${controller.switches().length}`,
  })
  await until('all is ready', () => controller.ready().ready)
  delay.disable()
  t.comment(
    `slowest turn of the event loop: ${(delay.max / 1e6).toFixed(0)} ms, 99.9 %: ${(delay.percentile(99.9) / 1e6).toFixed(0)} ms`,
  )
  t.ok(process.memoryUsage().rss < 1024 ** 3, 'in less than 1 GiB')
  for (const sw of controller.switches()) {
    const held = sw.flows.desired === sw.flows.actual && sw.flows.desired > 6
    if (!held) t.fail(`switch ${sw.dpid} should hold ${sw.flows.desired} flows, and holds ${sw.flows.actual}`)
  }
  t.match(
    controller.attachment(`${dpidOf(7)}/1`),
    { state: 'degraded', reason: /no way between/ },
    'no link joins them',
  )
  const troubles = lines.filter(({ level }) => level === 'error' || level === 'warn')
  t.strictSame(troubles.slice(0, 3), [])
})

const macOf = (n: number) =>
  `02:00:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`
