// What a switch holds, in ovs-ofctl's words.
import type { FlowItem, Item } from '../../controller/compile/item.ts'
import { pipeline } from '../../controller/compile/pipeline.ts'
import { formatFlow, formatGroup, formatMeter } from '../../openflow/index.ts'
import type { Example } from './examples.ts'

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** In the order in which a frame meets them: by table, the highest priority first. */
function flowsOf(flows: readonly FlowItem[]): string[] {
  return Object.entries(pipeline).flatMap(([name, { id }]) => {
    const here = flows.filter(flow => flow.tableId === id)
    const lines = here
      .map(flow => ({ priority: flow.priority, text: formatFlow(flow) }))
      .sort((a, b) => b.priority - a.priority || byText(a.text, b.text))
    return lines.length === 0 ? [] : [`# table ${id}, ${name}`, ...lines.map(({ text }) => text)]
  })
}

function switchText(dpid: string, items: readonly Item[]): string {
  const groups = items
    .filter(item => item.kind === 'group')
    .sort((a, b) => a.id - b.id)
    .map(({ id, groupType, buckets }) =>
      formatGroup({ groupId: id, groupType, buckets }).replaceAll(',bucket=', '\n  bucket='),
    )
  const meters = items
    .filter(item => item.kind === 'meter')
    .sort((a, b) => a.id - b.id)
    .map(({ id, flags, bands }) => formatMeter({ meterId: id, flags, bands }))
  return [
    `switch ${dpid}`,
    ...flowsOf(items.filter(item => item.kind === 'flow')),
    ...(groups.length > 0 ? ['# groups', ...groups] : []),
    ...(meters.length > 0 ? ['# meters', ...meters] : []),
  ].join('\n')
}

/** The text of an example's file. */
export const goldenText = ({ shows, switches }: Example): string =>
  `# ${shows}\n# Written by \`npm run golden\`. Port 100 + n leads to switch n; the network has number 7.\n\n${[
    ...switches,
  ]
    .map(([dpid, items]) => switchText(dpid, items))
    .join('\n\n')}\n`
