// VXLAN, then a plain link with VLANs between a plain switch and Open vSwitch, then VXLAN again; and a host on a trunk port.
//
//   a ─ n1 ══VXLAN══ n2 (plain) ──VLAN── n3 ══VXLAN══ n4 ─ d
//                    │ b, tagged, and c      └ e
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { broadcast, ethernet, ethertypes } from '../../lab/frame.ts'
import { needs } from '../../lab/install.ts'
import type { Pod } from '../../lab/pod.ts'
import { deleteNetwork, putDeclaredLink, putNetwork } from '../../store/desired.ts'
import { until } from '../controller/watching.ts'
import { tagsOf } from '../controller/world.ts'
import { apart, hearing, makeStage, streamTo, wish } from '../ovs/stage.ts'

if (needs(t)) {
  const stage = await makeStage(t, {
    nodes: 4,
    podsPerNode: 3,
    links: [
      [1, 2],
      [3, 4],
    ],
    plain: { 2: {} },
    start: false,
    vlanRange: { first: 100, last: 103 },
  })
  const { mesh, frames } = stage
  const cable = await mesh.cable(2, 3)
  const pods = mesh.pods()
  const on = (port: number) => pods.filter(pod => pod.port === port) as [Pod, Pod, Pod, Pod]
  const [red, blue, black] = [on(1), on(2), on(3)]
  const [p, o] = [mesh.node(2), mesh.node(3)]
  const link = { from: { dpid: p.dpid, port: cable.ports[0] }, to: { dpid: o.dpid, port: cable.ports[1] } }
  await stage.start()
  await stage.ask(draft => putDeclaredLink(draft, { ...link, carries: 'vid' }))
  const vids = () => [...stage.store.state().vlans.values()].map(each => each.vids)
  const plainFlows = async () => (await o.dumpFlows()).filter(flow => flow.includes(`in_port=${cable.ports[1]},`))

  t.test('probes cross the plain link, untagged', async t => {
    const states = () => [...stage.controller.eachLink()].filter(each => each.carries === 'vid')
    await until('both directions have been heard', () => {
      const found = states()
      return found.length === 2 && found.every(({ state, rttMs }) => state === 'up' && rttMs !== undefined)
    })
    t.ok(true)
  })

  t.test('a network gets two VLANs when it first crosses it, and works from end to end', async t => {
    await stage.join('red', [red[0]])
    t.strictSame(vids(), [], 'none before')
    await stage.join('red', red)
    t.strictSame(vids(), [[100, 101]])
    t.strictSame(await hearing(stage, pods), apart(pods, red))
    await Promise.all([stage.ping(red[0], red[3]), stage.ping(red[1], red[2]), stage.ping(red[3], red[1])])
    const { times, strays } = await frames.reach(red, { kind: 'unicast' })
    for (const a of red) for (const b of red) if (a !== b) t.equal(times(a, b), 1)
    t.strictSame(strays, [])
    t.ok((await plainFlows()).some(flow => /dl_vlan=10[01]/.test(flow)))
  })

  t.test('a second one has others; learned, tagged at a port, and apart from the first', async t => {
    await stage.ask(draft => putNetwork(draft, 'blue'))
    for (const pod of blue) await stage.attach(wish(mesh, 'blue', pod, 'learn'))
    await stage.attach({ network: 'blue', dpid: p.dpid, port: black[1].port, vlan: 9 })
    await stage.programmed('blue')
    t.strictSame(vids(), [
      [100, 101],
      [102, 103],
    ])
    const heard = await hearing(stage, [...red, ...blue])
    t.strictSame(heard, apart([...red, ...blue], red, blue))
    const received: string[] = []
    const mark = Buffer.from('from the trunk')
    const release = await frames.capture(pods, ({ pod, frame }) => {
      if (frame.includes(mark)) received.push([pod, ...tagsOf(frame)].join(' '))
    })
    // The VLANs of the link, too: a host that knows them reaches nobody by them.
    for (let vid = 1; vid <= 4094; vid++) {
      if (vid % 64 === 0) await sleep(20)
      await frames.send(
        black[1],
        ethernet({ dst: broadcast, src: black[1].mac, tags: [vid] }, ethertypes.experimental, mark),
      )
    }
    await until('its own has come', () => received.length >= blue.length)
    await sleep(500)
    await release()
    t.strictSame(received.sort(), blue.map(({ name }) => name).sort(), 'only VLAN 9, and untagged there')
  })

  t.test(
    'a third finds none, says so, and leaves the others alone; it gets those of the one that goes, not before all have confirmed',
    async t => {
      const talk = await streamTo(stage, red[0], red[3], 3, 200)
      await stage.ask(draft => putNetwork(draft, 'white'))
      for (const pod of [black[0], black[3]]) await stage.attach(wish(mesh, 'white', pod, 'pinned'))
      await until('it is degraded', () => stage.controller.network('white')?.state === 'degraded')
      t.match(
        stage.controller.network('white')?.reason,
        /cross plain links, and no two VLANs of 100-103 are free: 2 networks have two each; widen --vlan-range/,
      )
      t.equal(stage.controller.network('red')?.state, 'programmed')
      t.equal((await talk.finish()).at(red[3]).lost, 0)
      await p.connect(['tcp:127.0.0.1:1'])
      await until('it is away', () => stage.controller.switch(p.dpid)?.state === 'disconnected')
      await stage.ask(draft => deleteNetwork(draft, 'blue'))
      await sleep(1500)
      t.strictSame(vids().length, 2, 'the switch that is away may still know them')
      t.equal(stage.controller.network('white')?.state === 'programmed', false)
      await p.connect([`tcp:${mesh.ctl.address}:${stage.plain(2).port}`])
      await until('it has them', () => stage.controller.network('white')?.state === 'programmed', { ms: 20_000 })
      await stage.programmed('white')
      t.strictSame(vids().at(-1), [102, 103])
      const heard = await hearing(stage, pods)
      t.strictSame(heard, apart(pods, red, [black[0], black[3]]))
    },
  )

  t.test('a plain link that loses all is found dead, and the network says that it is cut', async t => {
    await cable.lose(true)
    await until('it is cut', () => /no way between/.test(stage.controller.network('red')?.reason ?? ''), { ms: 5000 })
    await cable.lose(false)
    await until('it is mended', () => stage.controller.network('red')?.state === 'programmed', { ms: 10_000 })
    t.strictSame((await hearing(stage, red))[red[0].name], apart(red, red)[red[0].name])
  })

  t.test('a restarted controller keeps the VLANs, and touches nothing', async t => {
    const before = vids()
    const talk = await streamTo(stage, red[0], red[3], 4, 200)
    await stage.stop()
    await stage.start()
    await stage.programmed('red')
    t.strictSame(vids(), before)
    t.equal((await talk.finish()).at(red[3]).lost, 0)
  })
}
