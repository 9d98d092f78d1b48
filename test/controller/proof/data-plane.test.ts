import t from 'tap'
import { flowItem } from '../../../controller/compile/item.ts'
import { entryOf, tablesOf } from '../../../controller/proof/data-plane.ts'
import { foreignOwner } from '../../../controller/switch/content.ts'
import { formatFlow, parseFlow } from '../../../openflow/index.ts'
import { examples } from '../../golden/examples.ts'

/** How many fields stand in an entry's bytes (OpenFlow 1.3.5 §7.2.3). */
const matchFields = (entry: Buffer): number => {
  let count = 0
  const end = 48 + entry.readUInt16BE(50)
  for (let at = 52; at < end; at += 4 + entry[at + 3]!) count++
  return count
}

t.test('every entry that is compiled is decoded, and is still the same in the words of ovs-ofctl', async t => {
  for (const [name, { switches }] of Object.entries(examples))
    for (const [dpid, items] of switches) {
      const { entries, groups } = tablesOf(items)
      const flows = items.flatMap(item => (item.kind === 'flow' ? [formatFlow(item)] : []))
      const decoded = [...entries.values()].flat()
      t.same(decoded.map(e => formatFlow(e.item)).sort(), flows.sort(), `${name}, switch ${dpid}`)
      for (const { match, item } of decoded) {
        const fields = matchFields(item.entry())
        t.equal(match.length, fields, formatFlow(item))
      }
      t.same([...groups.keys()].sort(), items.flatMap(i => (i.kind === 'group' ? [i.id] : [])).sort())
    }
})
t.test('the entries of a table come by priority, the highest first', async t => {
  const items = [10, 1100, 90].map(priority =>
    flowItem(7, { tableId: 0, priority, match: { in_port: priority }, instructions: [], cookie: 0n }),
  )
  t.same(
    tablesOf(items)
      .entries.get(0)
      ?.map(e => e.priority),
    [1100, 90, 10],
  )
})

t.test("another controller's entry is nobody's network", async t => {
  const {
    cookie,
    match,
    instructions,
    tableId = 0,
    priority = 1,
  } = parseFlow('priority=7,ip,actions=output:3') as never
  const entry = entryOf(flowItem(foreignOwner, { tableId, priority, match, instructions, cookie: cookie ?? 0n }))
  t.equal(entry.owner, -1)
  t.equal(entry.fades, false)
})
