import { connect, type Socket } from 'node:net'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { admission } from '../../../openflow/session/admission.ts'
import { listening } from '../listening.ts'

t.test(
  'there are never more than the limits, in all and of an address; the idle go first, the oldest of them',
  async () => {
    const limits = { handshakes: 8, handshakesPerAddress: 4 }
    const step = fc.record({
      does: fc.constantFrom('enter' as const, 'enter' as const, 'heard' as const, 'leave' as const),
      address: fc.constantFrom('a', 'b', 'c'),
      which: fc.nat(20),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const crowd = admission<number>(limits)
        const here: { id: number; address: string; heard: boolean }[] = []
        const idlest = (among: typeof here) => among.find(each => !each.heard) ?? among[0]
        const count = (address: string) => here.filter(each => each.address === address).length
        for (const [id, { does, address, which }] of steps.entries()) {
          const some = here[which % Math.max(1, here.length)]
          if (does === 'enter') {
            const most = Math.max(...['a', 'b', 'c'].map(count))
            const of =
              count(address) >= 4 ? [address] : here.length >= 8 ? ['a', 'b', 'c'].filter(a => count(a) === most) : []
            const out = crowd.enter(id, address)
            const expected = of.map(a => idlest(here.filter(each => each.address === a))?.id)
            if (of.length === 0 ? out !== undefined : !expected.includes(out)) return false
            if (out !== undefined)
              here.splice(
                here.findIndex(each => each.id === out),
                1,
              )
            here.push({ id, address, heard: false })
          } else if (some && does === 'heard') {
            some.heard = true
            crowd.heard(some.id)
          } else if (some) {
            here.splice(here.indexOf(some), 1)
            crowd.leave(some.id)
          }
          if (here.length > 8 || count('a') > 4) return false
        }
        return true
      }),
    )
  },
)

/** Connects and says nothing, or so much. */
async function stranger(t: Test, address: { host: string; port: number }, bytes?: Buffer): Promise<Socket> {
  const socket = connect(address)
  socket.on('error', () => undefined)
  t.teardown(() => socket.destroy())
  await new Promise(resolve => socket.once('connect', resolve).once('close', resolve))
  if (bytes) socket.write(bytes)
  return socket
}

t.test('strangers who connect and say nothing make room for a switch', async t => {
  const c = await listening(t, { limits: { connections: 50, handshakes: 20, handshakesPerAddress: 20 } })
  const { session } = await c.live({ dpid: 1n })
  for (let i = 0; i < 60; i++) await stranger(t, c.address)
  await c.live({ dpid: 2n })
  t.equal(c.server.sessions().size, 2)
  t.equal(c.server.sessions().get(session.dpid), session, 'who is live stays')
  t.ok(c.endings.filter(ending => ending === 'too_many').length >= 40)
})

t.test('when all connections are taken, an idle one goes; when all are live, nobody', async t => {
  const c = await listening(t, { limits: { connections: 3 } })
  await c.live({ dpid: 1n })
  await stranger(t, c.address)
  await c.live({ dpid: 2n })
  await c.live({ dpid: 3n })
  t.same(
    c.endings.filter(ending => ending !== 'up'),
    ['too_many'],
  )
  const fourth = await stranger(t, c.address)
  await c.until(() => fourth.closed)
  t.equal(c.server.sessions().size, 3)
})

t.test('one address has so many live sessions and no more', async t => {
  const c = await listening(t, { limits: { sessionsPerAddress: 2 } })
  await c.live({ dpid: 1n })
  const second = await c.live({ dpid: 2n })
  const third = await c.connect({ dpid: 3n })
  await third.closed
  t.same(c.endings, ['up', 'up', 'too_many'])
  second.fake.end()
  await c.until(() => c.downs.length === 1)
  await c.live({ dpid: 3n })
})
