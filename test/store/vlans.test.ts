// Who may share a port: tags of several networks, one of them untagged, or a trunk alone.
import t from 'tap'
import { attachmentKey } from '../../store/attachments.ts'
import { type AttachmentSpec, attach, detach, putNetwork } from '../../store/desired.ts'
import { openMemory } from '../../store/memory.ts'
import type { RefusalCode } from '../../store/refusals.ts'

const dpid = '00000000000000a1'

const world = async (...networks: string[]) => {
  const store = openMemory()
  await store.write(draft => networks.map(id => putNetwork(draft, id)))
  const put = (network: string, port: number, given: Partial<AttachmentSpec> = {}) =>
    store.write(draft => attach(draft, { network, dpid, port, ...given }))
  return { store, put }
}
type World = Awaited<ReturnType<typeof world>>
const refused = (answer: Awaited<ReturnType<World['put']>>): RefusalCode | undefined =>
  'refused' in answer ? answer.refused : undefined

t.test('a port has a tag for each of several networks, and none for one more', async t => {
  const { store, put } = await world('red', 'blue', 'green')
  t.match(await put('red', 1, { vlan: 5 }), { created: true, attachment: { vlan: 5 } })
  t.match(await put('blue', 1, { vlan: 6 }), { created: true })
  t.match(await put('green', 1), { created: true })
  t.match(await put('red', 1, { vlan: 5, name: 'again' }), { created: false, attachment: { name: 'again' } })
  t.strictSame([...store.state().attachments.keys()], [`${dpid}/1/5`, `${dpid}/1/6`, `${dpid}/1`])
  t.strictSame([...store.state().taggedAt.get(`${dpid}/1`)!.keys()], [5, 6])
  t.ok(store.state().accessPorts.has(`${dpid}/1`))
  t.strictSame(await store.write(draft => detach(draft, 'red', dpid, 1, 5)), { detached: true })
  t.strictSame(await store.write(draft => detach(draft, 'red', dpid, 1, 5)), { detached: false })
  t.strictSame(await store.write(draft => detach(draft, 'blue', dpid, 1)), { detached: false }, 'it is in it by a tag')
  t.strictSame([...store.state().taggedAt.get(`${dpid}/1`)!.keys()], [6])
})

t.test('a tag is in one network, and a network once at a port', async t => {
  const { put } = await world('red', 'blue')
  await put('red', 1, { vlan: 5 })
  t.equal(refused(await put('blue', 1, { vlan: 5 })), 'port-attached-elsewhere')
  t.equal(refused(await put('red', 1, { vlan: 6 })), 'port-twice')
  t.equal(refused(await put('red', 1)), 'port-twice')
  t.equal(refused(await put('red', 2, { vlan: 5 })), undefined, 'another port has tags of its own')
})

t.test('a trunk shares its port with nothing, and a tag is 1 to 4094', async t => {
  const { put } = await world('red', 'blue')
  await put('red', 1, { trunk: true })
  t.equal(refused(await put('blue', 1, { vlan: 5 })), 'trunk-alone')
  await put('red', 2, { vlan: 5 })
  t.equal(refused(await put('blue', 2, { trunk: true })), 'trunk-alone')
  for (const vlan of [0, 4095, 1.5, -1, Number.NaN]) t.equal(refused(await put('red', 3, { vlan })), 'bad-vlan')
  t.equal(refused(await put('red', 3, { vlan: 5, trunk: true })), 'vlan-and-trunk')
  t.match(await put('red', 1), { created: false, attachment: { trunk: undefined } }, 'it may become an access port')
})

t.test('tags of a trunk do not come out where they are those of another network', async t => {
  const { store, put } = await world('red', 'blue')
  await put('red', 1, { trunk: true })
  await put('blue', 2, { vlan: 5 })
  t.equal(refused(await put('red', 2)), 'trunk-beside-tags')
  await put('red', 3)
  t.equal(refused(await put('blue', 3, { vlan: 5 })), 'trunk-beside-tags')
  t.equal(refused(await put('red', 2, { vlan: 6 })), undefined, 'with a tag of its own they are behind that')
  await store.write(draft => draft.deleteAttachment(`${dpid}/1`))
  t.equal(refused(await put('blue', 3, { vlan: 5 })), undefined)
  t.equal(refused(await put('red', 4, { trunk: true })), 'trunk-beside-tags')
})

t.test('a mirror shares its port with no tag', async t => {
  const { store, put } = await world('red', 'blue')
  await put('red', 1, { vlan: 5 })
  const mirror = (port: number) => store.write(draft => putNetwork(draft, 'red', { mirror: { dpid, port } }))
  t.match(await mirror(1), { refused: 'mirror-tagged' })
  t.match(await mirror(2), { created: false })
  t.equal(refused(await put('red', 2, { vlan: 5 })), 'mirror-tagged')
})

t.test('a key says port and tag', async t => {
  t.equal(attachmentKey({ dpid, port: 7 }), `${dpid}/7`)
  t.equal(attachmentKey({ dpid, port: 7, vlan: 9 }), `${dpid}/7/9`)
})
