// Moving a port by one call: what is kept, what is refused, and what is said.
import t from 'tap'
import { startApi } from '../harness.ts'

const dpid = '0000000000000001'
const at = (network: string, port: number) => `/v1/networks/${network}/attachments/${dpid}/${port}`
const mac = '02:42:ac:11:00:02'

t.test('a port moves with its addresses, guard and limits, and repeating it is no error', async t => {
  const { call } = await startApi(t)
  for (const network of ['red', 'jail']) await call('PUT', `/v1/networks/${network}`, {})
  const body = {
    ...{ mac, ips: ['10.0.0.1/24'], name: 'pod', guard: 'mac' },
    ...{ broadcastLimit: 500, rateLimit: { send: { kbps: 1000 } } },
  }
  await call('PUT', at('red', 1), body)
  for (let time = 0; time < 2; time++) {
    const moved = await call('POST', `${at('red', 1)}/move`, { to: 'jail' })
    t.equal(moved.status, 200)
    t.match(moved.body, { ...body, network: 'jail', port: 1 })
    t.notOk('addressesTaken' in moved.body)
  }
  t.equal((await call('GET', at('red', 1))).status, 404)
  t.match((await call('GET', at('jail', 1))).body, body)
})

t.test('quarantine is a move, and copies of what happens there go to a port', async t => {
  const { call, store } = await startApi(t)
  for (const network of ['red', 'jail']) await call('PUT', `/v1/networks/${network}`, {})
  await call('PUT', at('red', 1), { mac })
  const mirror = { dpid, port: 9 }
  t.equal((await call('POST', `${at('red', 1)}/move`, { to: 'jail', mirror })).status, 200)
  t.match((await call('GET', '/v1/networks/jail')).body, { mirror, attachments: 1 })
  t.equal(store.state().attachments.get(`${dpid}/1`)?.network, 'jail')
})

t.test(
  'an address that another port has there is said; a MAC that one has there is refused, and nothing moves',
  async t => {
    const { call, store } = await startApi(t)
    for (const network of ['red', 'jail']) await call('PUT', `/v1/networks/${network}`, {})
    await call('PUT', at('red', 1), { mac, ips: ['10.0.0.1/24', 'fd00::1'] })
    await call('PUT', at('red', 2), { mac: '02:42:ac:11:00:09' })
    await call('PUT', at('jail', 3), { mac: '02:42:ac:11:00:09', ips: ['10.0.0.1/8', 'FD00:0::0.0.0.1/64'] })
    const moved = await call('POST', `${at('red', 1)}/move`, { to: 'jail' })
    t.same(
      moved.body.addressesTaken,
      [
        { ip: '10.0.0.1/24', holder: { dpid, port: 3 } },
        { ip: 'fd00::1', holder: { dpid, port: 3 } },
      ],
      'however it is written',
    )
    const refused = await call('POST', `${at('red', 2)}/move`, { to: 'jail', mirror: { dpid, port: 9 } })
    t.equal(refused.status, 409)
    t.equal(store.state().attachments.get(`${dpid}/2`)?.network, 'red')
    t.equal(store.state().networks.get('jail')?.mirror, undefined, 'nor is there a mirror')
  },
)

t.test('what is in neither network, and a network that is none, are refused', async t => {
  const { call } = await startApi(t)
  for (const network of ['red', 'jail', 'blue']) await call('PUT', `/v1/networks/${network}`, {})
  await call('PUT', at('blue', 1), { mac })
  t.match(await call('POST', `${at('red', 1)}/move`, { to: 'jail' }), {
    status: 404,
    body: { detail: /it is in network blue/ },
  })
  t.match(await call('POST', `${at('blue', 1)}/move`, { to: 'nowhere' }), { status: 404 })
  t.match(await call('POST', `${at('blue', 1)}/move`, {}), { status: 400 })
})
