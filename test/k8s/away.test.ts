// The controller, the API server and the leader go away and come back; nothing is deleted meanwhile, and all is as it should be after.
import t from 'tap'
import { createClient } from '../../api/contract/client.ts'
import { startController } from '../cli/command.ts'
import { until } from '../controller/watching.ts'
import { attached, needsCluster, networkYaml, podYaml, startCluster } from './cluster.ts'

if (await needsCluster(t)) {
  const cluster = await startCluster(t, { nodes: ['n1'] })
  const { plane, controller } = cluster
  const mesh = { full: true, nodes: [{ name: 'n1', address: '192.0.2.1' }] }
  await controller.putMesh({ body: mesh })
  const peer = await cluster.connect('n1')
  await cluster.report('n1', 10)
  const first = await cluster.operator('first')
  let leader = first
  const why = () => JSON.stringify(leader.log.slice(-8))
  const condition = async (name: string) =>
    (await cluster.pod(name))?.status?.conditions?.find(({ type }) => type === 'l2sm.io/networks-ready')
  const ready = (name: string) =>
    until(`${name} is ready`, async () => (await condition(name))?.status === 'True', { ms: 40_000, why })
  const flowMods = () => peer.received.filter(({ type }) => type === 'flow_mod' || type === 'experimenter').length

  await cluster.apply(networkYaml('lan', { networkCIDR: '10.1.0.0/24' }))
  await cluster.apply(podYaml('a', { networks: 'lan' }))
  await ready('a')

  t.test('lists and looks without a change send the switches nothing (ten times)', async t => {
    await until('all is told', async () => (await controller.getState()).complete, { why })
    const { revision } = await controller.getState()
    const before = flowMods()
    for (let i = 0; i < 10; i++) await plane.kubectl(['annotate', '--overwrite', 'l2network', 'lan', `look=${i}`])
    await until('it has looked', async () => {
      const network = JSON.parse(await plane.kubectl(['get', 'l2network', 'lan', '-o', 'json']))
      return network.metadata.annotations.look === '9'
    })
    t.equal((await controller.getState()).revision, revision)
    t.equal(flowMods(), before)
  })

  t.test('while the API server is away nothing is deleted; what changed meanwhile is caught up with', async t => {
    const before = flowMods()
    await plane.api.kill()
    await new Promise(resolve => setTimeout(resolve, 5_000))
    t.equal((await controller.listAttachments({ network: 'default.lan' })).attachments.length, 1)
    await plane.api.start()
    t.equal(flowMods(), before)
    await cluster.apply(networkYaml('later'))
    const began = performance.now()
    await until(
      'the controller has it',
      async () => (await controller.listNetworks()).networks.some(({ id }) => id === 'default.later'),
      { ms: 40_000, why },
    )
    t.comment(`caught up after ${Math.round(performance.now() - began)} ms`)
    t.equal((await condition('a'))?.status, 'True')
  })

  t.test('the leader is stopped: the other acts at once; killed: after its Lease is over', async t => {
    const second = await cluster.operator('second')
    const leads = (log: typeof second.log) => log.some(({ msg }) => msg === 'this replica is the leader')
    t.notOk(leads(second.log))
    await first.stop('SIGTERM')
    const began = performance.now()
    await until('the second leads', () => leads(second.log), { ms: 10_000 })
    leader = second
    t.comment(`after ${Math.round(performance.now() - began)} ms`)
    await cluster.apply(podYaml('b', { networks: 'lan' }))
    await ready('b')
    t.match(attached(await cluster.pod('b')), [{ ips: ['10.1.0.2/24'] }])
  })

  t.test('claims that somebody deletes are there again, and the pod keeps what it has', async t => {
    const before = await cluster.claims()
    const attachments = async () =>
      (await controller.listAttachments({ network: 'default.lan' })).attachments.map(({ port, mac, ips }) => ({
        port,
        mac,
        ips,
      }))
    const ports = await attachments()
    await plane.kubectl(['delete', 'claims', '--all'])
    const specs = (claims: typeof before) =>
      claims.map(({ spec }) => JSON.stringify(spec, Object.keys(spec).sort())).toSorted()
    await until('they are there again', async () => (await cluster.claims()).length === before.length, {
      ms: 20_000,
      why,
    })
    t.same(specs(await cluster.claims()), specs(before))
    await until(
      'the ports are in the network',
      async () => JSON.stringify(await attachments()) === JSON.stringify(ports),
      { ms: 20_000, why },
    )
  })

  t.test('a controller that has lost its store is told all again', async t => {
    const { http, openflow } = cluster.controllerProcess
    const entries = () => [...peer.sw.tables.values()].reduce((sum, { size }) => sum + size, 0)
    const before = entries()
    let least = before
    const watching = setInterval(() => {
      least = Math.min(least, entries())
    }, 2)
    t.teardown(() => clearInterval(watching))
    peer.hangUp()
    await cluster.controllerProcess.stop('SIGKILL')
    await startController(t, ['--openflow', openflow[0]!, '--http', http, '--store', 'memory'])
    const anew = createClient({ url: new URL(`http://${http}`) })
    t.teardown(() => anew.close())
    await peer.connect()
    await anew.putMesh({ body: mesh })
    const members = async () =>
      (await anew.listAttachments({ network: 'default.lan' }).catch(() => undefined))?.attachments ?? []
    await until('both ports are there', async () => (await members()).length === 2, { ms: 40_000, why })
    await until('it may remove what is not wanted', async () => (await anew.getState()).complete, { ms: 40_000, why })
    await until('the switch has them', async () => (await members()).every(({ state }) => state === 'programmed'), {
      ms: 20_000,
      why,
    })
    t.ok(least >= before, `of ${before} flows of pods that run, none was missing at any time (${least} at least)`)
  })
}
