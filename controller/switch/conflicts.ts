// What another store's flows on a switch are about: what must not meet them may be added beside them
// (docs/decisions/0003-an-unadopted-switch.md).

import type { Item } from '../compile/item.ts'
import { pipeline } from '../compile/pipeline.ts'
import type { Holdings } from './content.ts'

/** The networks and the ports that another store's flows are about. */
export function conflictsWith(held: Holdings): { numbers: ReadonlySet<number>; ports: ReadonlySet<number> } {
  const ports = new Set<number>()
  for (const item of held.items.values()) for (const port of portsOf(item)) ports.add(port)
  return { numbers: new Set(held.owners()), ports }
}
/** Would this network meet what another store's flows do: the same number, or a port of its own that they use? */
export const meets = (
  part: readonly Item[],
  number: number,
  { numbers, ports }: ReturnType<typeof conflictsWith>,
): boolean => numbers.has(number) || part.some(item => accessPorts(item).some(port => ports.has(port)))

/** The port of an entry that lets in what comes by no link: of a member, or an end of a vlink. */
function accessPorts(item: Item): readonly number[] {
  if (item.kind !== 'flow' || item.tableId !== pipeline.admit.id || item.match.tunnel_id !== undefined) return []
  return typeof item.match.in_port === 'number' ? [item.match.in_port] : []
}
function portsOf(item: Item): readonly number[] {
  if (item.kind === 'meter') return []
  const actions =
    item.kind === 'group'
      ? item.buckets.flatMap(b => b.actions)
      : item.instructions.flatMap(i => (i.type === 'apply_actions' ? i.actions : []))
  return [...accessPorts(item), ...actions.flatMap(a => (a.type === 'output' ? [a.port] : []))]
}
