// One bridge, and what becomes of ports: attached, detached, not there yet, gone and back, mirrored.

import t from 'tap'
import { needs } from '../../lab/install.ts'
import type { Pod } from '../../lab/pod.ts'
import { deleteNetwork, setMirror } from '../../store/desired.ts'
import { forgetSwitch } from '../../store/switches.ts'
import { until } from '../controller/watching.ts'
import { apart, hearing, holdings, makeStage, streamTo } from './stage.ts'

if (needs(t)) {
  const stage = await makeStage(t, { nodes: 1, podsPerNode: 5 })
  const { mesh, frames } = stage
  const node = mesh.node(1)
  const pods = mesh.pods()
  const [a, b, c, d, e] = pods as readonly [Pod, Pod, Pod, Pod, Pod]
  const bare = await holdings(node)

  t.test('a switch without networks lets nobody speak to anybody', async t => {
    t.strictSame(await hearing(stage, pods), apart(pods))
  })

  t.test('pods of one network ping each other, and nobody else hears them', async t => {
    await stage.join('red', [a, b])
    await stage.ping(a, b)
    await stage.ping(b, a)
    t.strictSame(await hearing(stage, pods), apart(pods, [a, b]))
  })

  t.test('pods that join later talk to all who are there', async t => {
    await stage.join('red', [c])
    t.strictSame(await hearing(stage, pods), apart(pods, [a, b, c]))
    const { strays, times } = await frames.reach([a, b, c], { kind: 'unicast' })
    t.strictSame(strays, [], 'what is addressed to one reaches no other')
    t.equal(times(a, c), 1)
  })

  t.test(
    'a port that is detached while the others talk hears and says nothing from then on, and the others lose nothing',
    async t => {
      const talk = await streamTo(stage, a, b, 2)
      const call = await streamTo(stage, b, undefined, 2)
      await stage.leave('red', [c])
      const late: Buffer[] = []
      const release = await frames.capture([c], ({ frame }) => void late.push(frame), { probes: true })
      const [talked, called] = [await talk.finish(), await call.finish()]
      await release()
      t.equal(talked.at(b).lost, 0)
      t.equal(talked.at(b).duplicated, 0)
      t.equal(called.at(a).lost, 0)
      t.equal(late.length, 0, 'it hears none of it')
      t.strictSame(await hearing(stage, pods), apart(pods, [a, b]))
      const { times } = await frames.reach([a, c], { kind: 'unicast' })
      t.equal(times(a, c), 0, 'nor what is addressed to it')
    },
  )

  t.test('a port may be attached before it exists: pending says what is missing, and then it works', async t => {
    const attached = stage.join('red', [{ ...c, port: 9 }]).catch((error: Error) => error)
    await until('the network is pending', () => stage.controller.network('red')?.state === 'pending')
    const progress = stage.controller.attachment(`${node.dpid}/9`)
    t.equal(progress?.state, 'pending')
    t.match(progress?.reason, `port 9 of switch ${node.dpid} does not exist: the switch has 1, 2, 3, 4, 5`)
    const neighbour = () => stage.controller.attachment(`${node.dpid}/1`)?.state
    await until('the others are as they were', () => neighbour() === 'programmed')
    const late = await stage.addPod(1, { port: 9, mac: c.mac })
    t.equal(await attached, undefined)
    await stage.ping(late, a)
    t.strictSame(await hearing(stage, [...pods, late]), apart([...pods, late], [a, b, late]))
    await stage.removePod(late)
    await until('the port is gone', () => stage.controller.network('red')?.state === 'pending')
    t.strictSame(
      (await node.dumpFlows()).filter(flow => /in_port=9\b|output:9\b/.test(flow)),
      [],
      'whoever is given that port number next finds nothing of it',
    )
    const again = await stage.addPod(1, { port: 9, mac: c.mac })
    await stage.programmed('red')
    await stage.ping(again, a)
    await stage.ping(b, again)
    await stage.leave('red', [again])
    await stage.removePod(again)
  })

  t.test('a port of a switch that nobody has seen is pending, and holds up nobody', async t => {
    const absent = { network: 'red', dpid: '00000000000000aa', port: 1 }
    await stage.attach(absent)
    const why = () => stage.controller.network('red')?.reason
    await until('it says why', () => why() === 'switch 00000000000000aa is not connected')
    t.equal(stage.controller.network('red')?.state, 'pending')
    await stage.ping(a, b)
    await stage.join('green', [c, d])
    t.strictSame(await hearing(stage, pods), apart(pods, [a, b], [c, d]))
    await stage.ask(draft => draft.deleteAttachment('00000000000000aa/1'))
    // It never came; else whoever deletes the network would wait for its word.
    await stage.ask(draft => forgetSwitch(draft, '00000000000000aa'))
    await stage.programmed('red')
  })

  t.test('a port that moves to another network is never in both', async t => {
    await stage.attach({ network: 'green', dpid: node.dpid, port: a.port, mac: a.mac }, { move: true })
    await stage.programmed('green')
    await stage.programmed('red')
    t.strictSame(await hearing(stage, pods), apart(pods, [b], [a, c, d]))
    await stage.attach({ network: 'red', dpid: node.dpid, port: a.port, mac: a.mac }, { move: true })
    await stage.programmed('red')
    t.strictSame(await hearing(stage, pods), apart(pods, [a, b], [c, d]))
  })

  t.test('a mirror gets one copy of every frame that members send, and cannot speak', async t => {
    await stage.ask(draft => setMirror(draft, 'red', { dpid: node.dpid, port: e.port }))
    await stage.programmed('red')
    const heard = apart(pods, [a, b], [c, d])
    const copied = { ...heard, [a.name]: { [b.name]: 1, [e.name]: 1 }, [b.name]: { [a.name]: 1, [e.name]: 1 } }
    t.strictSame(await hearing(stage, pods), copied, 'broadcasts, and none of another network')
    const { strays } = await frames.reach(pods, { kind: 'unicast' })
    const packetIns = strays.filter(({ from, to }) => [a.name, b.name].includes(from) && [a.name, b.name].includes(to))
    t.strictSame(
      packetIns.map(({ from, at, times }) => [from, at, times]),
      [
        [a.name, e.name, 1],
        [b.name, e.name, 1],
      ],
      'and what is addressed to one',
    )
    await stage.ask(draft => setMirror(draft, 'red', null))
    await stage.programmed('red')
    t.strictSame(await hearing(stage, pods), heard)
  })

  t.test('a deleted network is gone from the switch', async t => {
    for (const id of ['red', 'green']) {
      await stage.ask(draft => deleteNetwork(draft, id))
      await stage.forgotten(id)
    }
    t.strictSame(await hearing(stage, pods), apart(pods))
    t.strictSame(await holdings(node), bare, 'without a flow or a group left')
  })
}
