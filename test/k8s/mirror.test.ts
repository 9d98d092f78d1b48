// A mirror of a collection survives what an API server and the network between can do to a watch.
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, connect as dial, type Socket } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { connect } from '../../operator/kube/api.ts'
import { type Mirror, mirror } from '../../operator/kube/mirror.ts'
import { collection, type L2Network } from '../../operator/kube/objects.ts'
import { until } from '../controller/watching.ts'
import { needsCluster, networkYaml, startCluster } from './cluster.ts'

/** Between the mirror and the API server: it can swallow what comes, or be cut. */
const openWire = async (port: number) => {
  const open = new Set<Socket>()
  let isDeaf = false
  let isCut = false
  let silenced = 0
  const server = createServer(from => {
    if (isCut) return void from.destroy()
    const to = dial(port, '127.0.0.1')
    for (const socket of [from, to]) socket.on('error', () => {})
    open.add(from)
    from.on('data', bytes => to.write(bytes))
    to.on('data', bytes => (isDeaf ? void silenced++ : void from.write(bytes)))
    to.on('close', () => isDeaf || from.destroy())
    from.on('close', () => {
      open.delete(from)
      to.destroy()
    })
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const cut = () => {
    for (const socket of open) socket.destroy()
  }
  return {
    port: (server.address() as { port: number }).port,
    deafen: (deaf: boolean) => {
      isDeaf = deaf
    },
    cut: (cutOff: boolean) => {
      isCut = cutOff
      if (cutOff) cut()
    },
    open: () => open.size,
    close: () => {
      cut()
      server.close()
    },
  }
}

if (await needsCluster(t)) {
  const cluster = await startCluster(t, { nodes: [], scheduler: false, controllers: true, webhooks: false })
  const { plane } = cluster
  const wire = await openWire(Number(new URL(plane.server).port))
  t.teardown(() => wire.close())
  const kubeconfig = join(plane.directory, 'wire.kubeconfig')
  writeFileSync(
    kubeconfig,
    readFileSync(plane.kubeconfig, 'utf8').replace(plane.server, `https://127.0.0.1:${wire.port}`),
  )

  let lists = 0
  const complaints: (string | undefined)[] = []
  const api = connect(kubeconfig)
  const networks: Mirror<L2Network> = mirror<L2Network>({
    api,
    path: collection('l2networks'),
    listed: () => lists++,
    complain: why => complaints.push(why),
    watchSeconds: 3,
  })
  t.teardown(() => networks.close())
  t.teardown(() => api.close())
  const has = (name: string) => networks.get(`default/${name}`) !== undefined
  const make = (name: string) => cluster.apply(networkYaml(name))
  const remove = (name: string) => plane.kubectl(['delete', 'l2network', name])

  t.test('what is there is listed, what comes and goes is watched, and watches that end are gone on with', async t => {
    await make('one')
    await networks.synced
    await until('it is there', () => has('one'))
    await make('two')
    await until('the second, too', () => has('two'))
    await remove('two')
    await until('it goes', () => !has('two'))
    // Two watches have ended by themselves when the third second is over twice.
    await new Promise(resolve => setTimeout(resolve, 7_000))
    await make('three')
    await until('the third is there', () => has('three'))
    t.equal(lists, 1)
    t.same(
      complaints.filter(why => why !== undefined),
      [],
    )
  })

  t.test('a watch that goes silent is found out, and nothing is missed', async t => {
    wire.deafen(true)
    await make('unheard')
    await remove('three')
    const began = performance.now()
    await until('it is told that nothing comes', () => complaints.some(why => /nothing came/.test(why ?? '')), {
      ms: 20_000,
    })
    t.comment(`found out after ${Math.round(performance.now() - began)} ms, with watches of 3 s`)
    wire.deafen(false)
    wire.cut(true)
    wire.cut(false)
    await until('what happened meanwhile is known', () => has('unheard') && !has('three'), { ms: 20_000 })
    t.equal(lists, 1)
  })

  t.test('a version that the server has forgotten: all is listed anew, and what was missed is applied', async t => {
    wire.cut(true)
    await remove('one')
    await make('missed')
    const asked = await fetch(`${plane.etcd}/v3/maintenance/status`, { method: 'POST', body: '{}' })
    const status = (await asked.json()) as { readonly header: { readonly revision: string } }
    await plane.api.kill()
    const compacted = await fetch(`${plane.etcd}/v3/kv/compaction`, {
      method: 'POST',
      body: JSON.stringify({ revision: status.header.revision, physical: true }),
    })
    t.equal(compacted.status, 200)
    await plane.api.start()
    wire.cut(false)
    const began = performance.now()
    await until('it is up to date', () => has('missed') && !has('one'), { ms: 20_000 })
    t.comment(`after ${Math.round(performance.now() - began)} ms`)
    t.ok(lists > 1)
  })

  t.test('an API server that is away leaves everything as it was, and is caught up with', async t => {
    const before = [...networks.values()].length
    await plane.api.kill()
    await until('it is missed', () => complaints.at(-1) !== undefined, { ms: 20_000 })
    t.equal([...networks.values()].length, before)
    await plane.api.start()
    await make('after')
    await until('it is there', () => has('after'), { ms: 20_000 })
    t.ok(has('missed'))
  })

  t.test('when it is closed, nothing of it runs', async t => {
    await networks.close()
    api.close()
    await until('its connections are gone', () => wire.open() === 0)
    const listed = lists
    await make('later')
    await new Promise(resolve => setTimeout(resolve, 1_000))
    t.equal(lists, listed)
    t.notOk(has('later'))
  })
}
