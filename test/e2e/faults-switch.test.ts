// What others do to a switch: foreign flows, flows added and removed by hand, full tables, ports that flap, a second
// switch of the same number, links that break.
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { ipBatch } from '../../lab/command.ts'
import { needs } from '../../lab/install.ts'
import type { Node } from '../../lab/node.ts'
import { deviceOf, type Pod } from '../../lab/pod.ts'
import { deleteDeclaredLink, putDeclaredLink } from '../../store/desired.ts'
import { changesSent, until } from '../controller/watching.ts'
import { fakeSwitch } from '../openflow/fake-switch.ts'
import { apart, hearing, holdings, makeStage, openflowPort, type Stage, streamTo } from '../ovs/stage.ts'

if (needs(t)) {
  const stage: Stage = await makeStage(t, { nodes: 2, podsPerNode: 4, start: false })
  const { mesh } = stage
  const pods = mesh.pods()
  const on = (port: number) => pods.filter(pod => pod.port === port) as Pod[] as [Pod, Pod]
  const [red, blue, spare, nobody] = [on(1), on(2), on(3), on(4)]
  const [first, second] = [mesh.node(1), mesh.node(2)]
  const viewOf = (node: Node) => stage.controller.switches().find(({ dpid }) => dpid === node.dpid)

  t.test(
    'a switch with flows of somebody else is sent nothing until it is taken over, and then all at once',
    async t => {
      const foreign = ['table=0,priority=5000,in_port=4,actions=output:3', 'table=2,priority=7,actions=drop']
      await first.addFlows(foreign)
      await first.ovs.ofctl('br-l2', 'add-group', ['group_id=9,type=all,bucket=actions=output:3'])
      await stage.launch()
      await until('both switches are read', () => viewOf(first)?.state === 'unsafe' && viewOf(second)?.state === 'live')
      t.equal(viewOf(first)?.flows.foreign, 3)
      t.match(stage.controller.ready(), {
        ready: false,
        reasons: [/holds 3 flows or groups that are not ours.*takeover/],
      })
      const sent = changesSent(stage.counts)
      const joined = stage.join('red', red)
      joined.catch(() => {})
      await until('it is pending', () => /not ours/.test(stage.controller.network('red')?.reason ?? ''))
      t.equal((await first.dumpFlows()).length, 2, 'nothing is added')
      const answer = await stage.controller.takeover(first.dpid, 'test')
      t.match(answer, { removed: [/priority=5000/, /priority=7/, /group_id=9/] })
      await joined
      await stage.live()
      t.ok(changesSent(stage.counts) > sent)
      t.equal(stage.counts.messages.get('out flow_mod'), undefined, 'nothing but in bundles')
      t.strictSame(
        (await holdings(first)).filter(line => !/cookie=0x6c32|group_id=1\d{9}/.test(line)),
        [],
      )
      t.strictSame(await hearing(stage, pods), apart(pods, red))
    },
  )

  t.test('what somebody adds, changes or deletes by hand is put right, and counted', async t => {
    await stage.join('blue', blue)
    const held = await holdings(first)
    await first.addFlows([`table=0,priority=200,in_port=4,actions=output:${spare[0].port}`])
    t.equal((await hearing(stage, pods))[nobody[0].name]?.[spare[0].name], 1, 'the leak is there')
    await until('it is gone', async () => same(await holdings(first), held))
    await until('it is counted', () => stage.counts.repaired === 1)
    await until('and there is no drift any more', () => viewOf(first)?.flows.drift === 0)
    t.ok(stage.log.some(({ level, words }) => level === 'warn' && words.includes('drifted')))
    await first.ovs.ofctl('br-l2', 'del-flows')
    t.strictSame((await hearing(stage, red))[red[0].name], {}, 'all is cut')
    await until('it is back', async () => same(await holdings(first), held))
    t.strictSame(await hearing(stage, pods), apart(pods, red, blue))
    // Its groups were left; nothing on the switch says whose they are, but we know.
    t.equal(viewOf(first)?.state, 'live')
  })

  t.test('a network that does not fit into a full table says so, and the others stay as they are', async t => {
    const { activeCount } = await table(first, 0)
    const limit = ['--id=@full', 'create', 'Flow_Table', `flow_limit=${activeCount + 1}`, 'overflow_policy=refuse']
    await first.ovs.vsctl(...limit, '--', 'set', 'bridge', 'br-l2', 'flow_tables:0=@full')
    const before = (await holdings(first)).length
    const talk = await streamTo(stage, red[0], red[1], 2)
    stage.join('green', spare).catch(() => {})
    await until('green is degraded', () => stage.controller.network('green')?.state === 'degraded')
    const { reason } = stage.controller.network('green')!
    t.equal(reason, `switch ${first.dpid} refused its flows: FLOW_MOD_FAILED/TABLE_FULL`)
    t.equal(viewOf(first)?.state, 'failing')
    t.equal((await holdings(first)).length, before, 'nothing of it is left there')
    t.equal(stage.controller.network('red')?.state, 'programmed')
    t.equal((await talk.finish()).at(red[1]).lost, 0)
    await first.ovs.vsctl('clear', 'bridge', 'br-l2', 'flow_tables')
    await until('it works when there is room', () => stage.controller.network('green')?.state === 'programmed', {
      ms: 20_000,
    })
    t.strictSame(await hearing(stage, pods), apart(pods, red, blue, spare))
    t.equal(viewOf(first)?.state, 'live')
    await stage.leave('green', spare)
  })

  t.test('a port that flaps makes little work, and ends as it is', async t => {
    const compiled = stage.counts.compiled
    const began = performance.now()
    const device = deviceOf(blue[0])
    const flap = Array.from({ length: 50 }, () => [`link set ${device} down`, `link set ${device} up`]).flat()
    // No stream beside it: while devices change, Open vSwitch's userspace loses frames of other ports too, controller or not.
    await ipBatch(flap, first.netns)
    for (let i = 0; i < 10; i++) {
      await first.ovs.vsctl('--no-wait', 'del-port', 'br-l2', device)
      await first.ovs.vsctl(
        ...['--no-wait', 'add-port', 'br-l2', device, '--', 'set', 'interface', device, 'ofport_request=2'],
      )
    }
    await sleep(500)
    const seconds = (performance.now() - began) / 1000
    const work = stage.counts.compiled - compiled
    t.ok(work <= 10 * seconds + 1, `${work} compiles in ${seconds.toFixed(1)} s`)
    await stage.programmed('blue')
    t.strictSame(await hearing(stage, pods), apart(pods, red, blue))
  })

  t.test('a second switch of the same number is refused while the first one answers', async t => {
    const talk = await streamTo(stage, red[0], red[1], 2)
    const ups = () => stage.log.filter(({ fields }) => fields['kind'] === 'switch-connected').length
    const before = ups()
    const twin = await fakeSwitch({ host: mesh.ctl.address, port: openflowPort }, { dpid: BigInt(`0x${first.dpid}`) })
    await twin.closed
    const refusals = stage.log.filter(({ fields }) => `${fields['reason']}`.includes('is connected already'))
    t.equal(refusals.length, 1)
    t.match(refusals[0]?.fields['reason'], `datapath ${first.dpid} is connected already, from ${first.address}`)
    t.equal(twin.changes.length, 0)
    t.equal(ups(), before)
    t.equal(viewOf(first)?.state, 'live')
    t.equal((await talk.finish()).at(red[1]).lost, 0)
  })

  t.test('a link that breaks is down, and up again when it is mended', async t => {
    const states = () => stage.controller.links().map(({ state }) => state)
    t.strictSame(states(), ['up', 'up'])
    await mesh.lose(1, 2, 1)
    await until('it is down', () => states().every(state => state === 'down'))
    t.match(stage.controller.links()[0]?.reason, 'probes')
    await mesh.lose(1, 2, 0)
    await until('it is up', () => states().every(state => state === 'up'))
    await stage.ping(red[0], red[1])
  })

  t.test("a port that was a pod's is no link until an operator says so", async t => {
    const link = {
      from: { dpid: first.dpid, port: first.links.get(2)! },
      to: { dpid: second.dpid, port: second.links.get(1)! },
    }
    await stage.attach({ network: 'green', ...link.from })
    await stage.programmed('green')
    t.match(stage.controller.network('red'), { state: 'degraded', reason: /no way between switches/ })
    t.strictSame((await hearing(stage, red))[red[0].name], {})
    await stage.ask(draft => draft.deleteAttachment(`${link.from.dpid}/${link.from.port}`))
    await stage.programmed('green')
    t.equal((await stage.controller.settled('red', 0, 1500)).state, 'degraded', 'not even when the pod is gone')
    await stage.ask(draft => putDeclaredLink(draft, link))
    await stage.programmed('red')
    t.strictSame(await hearing(stage, pods), apart(pods, red, blue))
    t.strictSame(
      stage.controller.links().map(({ origin, state }) => [origin, state]),
      [
        ['declared', 'up'],
        ['declared', 'up'],
      ],
    )
    await stage.ask(draft => deleteDeclaredLink(draft, link))
    await until('red is cut again', () => stage.controller.network('red')?.state === 'degraded')
  })
}

const same = (a: readonly string[], b: readonly string[]) => a.join('\n') === b.join('\n')

async function table(node: Node, id: number): Promise<{ readonly activeCount: number }> {
  const flows = (await node.dumpFlows()).filter(flow => flow.includes(`table=${id},`))
  return { activeCount: flows.length }
}
