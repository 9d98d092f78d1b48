// VLANs of networks on plain links: two each, nobody's twice, and not free before all switches have forgotten them.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { deleteNetwork, putNetwork } from '../../store/desired.ts'
import { openDraft } from '../../store/draft.ts'
import { openSqlite } from '../../store/sqlite/sqlite.ts'
import { emptyTables } from '../../store/tables.ts'
import { dpid } from './backends.ts'

const range = { first: 10, last: 13 }
const draftWith = (...networks: string[]) => {
  const { draft } = openDraft(emptyTables({ firstNumber: 1 }))
  for (const id of networks) putNetwork(draft, id)
  return { draft, number: (id: string) => draft.networks.get(id)!.number }
}

t.test('a network has two, the lowest that are free, and keeps them when it reaches more switches', async t => {
  const { draft, number } = draftWith('red', 'blue', 'green')
  t.equal(draft.reserveVlans(number('red'), [dpid(2), dpid(1)], range), true)
  t.equal(draft.reserveVlans(number('blue'), [dpid(1)], range), true)
  t.equal(draft.reserveVlans(number('green'), [dpid(1)], range), false, 'none are left')
  t.equal(draft.reserveVlans(number('red'), [dpid(3)], range), true, 'who has two needs no more')
  t.strictSame(
    [...draft.vlans.values()].map(({ vids, dpids }) => [vids, dpids]),
    [
      [
        [10, 11],
        [dpid(1), dpid(2), dpid(3)],
      ],
      [[12, 13], [dpid(1)]],
    ],
  )
})

t.test('they are free again when the last switch has forgotten them, and not while the network is there', async t => {
  const { draft, number } = draftWith('red', 'blue')
  const red = number('red')
  draft.reserveVlans(red, [dpid(1), dpid(2)], { first: 10, last: 11 })
  draft.releaseVlans(red, dpid(1))
  t.strictSame(draft.vlans.get(red)?.dpids, [dpid(1), dpid(2)])
  deleteNetwork(draft, 'red')
  t.equal(draft.reserveVlans(number('blue'), [dpid(1)], { first: 10, last: 11 }), false)
  draft.releaseVlans(red, dpid(1))
  draft.releaseVlans(red, dpid(3))
  t.equal(draft.reserveVlans(number('blue'), [dpid(1)], { first: 10, last: 11 }), false)
  draft.releaseVlans(red, dpid(2))
  t.equal(draft.reserveVlans(number('blue'), [dpid(1)], { first: 10, last: 11 }), true)
  t.equal(draft.vlans.has(red), false)
})

t.test('they survive a restart, also those of a network that is gone', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'l2sm-vlans-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'l2sm.db')
  const store = await openSqlite(path)
  await store.write(draft => putNetwork(draft, 'red'))
  const { number } = store.state().networks.get('red')!
  await store.write(draft => draft.reserveVlans(number, [dpid(1)], range))
  await store.write(draft => deleteNetwork(draft, 'red'))
  await store.close()
  const again = await openSqlite(path)
  t.strictSame([...again.state().vlans], [[number, { number, vids: [10, 11], dpids: [dpid(1)] }]])
  await again.close()
})

t.test('after any history no VLAN is two networks’', async () => {
  const step = fc.record({
    network: fc.nat(4),
    does: fc.constantFrom('put', 'reserve', 'delete', 'release' as const),
    at: fc.integer({ min: 1, max: 3 }),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), steps => {
      const { draft } = draftWith()
      const gone: number[] = []
      for (const { network, does, at } of steps) {
        const id = `n${network}`
        const number = draft.networks.get(id)?.number
        if (does === 'put') putNetwork(draft, id)
        else if (does === 'reserve' && number) draft.reserveVlans(number, [dpid(at)], range)
        else if (does === 'delete') {
          if (number) gone.push(number)
          deleteNetwork(draft, id)
        } else if (does === 'release') for (const each of gone) draft.releaseVlans(each, dpid(at))
        const used = [...draft.vlans.values()].flatMap(({ vids }) => vids)
        if (new Set(used).size < used.length) throw new Error(`twice among ${used}`)
        if (used.some(vid => vid < range.first || vid > range.last)) throw new Error(`${used} are not all of the range`)
      }
    }),
  )
})
