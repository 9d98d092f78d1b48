// The webhooks' server, asked as the API server asks it.
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { Agent, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import t from 'tap'
import { makePki, sign } from '../../lab/k8s/certs.ts'
import { serveWebhooks } from '../../operator/webhook/server.ts'
import { createMetrics } from '../../operator/world/metrics.ts'
import type { World } from '../../operator/world/world.ts'

const directory = await mkdtemp(join(tmpdir(), 'l2sm-webhook-'))
t.teardown(() => rm(directory, { recursive: true }))
const pki = await makePki(directory)
await sign(pki, 'webhook', '/CN=webhook', ['IP:127.0.0.1'])
const file = (name: string) => readFileSync(join(directory, name), 'utf8')
const world = { whole: Promise.resolve(), namespace: 'l2sm-system', isNad: () => false } as unknown as World
const server = await serveWebhooks({
  ...{
    world,
    events: { tell: () => {}, flush: async () => {} },
    record: createMetrics().record,
    log: pino({ level: 'silent' }),
  },
  ...{ certificate: { key: file('webhook.key'), cert: file('webhook.crt') }, host: '127.0.0.1', port: 0 },
})
t.teardown(() => server.close())
const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: file('ca.crt') })
t.teardown(() => agent.destroy())

const ask = (path: string, body: string, method = 'POST') =>
  new Promise<{ readonly status: number; readonly text: string; readonly port: number; readonly hint: string }>(
    (resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port: server.port, path, method, agent }, answer => {
        let text = ''
        const port = answer.socket.localPort ?? 0
        answer.setEncoding('utf8').on('data', piece => {
          text += piece
        })
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, text, port, hint: String(answer.headers['keep-alive']) }),
        )
      })
      asked.on('error', reject)
      asked.end(body)
    },
  )
const review = (object: unknown) => JSON.stringify({ request: { uid: 'u', namespace: 'default', object } })

t.test('a review is answered, on a connection that stays longer than the API server keeps it', async t => {
  const pod = { metadata: { annotations: { 'l2sm/networks': 'a,a' } }, spec: {} }
  const first = await ask('/pods', review(pod))
  t.match(JSON.parse(first.text), { response: { uid: 'u', allowed: false, status: { message: /asked for twice/ } } })
  const second = await ask('/pods', review({ metadata: {}, spec: {} }))
  t.match(JSON.parse(second.text), { response: { allowed: true } })
  t.equal(second.port, first.port)
  t.ok(Number(/timeout=(\d+)/.exec(second.hint)?.[1]) > 90)
})

t.test('what is no review is refused, and the server lives', async t => {
  t.equal((await ask('/pods', '{}')).status, 400)
  t.equal((await ask('/pods', 'null')).status, 400)
  t.equal((await ask('/pods', '{')).status, 400)
  t.equal((await ask('/pods', '{"request":{"uid":"u","object":null}}')).status, 400)
  t.equal((await ask('/elsewhere', review({}))).status, 404)
  t.equal((await ask('/constructor', review({}))).status, 404)
  t.equal((await ask('/pods', review({ metadata: {}, spec: {} }))).status, 200)
})
