// The controller comes and goes, and so do switches and stores: the frames must not notice.
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { needs } from '../../lab/install.ts'
import type { Node } from '../../lab/node.ts'
import type { Pod } from '../../lab/pod.ts'
import { attach, detach } from '../../store/desired.ts'
import { openSqlite } from '../../store/sqlite/sqlite.ts'
import { changesSent, until } from '../controller/watching.ts'
import { ages, apart, hearing, holdings, makeStage, type Stage, streamTo, touched, withoutCounts } from './stage.ts'

if (needs(t)) {
  const stage: Stage = await makeStage(t, { nodes: 2, podsPerNode: 4, start: false })
  const { mesh, frames } = stage
  const file = join(mesh.directory, 'l2sm.db')
  const open = () => openSqlite(file)
  const pods = mesh.pods()
  const on = (port: number) => pods.filter(pod => pod.port === port) as Pod[] as [Pod, Pod]
  const [red, blue, spare, nobody] = [on(1), on(2), on(3), on(4)]
  await stage.start({ open })
  await stage.join('red', red)
  await stage.join('blue', blue, 'learn')
  await frames.reach(blue)
  const learned = async (node: Node) => (await node.dumpFlows()).filter(flow => flow.includes('idle_timeout=60')).length
  await until('the addresses are learned', async () => (await Promise.all(mesh.nodes.map(learned))).every(n => n === 1))

  const streams = async (seconds: number) => {
    const known = await streamTo(stage, red[0], red[1], seconds)
    const taught = await streamTo(stage, blue[1], blue[0], seconds)
    const called = await streamTo(stage, red[1], undefined, seconds, 200)
    return async (t: Test, guests: readonly Pod[] = []) => {
      const [a, b, c] = [await known.finish(), await taught.finish(), await called.finish()]
      for (const [counts, at] of [
        [a, red[1]],
        [b, blue[0]],
        [c, red[0]],
      ] as const) {
        const { lost, duplicated, reordered } = counts.at(at)
        t.strictSame({ lost, duplicated, reordered }, { lost: 0, duplicated: 0, reordered: 0 })
        for (const other of pods) {
          const belongs = counts === b ? blue : [...red, ...guests]
          if (!belongs.includes(other)) t.equal(counts.at(other).received, 0, `nothing reaches ${other.name}`)
        }
      }
    }
  }

  t.test('controllers come and go under traffic: no frame lost, no flow touched, nothing sent', async t => {
    const finish = await streams(5)
    const before = await ages(mesh)
    for (let round = 1; round <= 3; round++) {
      await stage.stop()
      await stage.start({ open })
      t.equal(stage.controller.ready().ready, true)
      t.equal(changesSent(stage.counts), 0, `restart ${round} sends no change`)
      for (const id of ['red', 'blue']) t.equal((await stage.settled(id)).state, 'programmed')
    }
    const after = await ages(mesh)
    t.strictSame([...after.keys()].sort(), [...before.keys()].sort(), 'the same flows')
    t.strictSame(touched(before, after), [], 'and each is older than it was')
    await finish(t)
    t.equal(stage.store.state().discoveredLinks.size, 2)
  })

  t.test('what was written while no controller ran is done by the next one, and nothing else', async t => {
    await stage.stop()
    const finish = await streams(3)
    const before = await ages(mesh)
    const store = await open()
    await store.write(draft => {
      const { dpid } = mesh.node(1)
      return attach(draft, { network: 'red', dpid, port: spare[0].port, mac: spare[0].mac })
    })
    await store.close()
    await stage.start({ open })
    await stage.programmed('red')
    t.strictSame(touched(before, await ages(mesh)), [])
    t.strictSame(await hearing(stage, pods), apart(pods, [...red, spare[0]], blue))
    await stage.ask(draft => detach(draft, 'red', mesh.node(1).dpid, spare[0].port))
    await stage.programmed('red')
    await finish(t, [spare[0]])
    t.strictSame(await hearing(stage, pods), apart(pods, red, blue))
  })

  t.test(
    'a switch that was killed has its flows again soon after it is back, and the others notice nothing',
    async t => {
      const node = mesh.node(2)
      const held = await holdings(node)
      const before = await mesh.node(1).dumpFlows()
      await node.restart({ kill: true })
      const isUp = () =>
        stage.log.filter(({ fields }) => fields['kind'] === 'switch-connected' && fields['dpid'] === node.dpid)
      await until('it is connected again', () => isUp().length === 2)
      // What it had learned went with it.
      const fixed = held.filter(line => !line.includes('idle_timeout') && !line.includes(blue[1].mac))
      await until(
        'its flows are back',
        async () => {
          const now = await holdings(node)
          return fixed.every(line => now.includes(line))
        },
        { ms: 2000 },
      )
      await stage.ping(red[0], red[1])
      await stage.ping(blue[1], blue[0])
      t.strictSame(await hearing(stage, pods), apart(pods, red, blue))
      const flows = (await mesh.node(1).dumpFlows()).map(withoutCounts)
      t.strictSame(
        before.map(withoutCounts).filter(flow => !flow.includes('0x6c3203') && !flows.includes(flow)),
        [],
      )
      t.match(
        stage.log.filter(({ level }) => level === 'error').map(({ fields }) => fields),
        [{ kind: 'switch-emptied', dpid: node.dpid }],
        'that it had lost its flows is told, and no other error',
      )
    },
  )

  t.test('a controller whose store was lost takes nothing away, calls nothing programmed, and says why', async t => {
    await stage.stop()
    const finish = await streams(4)
    const before = await ages(mesh)
    await stage.launch()
    const isRead = () =>
      stage.controller.switches().length === 2 && stage.controller.switches().every(sw => sw.state === 'unadopted')
    await until('both switches are read', isRead)
    t.match(stage.controller.ready(), {
      ready: false,
      reasons: [/holds the flows of another store .*adopt/, /another store/],
    })
    await stage.ask(draft => {
      draft.putNetwork({ id: 'green', number: draft.nextNumber()! })
      return attach(draft, { network: 'green', dpid: mesh.node(1).dpid, port: spare[0].port, mac: spare[0].mac })
    })
    await stage.ask(draft =>
      attach(draft, { network: 'green', dpid: mesh.node(1).dpid, port: nobody[0].port, mac: nobody[0].mac }),
    )
    // One that meets what is there: the port is red's by the flows of the store that was lost.
    await stage.ask(draft => {
      draft.putNetwork({ id: 'thief', number: draft.nextNumber()! })
      return attach(draft, { network: 'thief', dpid: mesh.node(1).dpid, port: red[0].port })
    })
    const green = [spare[0], nobody[0]]
    await until(
      'what meets nothing works',
      async () => (await hearing(stage, green))[green[0]!.name]?.[green[1]!.name] === 1,
    )
    for (const id of ['green', 'thief']) {
      t.equal(stage.controller.network(id)?.state, 'pending')
      t.match(stage.controller.network(id)?.reason, 'another store')
    }
    t.strictSame(await hearing(stage, pods), apart(pods, red, blue, green))
    t.strictSame(touched(before, await ages(mesh)), [], 'no flow is gone or reset')
    await finish(t)
  })

  t.test('once its state is declared complete, switches are cleaned', async t => {
    await stage.ask(draft => draft.setComplete(true))
    await until('every switch is live', () => stage.controller.ready().ready)
    await stage.programmed('green')
    await stage.programmed('thief')
    t.strictSame(await hearing(stage, pods), apart(pods, [spare[0], nobody[0]]))
    const numbers = [...stage.store.state().networks.values()].map(({ number }) => number.toString(16))
    const ours = new Set(['0', ...numbers])
    const cookies = (await mesh.node(1).dumpFlows()).map(flow => /cookie=0x6c3202([0-9a-f]+)/.exec(flow)?.[1])
    t.strictSame(
      cookies.filter(number => number !== undefined && !ours.has(number.replace(/^0+/, ''))),
      [],
    )
  })
}
