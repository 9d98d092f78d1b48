// Ports may be named in paths: as switches call them, whatever characters that takes, and only when one port is meant.
import t from 'tap'
import { dpid, startApi, stillController, switchView } from '../harness.ts'

const calls = (...names: readonly string[]) => {
  const ports = names.map((name, i) => ({ number: i + 1, name, mac: '02:00:00:00:00:01', up: true }))
  return stillController({ switches: () => [switchView({ ports })] })
}

t.test('a name of 16 bytes, or with a slash, is one of a port', async t => {
  const names = ['GigabitEthernet1', 'Ethernet1/0/1', '1/2', 'ge-0/0/1.100', 'eth 1']
  const { controller } = calls(...names)
  const { call, store } = await startApi(t, { controller })
  await call('PUT', '/v1/networks/red')
  for (const [i, name] of names.entries()) {
    const path = `/v1/networks/red/attachments/${dpid}/${encodeURIComponent(name)}`
    const put = await call('PUT', path, {})
    t.match([put.status, put.body], [201, { port: i + 1, portName: name }], name)
    t.equal((await call('GET', path)).status, 200, name)
  }
  t.equal(store.state().members.get('red')?.size, names.length)
  for (const name of names)
    t.match((await call('DELETE', `/v1/networks/red/attachments/${dpid}/${encodeURIComponent(name)}`)).body, {
      deleted: true,
    })
})

t.test('a name that two ports have is a conflict that names both, and attaches neither', async t => {
  const { controller } = calls('uplinkGigabitEt', 'other', 'uplinkGigabitEt')
  const { call, store } = await startApi(t, { controller })
  await call('PUT', '/v1/networks/red')
  const { status, body } = await call('PUT', `/v1/networks/red/attachments/${dpid}/uplinkGigabitEt`, {})
  t.equal(status, 409)
  t.match(body.detail, /port 1.*port 3/)
  t.equal(store.state().attachments.size, 0)
})
