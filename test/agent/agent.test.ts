// An agent that lacks something waits for it, and does not call itself ready.
import { join } from 'node:path'
import t from 'tap'
import { startAgent } from '../../agent/agent.ts'
import { until } from '../controller/watching.ts'

t.test('without Open vSwitch and a controller an agent is alive and not ready, and says why', async t => {
  const lines: string[] = []
  const say = (_: object, words: string) => void lines.push(words)
  const folder = t.testdir()
  const agent = await startAgent({
    ...{ node: 'n1', socket: join(folder, 'nobody.sock'), state: join(folder, 'state'), tlsFolder: folder },
    source: { controller: { url: new URL('http://127.0.0.1:1'), token: undefined, identity: undefined } },
    ...{
      http: { host: '127.0.0.1', port: 0 },
      version: '0.0.0',
      log: { debug: say, info: say, warn: say, error: say },
    },
  })
  t.teardown(() => agent.close())
  const ask = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${agent.port}${path}`)
    return { status: answer.status, text: await answer.text() }
  }
  await until('both are said', async () => {
    const { text } = await ask('/readyz')
    return (
      /the controller 127\.0\.0\.1:1: /.test(text) &&
      /database of Open vSwitch at .*nobody\.sock can not be reached/.test(text)
    )
  })
  t.match(await ask('/readyz'), { status: 503, text: /"ready":false/ })
  t.match(await ask('/livez'), { status: 200 })
  t.match(await ask('/metrics'), { status: 200, text: /^l2sm_agent_healthy 0$/m })
  t.notOk(
    lines.some(line => line.startsWith('ready')),
    lines.join('\n'),
  )
})

t.test('where it can not listen it ends, in one sentence', async t => {
  const say = () => {}
  const folder = t.testdir()
  const options = {
    ...{ node: 'n1', socket: join(folder, 's'), state: folder, tlsFolder: folder, version: '0.0.0' },
    source: { controller: { url: new URL('http://127.0.0.1:1'), token: undefined, identity: undefined } },
    log: { debug: say, info: say, warn: say, error: say },
  }
  const first = await startAgent({ ...options, http: { host: '127.0.0.1', port: 0 } })
  t.teardown(() => first.close())
  await t.rejects(startAgent({ ...options, http: { host: '127.0.0.1', port: first.port } }), { code: 'EADDRINUSE' })
})
