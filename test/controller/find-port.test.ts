import t from 'tap'
import { findPort } from '../../controller/find-port.ts'
import { newFormerMembers } from '../../controller/former-members.ts'
import { attach, detach, putNetwork } from '../../store/desired.ts'
import { openMemory } from '../../store/memory.ts'
import { putVlink } from '../../store/vlinks.ts'

const [one, two] = ['00000000000000a1', '00000000000000b2'] as const

async function stored() {
  const store = openMemory()
  const former = newFormerMembers()
  store.watch(({ writes }) => {
    for (const write of writes) former.take(write)
  })
  for (const id of ['red', 'blue']) await store.write(draft => putNetwork(draft, id))
  const web = {
    network: 'red',
    dpid: one,
    port: 1,
    mac: '02:00:00:00:00:01',
    ips: ['10.0.0.1/24', '2001:db8::1'],
    name: 'web',
  }
  await store.write(draft => attach(draft, web))
  await store.write(draft => attach(draft, { network: 'red', dpid: two, port: 5, vlan: 7, name: 'tagged' }))
  await store.write(draft => attach(draft, { network: 'blue', dpid: two, port: 5, vlan: 8, name: 'tagged' }))
  const ends = { from: { dpid: one, port: 9 }, to: { dpid: two, port: 9 }, path: [one, two], reversePath: [two, one] }
  await store.write(draft => putVlink(draft, 'wire', { ...ends, reroute: false }))
  return { store, former, web, find: (text: string) => findPort(store.state(), former, text) }
}

t.test('a port is found by where it is, its name, its MAC and its addresses', async t => {
  const { find } = await stored()
  const ways = [`${one}/1`, `of:${one.toUpperCase()}/1`, 'web', '02:00:00:00:00:01', '02-00-00-00-00-01', '10.0.0.1']
  for (const text of [...ways, '10.0.0.1/24', '2001:DB8::1', '2001:db8:0:0:0:0:0:1', '2001:db8::0.0.0.1'])
    t.match(find(text), { is: 'one', attachment: { network: 'red', port: 1 } }, text)
  t.match(find(`${two}/5/8`), { is: 'one', attachment: { network: 'blue', vlan: 8 } })
  t.match(find(`${two}/9`), { is: 'one', attachment: { network: 'wire', port: 9 } }, 'an end of a vlink')
})

t.test('what may be several is said with all of them', async t => {
  const { find } = await stored()
  for (const text of ['tagged', `${two}/5`])
    t.match(find(text), { is: 'many', attachments: [{ vlan: 7 }, { vlan: 8 }] }, text)
})

t.test('who is in no network, left which, when and by whom', async t => {
  const { store, find, former, web } = await stored()
  t.match(find('nobody'), { is: 'none', sentence: 'no attachment has the name or address nobody' })
  t.match(find(`${one}/77`), { is: 'none', sentence: `port ${one}/77 is in no network` })
  await store.write(draft => detach(draft, 'red', one, 1), 'alice')
  const { revision } = store.state()
  for (const text of ['web', `${one}/1`, '10.0.0.1'])
    t.match(find(text), { is: 'none', sentence: `: it left network red in revision ${revision}, by alice` }, text)
  await store.write(draft => attach(draft, web))
  t.match(find('web'), { is: 'one' })
  await store.write(draft => attach(draft, { ...web, network: 'blue' }, { move: true }))
  t.match(former.of(`${one}/1`), { attachment: { network: 'red' }, to: 'blue' })
})
