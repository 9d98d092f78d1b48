// Physical switches: plain OpenFlow 1.3 beside Open vSwitch, in the same networks. The test fails when one of them is told
// an extension (stage.ts).
import t from 'tap'
import { broadcast, probe } from '../../lab/frame.ts'
import { needs } from '../../lab/install.ts'
import type { Pod } from '../../lab/pod.ts'
import { attach, deleteNetwork, detach, putNetwork } from '../../store/desired.ts'
import { changesSent, until } from '../controller/watching.ts'
import { ages, apart, hearing, holdings, makeStage, streamTo, touched, wish } from '../ovs/stage.ts'

if (needs(t)) {
  await t.test('plain switches and Open vSwitch in one mesh', async t => {
    const stage = await makeStage(t, { nodes: 3, podsPerNode: 3, plain: { 2: {}, 3: { staleStatus: true } } })
    const { mesh, frames } = stage
    const pods = mesh.pods()
    const on = (port: number) => pods.filter(pod => pod.port === port) as [Pod, Pod, Pod]
    const [red, blue, spare] = [on(1), on(2), on(3)]
    await stage.join('red', red)
    await stage.join('blue', blue, 'learn')

    t.test('they are what they say', async t => {
      const views = stage.controller.switches()
      t.strictSame(
        views.map(({ manufacturer, state }) => [manufacturer, state]),
        [
          ['Nicira, Inc.', 'live'],
          ['Plain', 'live'],
          ['Plain', 'live'],
        ],
      )
    })

    t.test('a broadcast reaches each member of its network once, and nobody else', async t => {
      t.strictSame(await hearing(stage, pods), apart(pods, red, blue))
    })

    t.test('what is addressed to one reaches that one, and no other, from the first frame on', async t => {
      const { times, strays } = await frames.reach(red, { kind: 'unicast' })
      for (const a of red) for (const b of red) if (a !== b) t.equal(times(a, b), 1)
      t.strictSame(strays, [])
      const all = await frames.reach(pods, { kind: 'unicast' })
      const crossed = pods.flatMap(a => pods.filter(b => all.times(a, b) > 0 && a.port !== b.port))
      t.strictSame(crossed, [], 'also for who knows the address of a pod in another network')
    })

    t.test('addresses are learned on plain switches too', async t => {
      for (const a of blue) for (const b of blue) if (a !== b) await stage.ping(a, b)
      const known = async (pod: Pod) => {
        const dumps = await Promise.all(mesh.nodes.map(node => node.dumpFlows()))
        return dumps.every(flows => flows.some(flow => flow.includes('table=2') && flow.includes(`dl_dst=${pod.mac} `)))
      }
      for (const pod of blue) await until(`${pod.name} is known`, () => known(pod))
      const { strays } = await frames.reach(blue, { kind: 'unicast' })
      t.strictSame(strays, [])
      await frames.send(spare[1], probe({ dst: broadcast, src: '02:0d:00:00:00:01' }))
      t.strictSame((await hearing(stage, pods))[spare[1].name], {}, 'who is in no network teaches nobody')
    })

    t.test(
      'a port that floods with copies is hushed; the rest of the switch is limited by its controller meter',
      async t => {
        const plain = mesh.node(blue[1].node)
        t.match(await plain.ovs.ofctl('br-l2', 'dump-meters'), /meter=controller.*rate=1000/s)
        const holder = await streamTo(stage, blue[0], blue[2], 5, 100)
        const before = stage.counts.packetIns
        // From an address that another port holds: it is not learned, and each frame is shown to us.
        await frames.send(blue[1], probe({ dst: broadcast, src: blue[0].mac }), { count: 6000, pps: 2000 })
        const copies = stage.counts.packetIns - before
        t.ok(copies > 100 && copies < 2000, `${copies} copies of 6000 frames`)
        t.match(
          (await plain.dumpFlows()).filter(flow => flow.includes('hard_timeout=5')),
          [new RegExp(`in_port=${blue[1].port}`)],
        )
        t.ok(
          stage.controller.links().every(({ state }) => state === 'up'),
          'probes still arrive',
        )
        t.equal((await holder.finish()).at(blue[2]).lost, 0)
      },
    )

    t.test('a restarted controller resets no flow, loses no frame, and sends nothing', async t => {
      const before = await ages(mesh)
      const talk = await streamTo(stage, red[1], red[2], 4)
      await stage.stop()
      await stage.start()
      await stage.programmed('red')
      await stage.programmed('blue')
      t.equal((await talk.finish()).at(red[2]).lost, 0)
      t.strictSame(touched(before, await ages(mesh)), [])
      t.equal(changesSent(stage.counts), 0)
    })

    t.test('what is deleted by hand is put back', async t => {
      const plain = mesh.node(2)
      const held = (await holdings(plain)).length
      await plain.deleteFlows('table=0,in_port=1')
      t.strictSame((await hearing(stage, red))[red[1].name], {}, 'it is cut off')
      await until('it is back', async () => (await holdings(plain)).length === held)
      t.strictSame(await hearing(stage, pods), apart(pods, red, blue))
    })

    t.test('a lost answer to a barrier is no faith: the switch is read again, and nothing is said before', async t => {
      stage.plain(2).loseBarriers(2)
      const reads = () => stage.plain(2).told.filter(told => told === 'multipart_request flow').length
      const before = reads()
      await stage.ask(draft => attach(draft, wish(mesh, 'red', spare[1], 'pinned')))
      await until('a barrier is lost', () => stage.log.some(({ words }) => /did not answer/.test(words)), {
        ms: 15_000,
      })
      t.equal(stage.controller.network('red')?.state, 'pending')
      await until('it is programmed', () => stage.controller.network('red')?.state === 'programmed', { ms: 20_000 })
      t.ok(reads() > before)
      t.strictSame(await hearing(stage, pods), apart(pods, [...red, spare[1]], blue))
      await stage.leave('red', [spare[1]])
    })

    t.test(
      'a network that does not fit into a table is taken back, leaves the others alone, and gets in when there is room',
      async t => {
        const node = mesh.node(2)
        const admit = (await node.dumpFlows()).filter(flow => flow.includes('table=0')).length
        // Room for one of the two entries that a port needs.
        const limit = ['--id=@full', 'create', 'Flow_Table', `flow_limit=${admit + 1}`, 'overflow_policy=refuse']
        await node.ovs.vsctl(...limit, '--', 'set', 'bridge', 'br-l2', 'flow_tables:0=@full')
        const before = await holdings(node)
        const talk = await streamTo(stage, red[0], red[1], 3)
        await stage.ask(draft => putNetwork(draft, 'green'))
        for (const pod of spare) await stage.attach(wish(mesh, 'green', pod, 'pinned'))
        await until('green is degraded', () => stage.controller.network('green')?.state === 'degraded')
        t.equal(
          stage.controller.network('green')?.reason,
          `switch ${node.dpid} refused its flows: FLOW_MOD_FAILED/TABLE_FULL`,
        )
        await until('nothing of it is left there', async () => same(await holdings(node), before))
        t.strictSame(await hearing(stage, pods), apart(pods, red, blue, [spare[0], spare[2]]))
        t.equal((await talk.finish()).at(red[1]).lost, 0)
        // One of the others leaves: three entries, of which two are enough.
        await stage.ask(draft => detach(draft, 'blue', node.dpid, blue[1].port))
        await until('it has come in', () => stage.controller.network('green')?.state === 'programmed', { ms: 5000 })
        t.strictSame(await hearing(stage, pods), apart(pods, red, [blue[0], blue[2]], spare))
        await node.ovs.vsctl('clear', 'bridge', 'br-l2', 'flow_tables')
        await stage.join('blue', [blue[1]], 'learn')
        await stage.leave('green', spare)
      },
    )

    t.test('so is one for which there is no group', async t => {
      const plain = stage.plain(3)
      plain.model = { ...plain.model, groups: plain.groups.size + 1 }
      await stage.ask(draft => putNetwork(draft, 'white'))
      for (const pod of spare) await stage.attach(wish(mesh, 'white', pod, 'pinned'))
      await until('white is degraded', () => stage.controller.network('white')?.state === 'degraded')
      t.match(stage.controller.network('white')?.reason, /refused its flows: GROUP_MOD_FAILED\/OUT_OF_GROUPS/)
      t.strictSame(await hearing(stage, pods), apart(pods, red, blue, [spare[0], spare[1]]))
      await stage.ask(draft => deleteNetwork(draft, 'green'))
      await stage.ask(draft => deleteNetwork(draft, 'white'))
      await stage.forgotten('white')
      plain.model = { ...plain.model, groups: 4096 }
    })

    t.test('a port that flaps, with each change told twice and stale first, ends as it is', async t => {
      const node = mesh.node(3)
      const device = `p${red[2].port}`
      for (let i = 0; i < 3; i++) {
        await node.ovs.vsctl('--no-wait', 'del-port', 'br-l2', device)
        await node.ovs.vsctl(
          ...['--no-wait', 'add-port', 'br-l2', device, '--', 'set', 'interface', device, 'ofport_request=1'],
        )
      }
      await stage.programmed('red')
      t.strictSame(await hearing(stage, pods), apart(pods, red, blue))
    })
  })

  await t.test('a switch with one table and no metadata', async t => {
    const small = { tables: 1, metadata: 0n, groups: 64 }
    const stage = await makeStage(t, { nodes: 2, podsPerNode: 2, plain: { 2: small }, start: false })
    const { mesh } = stage
    const pods = mesh.pods()
    const [a, , b] = pods as [Pod, Pod, Pod, Pod]
    const view = (n: number) => stage.controller.switch(mesh.node(n).dpid)
    await stage.launch()
    await until('both have been heard', () => view(1)?.state === 'live' && view(2)?.state === 'unsupported')

    t.test('is refused, in words that name what is missing', async t => {
      t.match(
        view(2)?.reason,
        /^it cannot run our pipeline: it has 1 flow table, and 3 are needed .*does not carry the metadata bits/,
      )
      t.equal(stage.controller.ready().ready, true, 'and keeps nobody else from working')
    })

    t.test('a network with a member there is degraded for that reason, and works elsewhere', async t => {
      await stage.ask(draft => putNetwork(draft, 'red'))
      for (const pod of [a, pods[1]!, b]) await stage.attach(wish(mesh, 'red', pod, 'pinned'))
      await until('it is degraded', () => stage.controller.network('red')?.state === 'degraded')
      t.match(
        stage.controller.network('red')?.reason,
        `switch ${mesh.node(2).dpid}: it cannot run our pipeline: it has 1`,
      )
      t.match(stage.controller.attachment(`${mesh.node(2).dpid}/1`)?.state, 'degraded')
      await until('the others are connected', async () => (await hearing(stage, pods))[a.name]?.[pods[1]!.name] === 1)
      t.strictSame(await hearing(stage, pods), apart(pods, [a, pods[1]!]))
    })

    t.test('it is told nothing but questions', async t => {
      await new Promise(resolve => setTimeout(resolve, 6000)) // longer than the audit and probes wait
      const told = [...new Set(stage.plain(2).told)].filter(
        each => !/^(hello|echo_|features_request|set_config)/.test(each),
      )
      t.strictSame(told.sort(), [
        ...['desc', 'group_features', 'meter_config', 'meter_features', 'port_desc', 'table_features'].map(
          q => `multipart_request ${q}`,
        ),
      ])
      t.strictSame(await mesh.node(2).dumpFlows(), [])
    })
  })
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.join('\n') === b.join('\n')
}
