// Why does A not reach B? Two nodes on real switches, broken by hand; each breakage gets the right answer, and of two at once the first
// that matters comes first. Those that real switches show slowly or by chance are in test/controller/explain.test.ts.
import t, { type Test } from 'tap'
import type { ExplainAnswer } from '../../controller/view/explain.ts'
import { needs } from '../../lab/install.ts'
import type { Pod } from '../../lab/pod.ts'
import { until } from '../controller/watching.ts'
import { makeStage, wish } from '../ovs/stage.ts'

if (needs(t)) {
  const stage = await makeStage(t, { nodes: 2, podsPerNode: 2 })
  t.setTimeout(240_000)
  const { mesh } = stage
  const [a, other, b, jailer] = mesh.pods() as [Pod, Pod, Pod, Pod]
  const dpid = (pod: Pod) => mesh.node(pod.node).dpid
  const at = (pod: Pod) => `${dpid(pod)}/${pod.port}`
  const named = (pod: Pod, network: string, more: object = {}) => ({
    ...{ ...wish(mesh, network, pod, 'pinned'), name: pod.name, ips: pod.ips },
    ...more,
  })
  const ask = (from = a.name, to = b.name): Promise<ExplainAnswer> => stage.controller.explain({ from, to })
  const checks = async (): Promise<readonly string[]> => (await ask()).findings.map(({ check }) => check)
  const whole = async () => {
    await stage.attach(named(a, 'red'), { move: true })
    await stage.attach(named(b, 'red'), { move: true })
    await stage.programmed('red')
  }
  const first = async (t: Test, check: string, sentence: RegExp, reaches = 'no') => {
    const answer = await ask()
    t.match(answer, { reaches, findings: [{ check, sentence }] }, JSON.stringify(answer))
    t.ok(answer.findings.every(({ remedy }) => remedy.length > 10))
    return answer
  }
  await stage.join('red', [a, b])
  await stage.join('jail', [jailer])
  await whole()

  t.test('two ports that reach each other: which way, how fast, how large', async t => {
    const measured = () => {
      const links = stage.controller.links()
      return links.every(({ rttMs, mtu }) => rttMs !== undefined && mtu !== undefined)
    }
    await until('both directions are measured', measured)
    const answer = await ask()
    t.match(answer, { reaches: 'yes', findings: [], way: [{ from: { dpid: dpid(a) }, to: { dpid: dpid(b) } }] })
    t.ok(answer.rttMs !== undefined && answer.mtu !== undefined && answer.mtu > 1280, JSON.stringify(answer))
    for (const [from, to] of [
      [at(a), at(b)],
      [a.mac, b.mac],
      [a.ips[0]!.split('/')[0]!, b.ips[0]!.split('/')[0]!],
    ] as const)
      t.equal((await ask(from, to)).reaches, 'yes', `${from} to ${to}`)
    await stage.ping(a, b)
  })

  t.test('detached: which network it left, and how it comes back', async t => {
    await stage.leave('red', [b])
    await first(t, 'detached', new RegExp(`${b.name} is in no network: it left network red in revision`))
    t.match(await ask(a.name, 'nobody'), {
      reaches: 'no',
      findings: [{ check: 'detached', sentence: /no attachment has the name or address nobody/ }],
    })
    await whole()
  })

  t.test('in another network; and moved there, as a quarantine does', async t => {
    t.match(await ask(a.name, at(jailer)), {
      findings: [{ check: 'wrong-network', sentence: /in network red.*in network jail/ }],
    })
    await stage.attach(named(b, 'jail'), { move: true })
    await first(t, 'moved', /moved from network red to jail in revision \d+/)
    await stage.attach(named(b, 'red'), { move: true })
    await stage.programmed('red')
  })

  t.test('a guard that lets nothing pass, for the interface has another MAC than was declared', async t => {
    await stage.attach(named(a, 'red', { mac: '02:00:00:00:99:99' }), { move: false })
    await stage.programmed('red')
    await mesh.ping(a, b, 5)
    const found = async () => (await checks()).includes('guard')
    await until('the switch has counted', found)
    await first(t, 'guard', /has let none of the \d+ frames pass/)
    await stage.attach(named(a, 'red'), { move: false })
    await stage.programmed('red')
  })

  t.test('a flow that somebody put there by hand', async t => {
    const node = mesh.node(2)
    const port = [...node.links.values()][0]
    // Of this network only: one that takes our probes too is a dead link after a second.
    const flow = `table=0,priority=2000,in_port=${port},tun_id=${stage.store.state().networks.get('red')!.number},actions=drop`
    // The controller's own look at its flows may take it away before we ask.
    let answer: Awaited<ReturnType<typeof ask>> | undefined
    await until('it is found', async () => {
      await node.addFlows([flow])
      answer = await ask()
      return answer.findings[0]?.check === 'foreign'
    })
    t.match(answer, {
      reaches: 'no',
      findings: [
        {
          dpid: dpid(b),
          sentence: /an entry that is not ours, in table 0: .*priority=2000/,
          entry: /priority=2000.*actions=drop/,
        },
      ],
    })
    await node.deleteFlows(`table=0,cookie=0/-1,in_port=${port}`)
  })

  t.test('an entry of ours that is gone', async t => {
    await stage.stop()
    await stage.start()
    await whole()
    await mesh.node(2).deleteFlows(`table=2,dl_dst=${b.mac}`)
    await mesh.node(2).deleteFlows('table=2,metadata=0x100000000/0x100000000')
    await first(t, 'drift', /does not hold what it should/)
    await stage.stop()
    await stage.start()
    await until('it is put right', async () => (await ask()).reaches === 'yes')
  })

  t.test(
    'a port without carrier, and one that is not there; of two faults the port comes before the tunnel',
    async t => {
      await mesh.exec(b, 'ip', 'link', 'set', 'eth0', 'down')
      await until('the switch says so', async () => (await checks())[0] === 'port-down')
      await first(t, 'port-down', /has no carrier/)
      await mesh.lose(1, 2, 1)
      await until('the link is dead', async () => (await checks()).includes('link-down'))
      t.strictSame((await checks()).slice(0, 2), ['port-down', 'link-down'])
      await mesh.exec(b, 'ip', 'link', 'set', 'eth0', 'up')
      await until('only the tunnel is left', async () => (await checks())[0] === 'link-down')
      await first(t, 'link-down', /the link from .* to .* is down .*no other way/)
      await mesh.lose(1, 2, 0)
      await until('the link lives', async () => (await ask()).reaches === 'yes')
    },
  )

  t.test('a switch that is away: what it still does, nobody knows', async t => {
    await mesh.node(2).connect(['tcp:127.0.0.1:1'])
    await until('the session is gone', () => !stage.controller.connected(dpid(b)))
    await first(t, 'switch-away', /is not connected/, 'unknown')
    await stage.attach({ ...named(other, 'red') })
    t.match(await ask(other.name, b.name), { reaches: 'unknown', findings: [{ check: 'switch-away', dpid: dpid(b) }] })
  })
}
