import t from 'tap'
import type { Conflict } from '../../../openflow/session/session.ts'
import { authority, missingOpenssl } from '../certificates.ts'
import { listening } from '../listening.ts'

const dpid = '0000000000000003'

t.test('a second switch with a live dpid is refused and seen: event, metric and state, whoever came first', async t => {
  const notices: (Conflict | undefined)[] = []
  const counted: string[] = []
  const c = await listening(t, {
    events: { conflict: (_dpid, conflict) => void notices.push(conflict) },
    metrics: { conflict: of => void counted.push(of) },
  })
  const { session, fake } = await c.live({ dpid: 3n })
  t.equal(c.server.conflicts().size, 0)
  for (const claims of [1, 2]) {
    const second = await c.connect({ dpid: 3n })
    await second.closed
    await c.until(() => notices.length === claims)
    t.match(c.server.conflicts().get(dpid), { dpid, remote: session.remote, decidedBy: 'first', claims })
    t.not(c.server.conflicts().get(dpid)?.claimant, session.remote)
  }
  t.equal(c.server.sessions().get(dpid), session)
  t.same(counted, [dpid, dpid])
  fake.end()
  await c.until(() => notices.length === 3)
  t.equal(notices[2], undefined, 'with its session the conflict ends')
  t.equal(c.server.conflicts().size, 0)
})

t.test('a conflict is over when nobody has claimed the dpid for a while', async t => {
  const notices: (Conflict | undefined)[] = []
  const c = await listening(t, {
    limits: { conflict: 50 },
    events: { conflict: (_dpid, conflict) => void notices.push(conflict) },
  })
  await c.live({ dpid: 3n })
  await (await c.connect({ dpid: 3n })).closed
  await c.until(() => notices.length === 2)
  t.match(notices, [{ dpid, claims: 1 }, undefined])
  t.equal(c.server.conflicts().size, 0)
})

t.test('a switch that comes back before its old connection has ended is no conflict', async t => {
  const notices: unknown[] = []
  const c = await listening(t, {
    limits: { probe: 20 },
    events: { conflict: (_dpid, conflict) => void notices.push(conflict) },
  })
  const { fake } = await c.live({ dpid: 3n, answer: m => (m.type === 'echo_request' ? [] : undefined) })
  await c.connect({ dpid: 3n })
  await c.until(() => c.ups.length === 2)
  await fake.closed
  t.same(notices, [])
})

const missing = missingOpenssl()
t.test('a certificate for the dpid outweighs who came first', { skip: missing ?? false }, async t => {
  const ours = await authority(t.testdir())
  const tls = await ours.sign({ usage: 'server', commonName: 'controller' })
  const notices: (Conflict | undefined)[] = []
  const c = await listening(t, {
    tls,
    anyDpid: true,
    events: { conflict: (_dpid, conflict) => void notices.push(conflict) },
  })
  const rogue = await c.live({ dpid: 3n, tls: await ours.sign({}) })
  const real = await c.connect({ dpid: 3n, tls: await ours.sign({ names: [`URI:l2sm:dpid:${dpid}`] }) })
  await rogue.fake.closed
  await c.until(() => c.ups.length === 2)
  t.match(c.server.conflicts().get(dpid), { decidedBy: 'certificate', claimant: rogue.session.remote })
  t.match(c.downs, [/has no certificate for 0000000000000003, and 127\.0\.0\.1:\d+ has one/])
  const again = await c.connect({ dpid: 3n, tls: await ours.sign({}) })
  await again.closed
  t.equal(c.server.sessions().get(dpid), c.ups[1])
  t.match(c.server.conflicts().get(dpid), { decidedBy: 'first', claims: 2 })
  real.end()
})
