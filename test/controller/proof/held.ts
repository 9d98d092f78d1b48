// What a reference switch holds, as items: what trace and proof read.
import { flowItem, groupItem, type Item, meterItem } from '../../../controller/compile/item.ts'
import { entriesOf, type Switch } from '../../reference/index.ts'

export function* itemsOf(sw: Switch): Iterable<Item> {
  for (const table of sw.tables.values()) for (const entry of entriesOf(table)) yield flowItem(1, entry)
  for (const { groupId, groupType, buckets } of sw.groups.values())
    yield groupItem(1, groupId, groupType as 'all', buckets)
  for (const { meterId, flags, bands } of sw.meters.values()) yield meterItem(1, meterId, flags, bands)
}
