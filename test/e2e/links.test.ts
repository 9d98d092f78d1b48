// Links of a real mesh die without a word, flap, come back, and are measured.
import { join } from 'node:path'
import t from 'tap'
import type { LinkView } from '../../controller/view/view.ts'
import { needs } from '../../lab/install.ts'
import type { Place } from '../../lab/underlay.ts'
import { openSqlite } from '../../store/sqlite/sqlite.ts'
import { linkKey } from '../../topology/topology.ts'
import { until } from '../controller/watching.ts'
import { makeStage, type Stage } from '../ovs/stage.ts'

if (needs(t)) {
  const stage: Stage = await makeStage(t, { nodes: 3, podsPerNode: 1, start: false })
  const { mesh } = stage
  const open = () => openSqlite(join(mesh.directory, 'l2sm.db'))
  const dead = () => [...stage.store.state().deadLinks.keys()].sort()
  const between = (a: number, b: number) =>
    [
      [a, b],
      [b, a],
    ]
      .map(([from, to]) => {
        const [here, there] = [mesh.node(from!), mesh.node(to!)]
        const ends = [
          { dpid: here.dpid, port: here.links.get(to!)! },
          { dpid: there.dpid, port: there.links.get(from!)! },
        ]
        return linkKey({ from: ends[0]!, to: ends[1]! })
      })
      .sort()
  const viewOf = (a: number, b: number) =>
    stage.controller.links().find(link => link.from.dpid === mesh.node(a).dpid && link.to.dpid === mesh.node(b).dpid)!
  /** Milliseconds from an act until something is so. */
  const timed = async (what: string, act: () => Promise<unknown>, condition: () => boolean, ms = 5000) => {
    await act()
    const began = performance.now()
    await until(what, condition, { ms, why: () => JSON.stringify(stage.controller.links()) })
    return Math.round(performance.now() - began)
  }
  const lose = (share: number) => () => mesh.lose(1, 2, share)
  const isDead = () => dead().length === 2
  const isUp = () => dead().length === 0
  const isNarrow = ({ state, mtu = 1550 }: LinkView) => state === 'up' && mtu < 1500
  await stage.start({ open })
  await stage.join('red', mesh.pods())

  t.test('frames that are dropped below, without any event of a port, end a link and only that one', async t => {
    t.strictSame(dead(), [])
    const ms = await timed('it is dead', lose(1), isDead)
    t.comment(`dead ${ms} ms after the last frame`)
    t.strictSame(dead(), between(1, 2))
    t.match(viewOf(1, 2), { state: 'down', reason: /do not arrive/ })
    t.equal(viewOf(1, 3).state, 'up')
    await stage.programmed('red')
    await stage.ping(stage.pod(1, 1), stage.pod(2, 1))
    t.strictSame(dead(), between(1, 2), 'and frames go round it')
    const back = await timed('it is up', lose(0), isUp)
    t.comment(`up ${back} ms after the first frame`)
    t.equal(viewOf(1, 2).state, 'up')
    await stage.programmed('red')
    await stage.ping(stage.pod(1, 1), stage.pod(2, 1))
  })

  t.test('a restarted controller does not use a link that died before, and does when it lives again', async t => {
    await timed('it is dead', lose(1), isDead)
    await stage.stop()
    await stage.start({ open })
    t.strictSame(dead(), between(1, 2))
    t.equal(viewOf(1, 2).state, 'down')
    await new Promise(resolve => setTimeout(resolve, 2000))
    t.strictSame(dead(), between(1, 2))
    const ms = await timed('it is up', lose(0), isUp, 10_000)
    t.comment(`up ${ms} ms after the first frame`)
  })

  t.test('a controller that comes back from a pause calls no link dead', async t => {
    for (const node of mesh.nodes) await node.reconnect()
    await stage.live()
    const held = performance.now() + 1500
    while (performance.now() < held); // Nothing is read, no echo answered, no probe sent.
    await new Promise(resolve => setTimeout(resolve, 2000))
    t.strictSame(dead(), [])
  })

  t.test(
    'a link that flaps as fast as the underlay can be made to is worked out a few times, and ends right',
    async t => {
      const compiled = stage.counts.compiled
      const began = performance.now()
      let flaps = 0
      for (; performance.now() - began < 5000; flaps++) await mesh.lose(1, 2, flaps % 2)
      const seconds = (performance.now() - began) / 1000
      const compiles = stage.counts.compiled - compiled
      t.comment(`${flaps} changes in ${seconds.toFixed(1)} s: ${compiles} recomputations`)
      t.ok(compiles <= 10 * seconds)
      await mesh.lose(1, 2, 0)
      await until('it is up', isUp, { ms: 45_000 })
      await mesh.lose(1, 2, 1)
      await until('it is dead', isDead)
      await mesh.lose(1, 2, 0)
      await until('it is up again', isUp, { ms: 45_000 })
    },
  )

  t.test(
    'a node that is cut off, from its controller too, is left, for its neighbours tell; and comes back',
    async t => {
      const place: Place = 3
      const cutOff = [...between(1, 3), ...between(2, 3)].sort()
      await mesh.cut(place)
      await until('its links are dead', () => dead().length === 4, { ms: 10_000 })
      t.strictSame(dead(), cutOff)
      await stage.ping(stage.pod(1, 1), stage.pod(2, 1))
      await mesh.mend(place)
      await stage.live()
      await until('they are up', isUp, { ms: 45_000 })
    },
  )

  t.test('round-trip time, loss and MTU are measured', async t => {
    // On a busy machine a large probe may be late, and its size counts as too large until it is tried again.
    const isMeasured = ({ mtu = 0, rttMs }: LinkView) => mtu >= 1550 && rttMs !== undefined
    await until('all is measured', () => stage.controller.links().every(isMeasured), {
      ms: 120_000,
      why: () => JSON.stringify(stage.controller.links()),
    })
    const { rttMs, mtu, loss } = viewOf(1, 3)
    t.comment(`RTT ${rttMs} ms, MTU ${mtu}, loss ${loss}`)
    t.ok(rttMs! >= 0)
    t.ok(mtu! >= 1550 && mtu! <= 1554, 'VXLAN takes 50 of the 1600 of the underlay')
    t.equal(viewOf(1, 3).probeIntervalMs, 250)
    t.equal(await stage.controller.mtu('red'), mtu)
    t.equal(await stage.controller.mtu('blue'), undefined, 'a network that is not there has none')
  })

  t.test('a link whose underlay carries less tells its own MTU, and its networks the least of theirs', async t => {
    await mesh.narrow(1, 3, 1400)
    await mesh.lose(1, 3, 1)
    await until('it is dead', isDead)
    await mesh.lose(1, 3, 0)
    await until('both directions are measured again', () => [viewOf(1, 3), viewOf(3, 1)].every(isNarrow), {
      ms: 60_000,
      why: () => JSON.stringify(stage.controller.links()),
    })
    const { mtu = 0 } = viewOf(1, 3)
    t.equal(mtu, 1350, 'VXLAN takes 50 of them')
    t.equal(viewOf(3, 1).mtu, mtu)
    t.equal(viewOf(1, 2).mtu, 1550)
    t.equal(await stage.controller.mtu('red'), mtu)
    await until('frames go over it again', () => stage.controller.network('red')?.state === 'programmed')
    await stage.ping(stage.pod(1, 1), stage.pod(3, 1))
    const passes = (size: number) => {
      const words = ['-c', '1', '-W', '1', '-M', 'do', '-s', `${size - 28}`, stage.pod(3, 1).ips[0]!.split('/')[0]!]
      return mesh.exec(stage.pod(1, 1), 'ping', ...words).then(
        () => true,
        () => false,
      )
    }
    t.ok(await passes(mtu), 'a packet of this size passes')
    t.notOk(await passes(mtu + 1), 'and of one byte more it does not')
  })
}
