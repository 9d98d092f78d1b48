import t from 'tap'
import { flowMod, type Message } from '../../../openflow/index.ts'
import type { FakeSwitch } from '../fake-switch.ts'
import { failure, listening } from '../listening.ts'

const stale = (xid: number): Message => ({
  ...{ type: 'error', xid, errorType: 11, errorCode: 0, payload: Buffer.alloc(0) },
})
const types = (fake: FakeSwitch): string[] => fake.received.map(message => message.type)

t.test('a server that does not lead asks for no role', async t => {
  const c = await listening(t)
  const { fake, session } = await c.live()
  t.equal(session.role(), 'equal')
  t.notOk(types(fake).includes('role_request'))
})

t.test('a server that leads claims each switch before it does anything with it', async t => {
  const c = await listening(t, { generation: () => 7n })
  const { fake, session } = await c.live()
  t.equal(session.role(), 'master')
  t.match(await fake.got('role_request'), { role: 'master', generationId: 7n })
  t.same(types(fake).slice(0, 3), ['hello', 'features_request', 'role_request'])
})

t.test('each connection is claimed with the generation of its time', async t => {
  let generation = 1n
  const c = await listening(t, { generation: () => generation })
  await c.live({ dpid: 1n })
  generation = 2n
  const { fake } = await c.live({ dpid: 2n })
  t.match(await fake.got('role_request'), { generationId: 2n })
})

const refusals: readonly (readonly [what: string, answer: (xid: number) => Message, reason: RegExp])[] = [
  ['has heard of a later leader', stale, /generation 7: the switch refuses it: ROLE_REQUEST_FAILED\/STALE/],
  [
    'knows no roles',
    xid => ({ type: 'error', xid, errorType: 11, errorCode: 1, payload: Buffer.alloc(0) }),
    /ROLE_REQUEST_FAILED\/UNSUP/,
  ],
  [
    'makes us a slave',
    xid => ({ type: 'role_reply', xid, role: 'slave', generationId: 7n }),
    /made us slave when we claimed to be its master/,
  ],
]
for (const [what, answer, reason] of refusals)
  t.test(`a switch that ${what} is let go, and is sent no change`, async t => {
    const said: string[] = []
    const warn = (details: object) => void said.push((details as { reason: string }).reason)
    const c = await listening(t, {
      generation: () => 7n,
      log: { debug: () => undefined, info: () => undefined, warn, error: warn },
    })
    const fake = await c.connect({ answer: m => (m.type === 'role_request' ? [answer(m.xid)] : undefined) })
    await fake.closed
    t.same(c.endings, ['not_master'])
    t.match(said.join(), reason)
    t.same(c.ups, [])
    t.same(fake.changes, [])
  })

t.test('a session ends when its switch says that it has another master', async t => {
  const c = await listening(t, { generation: () => 7n })
  const { fake, session } = await c.live()
  fake.say({ type: 'role_status', xid: 0, role: 'slave', reason: 'master_request', generationId: 8n, properties: [] })
  await fake.closed
  t.same(c.downs, ['0000000000000001: has another master since generation 8'])
  t.match(await failure(session.apply([flowMod({})])), { why: 'closed' })
})

t.test(
  'a session ends when a change is refused since we are a slave, and the changes behind it are not sent',
  async t => {
    const c = await listening(t, { generation: () => 7n, limits: { window: 10 } })
    const { session } = await c.live({ refuse: { errorType: 1, errorCode: 10, after: 0 }, barrierDelay: 50 })
    const changes = Array.from({ length: 1_000 }, (_, i) => flowMod({ priority: i }))
    t.match(await failure(session.apply(changes)), { why: 'closed' })
    t.equal(session.role(), 'slave')
    t.same(c.downs, ['0000000000000001: has another master, and refuses our changes'])
  },
)

t.test('one of equals that is told of a role, or refused as a slave, keeps its session', async t => {
  const c = await listening(t)
  const { fake, session } = await c.live({ refuse: { errorType: 1, errorCode: 10, after: 0 } })
  fake.say({ type: 'role_status', xid: 0, role: 'slave', reason: 'config', generationId: 8n, properties: [] })
  t.match(await session.apply([flowMod({})]), [{ words: 'BAD_REQUEST/IS_SLAVE' }])
  t.same(c.downs, [])
})
