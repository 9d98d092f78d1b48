// What a switch holds, in ovs-ofctl's words.
import { formatFlow, formatGroup } from '../../openflow/index.ts'
import type { FlowItem, Item } from '../compile/item.ts'

export const itemText = (item: Item): string => {
  if (item.kind === 'flow') return flowText(item)
  if (item.kind === 'group') return formatGroup({ groupId: item.id, groupType: item.groupType, buckets: item.buckets })
  return `meter=${item.id}`
}

/** A flow may have parts that we cannot read: then its table and priority still say which one it is. */
function flowText(flow: FlowItem): string {
  try {
    return formatFlow(flow)
  } catch {
    return `table=${flow.tableId},priority=${flow.priority} (with parts that cannot be read)`
  }
}
