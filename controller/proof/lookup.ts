// Which entry of a table takes a frame (OpenFlow 1.3.5 §5.3).
import { agrees, fieldSize } from '../../openflow/index.ts'
import type { HeldFlow, HeldGroup, HeldItem, HeldMeter } from './data-plane.ts'
import { fieldOf, type Packet } from './packet.ts'

/** What a switch holds, sorted but not decoded. */
export type Held = {
  /** By table, those of the highest priority first. */
  readonly flows: ReadonlyMap<number, readonly HeldFlow[]>
  readonly groups: ReadonlyMap<number, HeldGroup>
  readonly meters: ReadonlyMap<number, HeldMeter>
}

/** Yields every few thousand items. */
export function* heldSteps(items: Iterable<HeldItem>): Generator<undefined, Held> {
  const flows = new Map<number, HeldFlow[]>()
  const groups = new Map<number, HeldGroup>()
  const meters = new Map<number, HeldMeter>()
  let seen = 0
  for (const item of items) {
    if (++seen % stride === 0) yield
    if (item.kind === 'group') groups.set(item.id, item)
    else if (item.kind === 'meter') meters.set(item.id, item)
    else {
      const table = flows.get(item.tableId)
      if (table) table.push(item)
      else flows.set(item.tableId, [item])
    }
  }
  for (const table of flows.values()) {
    table.sort((a, b) => b.priority - a.priority)
    yield
  }
  return { flows, groups, meters }
}
const stride = 4096

export type Hit = {
  readonly flow: HeldFlow | undefined
  /** Others of the same priority that take the frame as well: which one does is not defined (§5.3). */
  readonly rivals: readonly HeldFlow[]
  /** Entries that would come first if a field agreed of which we know nothing. */
  readonly doubtful: readonly { readonly flow: HeldFlow; readonly field: string }[]
}

/** The entry of the highest priority whose match the frame has. Yields every few thousand entries. */
export function* lookUp(table: readonly HeldFlow[], packet: Packet): Generator<undefined, Hit> {
  const read = reader(packet)
  const doubtful: { flow: HeldFlow; field: string }[] = []
  const rivals: HeldFlow[] = []
  let hit: HeldFlow | undefined
  let seen = 0
  for (const flow of table) {
    if (++seen % stride === 0) yield
    if (hit && flow.priority < hit.priority) break
    const answer = agrees(flow.entry(), read)
    if (typeof answer === 'string') doubtful.push({ flow, field: answer })
    else if (answer && hit) rivals.push(flow)
    else if (answer) hit = flow
  }
  return { flow: hit, rivals, doubtful }
}

/** A frame's fields as bytes, each made once. */
function reader(packet: Packet): (field: string) => Buffer | undefined {
  const known = new Map<string, Buffer | undefined>()
  return name => {
    if (known.has(name)) return known.get(name)
    const value = fieldOf(packet, name)
    const size = fieldSize(name) ?? 0
    const bytes =
      value === undefined || size === 0 ? undefined : Buffer.from(value.toString(16).padStart(size * 2, '0'), 'hex')
    known.set(name, bytes)
    return bytes
  }
}
