// What happens to a node in its life: agents, pods, daemons and people come and go. The pods' frames must not notice.
import t, { type Test } from 'tap'
import { needs } from '../../lab/install.ts'
import type { Pod } from '../../lab/pod.ts'
import { until } from '../controller/watching.ts'
import { bridgeEndOf, bridgeOf, makeAgents, tunnelOf } from '../ovs/agents.ts'
import { ages, apart, hearing, streamTo, touched } from '../ovs/stage.ts'

if (needs(t)) {
  const agents = await makeAgents(t, { nodes: 3, interfaces: 3, links: [[1, 2]] })
  const { stage, log } = agents
  const { mesh } = stage
  const [one, two] = [mesh.node(1), mesh.node(2)]
  await stage.start()
  const red = await Promise.all([1, 2].map(node => agents.pod(node, 1)))
  const [a, b] = red as [Pod, Pod]
  await stage.join('red', red)

  /** Which configuration the database of a node has: it counts up with each change. */
  const config = async (node: number) =>
    (await mesh.node(node).ovs.vsctl('get', 'Open_vSwitch', '.', 'next_cfg')).trim()
  const numberOf = async (node: number, name: string) =>
    (await mesh.node(node).ovs.vsctl('--if-exists', 'get', 'interface', name, 'ofport')).trim()
  const told = (from: number, words: RegExp) => log.slice(from).some(({ msg }) => words.test(msg))
  /** Frames from pod to pod while `work` goes on: none is lost, no flow touched. */
  const unnoticed = async (t: Test, seconds: number, work: () => Promise<unknown>) => {
    const before = await ages(mesh)
    const stream = await streamTo(stage, a, b, seconds)
    await work()
    const { lost, duplicated } = (await stream.finish()).at(b)
    t.same({ lost, duplicated }, { lost: 0, duplicated: 0 })
    t.same(touched(before, await ages(mesh)), [], 'and no flow was touched')
  }

  t.test(
    'agents are stopped, killed and started again: no frame is lost, no flow touched, nothing written',
    async t => {
      const before = await Promise.all([1, 2].map(config))
      await unnoticed(t, 6, async () => {
        t.equal(await agents.stop(1, 'SIGTERM'), 0)
        t.equal(await agents.stop(2, 'SIGKILL'), 'SIGKILL')
        await Promise.all([agents.start(1), agents.start(2)])
        await Promise.all([agents.settled(1), agents.settled(2)])
      })
      t.same(await Promise.all([1, 2].map(config)), before)
    },
  )

  t.test('the database restarts under all of it', async t => {
    // In userspace, Open vSwitch itself forwards nothing for a second when it loses its database: frames are not counted, and the
    // controller may take the links for dead meanwhile.
    const before = await ages(mesh)
    await one.ovs.restartDatabase()
    await agents.settled(1)
    await stage.ping(a, b)
    const isOfLink = (flow: string) => /in_port=10\d\b|output:10\d\b/.test(flow)
    const others = touched(before, await ages(mesh)).filter(flow => !isOfLink(flow))
    t.same(others, [], 'no flow was touched')
    const from = log.length
    await one.ovs.vsctl('set', 'bridge', bridgeOf(1), 'fail_mode=standalone')
    await agents.settled(1, () => told(from, /put right: .*fail_mode/))
  })

  t.test('a link is added, then removed: the others, and every flow, stay as they are', async t => {
    const link = (from: number, to: number) => ({
      ...({
        peer: `n${to}`,
        name: tunnelOf(from, to),
        port: 150 + to,
        type: 'vxlan',
        udpPort: 7000,
        bfd: false,
      } as const),
      ...{ local: mesh.node(from).address, remote: mesh.node(to).address },
    })
    await unnoticed(t, 5, async () => {
      agents.change(1, plan => ({ links: [...plan.links, link(1, 3)] }))
      agents.change(3, plan => ({ links: [...plan.links, link(3, 1)] }))
      await Promise.all([
        agents.settled(1, async () => (await numberOf(1, tunnelOf(1, 3))) === '153'),
        agents.settled(3, async () => (await numberOf(3, tunnelOf(3, 1))) === '151'),
      ])
    })
    await until('the new link is found', () => stage.store.state().discoveredLinks.size >= 4)
    await unnoticed(t, 3, async () => {
      agents.change(1, plan => ({ links: plan.links.filter(({ peer }) => peer !== 'n3') }))
      await agents.settled(1, async () => (await numberOf(1, tunnelOf(1, 3))) === '')
    })
  })

  t.test(
    'controllers are planned, replaced and planned again: flows stay, and a plan without any changes nothing',
    async t => {
      const [here] = agents.plan(1).controllers
      const nowhere = `tcp:${mesh.ctl.address}:6699`
      const targets = async () => (await one.ovs.vsctl('get-controller', bridgeOf(1))).trim().split('\n').sort().join()
      await unnoticed(t, 6, async () => {
        for (const controllers of [[here!, nowhere], [nowhere], [], [here!]]) {
          agents.change(1, () => ({ controllers }))
          const expected = (controllers.length === 0 ? [nowhere] : controllers).toSorted().join()
          await agents.settled(1, async () => (await targets()).replace(/:0(\d+)/g, ':$1') === expected)
        }
      })
      await stage.live()
    },
  )

  t.test('what is changed by hand is put right, and told', async t => {
    const from = log.length
    const spare = bridgeEndOf(1, 3)
    await one.ovs.vsctl(
      ...['set', 'bridge', bridgeOf(1), 'fail_mode=standalone', 'other_config:disable-in-band=false'],
      ...['--', 'set', 'interface', tunnelOf(1, 2), 'options:remote_ip=198.18.255.1'],
      ...['--', 'del-port', bridgeOf(1), spare],
    )
    const repaired = async () => {
      const options = await one.ovs.vsctl('get', 'interface', tunnelOf(1, 2), 'options:remote_ip')
      const mode = await one.ovs.vsctl('get', 'bridge', bridgeOf(1), 'fail_mode')
      return options.includes(two.address) && mode.trim() === 'secure' && (await numberOf(1, spare)) === '3'
    }
    await agents.settled(1, repaired)
    for (const words of [/fail_mode set to "secure"/, /options set to/, new RegExp(`${spare} .*added as number 3`)])
      t.ok(told(from, words), `${words}`)
    await agents.on(1, `ip link set ${spare} mtu 1400 down`)
    await agents.settled(1, async () => /mtu 1550 .*state/.test(await agents.on(1, `ip link show ${spare}`)))
    await until('that is told', () => told(from, new RegExp(`put right: ${spare}: MTU set to 1550, was 1400`)))
    t.match(await agents.metrics(1), /l2sm_agent_repairs_total [1-9]/)
    await stage.ping(a, b)
    await agents.on(1, `ip link del ${spare}`)
    await agents.settled(
      1,
      async () => (await numberOf(1, spare)) === '3' && (await agents.on(1, `ip link show ${spare} || true`)) !== '',
    )
  })

  t.test('bridges deleted by hand are made again, and the node has its address again', async () => {
    await one.ovs.vsctl('del-br', 'br-phy', '--', 'del-br', bridgeOf(1))
    await until('the address is somewhere', async () => (await agents.on(1, 'ip address')).includes(one.address))
    await agents.settled(1, async () => (await agents.on(1, 'ip address show br-phy')).includes(one.address))
    await until('frames flow again', async () => (await mesh.ping(a, b)) === 1)
  })

  t.test('a pod that ends leaves its interface to the next one, with its name and its number', async () => {
    await stage.removePod(b)
    const back = async () => (await numberOf(2, bridgeEndOf(2, 1))) === '1'
    await agents.settled(
      2,
      async () =>
        (await agents.on(2, `ip link show ${bridgeEndOf(2, 1)} || true`)).includes(bridgeEndOf(2, 1)) && (await back()),
    )
    const next = await agents.pod(2, 1)
    red[1] = next
    await stage.programmed('red')
    await stage.ping(a, next)
  })

  t.test('as pods take interfaces more are made, and most of these go with the pods', async t => {
    const extras = async () =>
      (await agents.on(3, 'ip -oneline link show type veth'))
        .split('\n')
        .flatMap(line => /: ls\w*?(4\d{3})@/.exec(line)?.[1] ?? [])
        .map(Number)
    agents.change(3, plan => ({ interfaces: { ...plan.interfaces, fixed: 2, spare: 2 } }))
    await agents.settled(3, async () => (await numberOf(3, bridgeEndOf(3, 3))) === '')
    t.same(await extras(), [])
    const first = await agents.pod(3, 1)
    await agents.settled(3, async () => (await numberOf(3, bridgeEndOf(3, 4096))) === '4096')
    const second = await agents.pod(3, 4096)
    await agents.settled(3, async () => (await extras()).length === 2)
    // The one on an extra interface goes on while the plan shrinks below it.
    agents.change(3, plan => ({ interfaces: { ...plan.interfaces, fixed: 1, spare: 0 } }))
    await agents.settled(3, async () => (await numberOf(3, bridgeEndOf(3, 2))) === '' && (await extras()).length === 1)
    t.same(await extras(), [4096])
    await stage.removePod(second)
    await agents.settled(
      3,
      async () => (await extras()).length === 0 && (await numberOf(3, bridgeEndOf(3, 4096))) === '',
    )
    await stage.removePod(first)
    await agents.settled(3)
  })

  // How soon is what the figures tell: a busy machine takes its time.
  t.test(
    'a controller that comes back has its switches at once, though they would wait longer by themselves',
    async t => {
      await stage.stop()
      await new Promise(resolve => setTimeout(resolve, 12_000))
      const began = performance.now()
      await stage.launch({ reconnect: false })
      await until(
        'all switches are there',
        () => stage.controller.switches().filter(({ connected }) => connected).length === 3,
      )
      t.comment(`${Math.round(performance.now() - began)} ms`)
      await stage.live()
    },
  )

  t.test('ovs-vswitchd is killed: frames flow again when it is back', async t => {
    await one.ovs.stop({ kill: true })
    await until('the address is on the uplink', async () =>
      (await agents.on(1, 'ip address show uplink')).includes(one.address),
    )
    await one.ovs.start()
    const began = performance.now()
    await until('a ping is answered', async () => (await mesh.ping(a, red[1]!, 1)) === 1)
    t.comment(`${Math.round(performance.now() - began)} ms`)
    await agents.settled(1)
    t.strictSame(await hearing(stage, red), apart(red, red))
  })

  t.test('flows that are held back for a restore which never comes are released', async t => {
    await one.ovs.vsctl('--no-wait', 'set', 'Open_vSwitch', '.', 'other_config:flow-restore-wait=true')
    await one.ovs.stop({ kill: true })
    await one.ovs.start()
    const began = performance.now()
    const config = () => one.ovs.vsctl('--no-wait', 'get', 'Open_vSwitch', '.', 'other_config')
    t.equal(await mesh.ping(a, red[1]!), 0, 'nothing flows while it is set')
    await until('it is cleared', async () => !(await config()).includes('restore'), { ms: 15_000 })
    t.ok(performance.now() - began < 10_500)
    await until('frames flow again', async () => (await mesh.ping(a, red[1]!)) === 1)
    await agents.settled(1)
  })
}
