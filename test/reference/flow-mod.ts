// FLOW_MOD: OpenFlow 1.3.5 §6.4 and §7.3.4.1.
import { type FlowMod, flowModFlags, groups, type Message, ports, tables } from '../../openflow/index.ts'
import { checkInstructions, references } from './check.ts'
import { badAction, type Failure, flowModFailed, isFailure, meterModFailed } from './errors.ts'
import { type Compiled, compileMatch, covers, overlaps } from './match.ts'
import { type Kind, putEntry, removeEntry, type Switch, tableOf } from './switch.ts'
import { type Entry, entriesOf, findStrict, hasCookie, type Table } from './table.ts'

/** What can be said against a FLOW_MOD without looking at any table; else its match in words. */
export function checkFlowMod(kind: Kind, message: FlowMod): Failure | Compiled {
  const { command, tableId } = message
  const compiled = compileMatch(message.match, kind)
  if (isFailure(compiled)) return compiled
  const deletes = command === 'delete' || command === 'delete_strict'
  // §7.3.4.1: OFPTT_ALL is for deletes only.
  if (tableId >= kind.nTables && !(deletes && tableId === tables.all)) return flowModFailed('BAD_TABLE_ID')
  if (deletes) return compiled
  return checkInstructions(kind, tableId, compiled, message.instructions) ?? compiled
}

/** Changes the tables, or says why not. Replies are FLOW_REMOVED messages. */
export function applyFlowMod(sw: Switch, message: FlowMod): Failure | Message[] {
  const compiled = checkFlowMod(sw.kind, message)
  if (isFailure(compiled)) return compiled
  switch (message.command) {
    case 'add':
      return missing(sw, message) ?? add(sw, message, compiled)
    case 'modify':
    case 'modify_strict':
      return modify(sw, message, compiled)
    case 'delete':
    case 'delete_strict':
      return chosen(sw, message, compiled).flatMap(entry => removeFlow(sw, entry, 'delete'))
  }
}

/** Groups and meters that the instructions name must be there (§7.4.4). */
function missing(sw: Switch, { instructions }: FlowMod): Failure | undefined {
  const used = references(instructions)
  if ([...used.groups].some(id => !sw.groups.has(id))) return badAction('BAD_OUT_GROUP')
  if ([...used.meters].some(id => !sw.meters.has(id))) return meterModFailed('INVALID_METER')
  return undefined
}

function add(sw: Switch, message: FlowMod, compiled: Compiled): Failure | Message[] {
  const table = tableOf(sw, message.tableId)
  const replaced = findStrict(table, message.priority, compiled)
  if (message.flags & flowModFlags.checkOverlap && overlapped(sw.kind, table, message, compiled, replaced))
    return flowModFailed('OVERLAP')
  if (!replaced && table.size >= sw.kind.tableSize) return flowModFailed('TABLE_FULL')
  const keeps = replaced && !(message.flags & flowModFlags.resetCounts)
  const { packets, bytes } = keeps ? replaced.counters : { packets: 0n, bytes: 0n }
  const { tableId, priority, match, cookie, idleTimeout, hardTimeout, flags, instructions } = message
  const counters = { packets, bytes, created: sw.now, used: sw.now }
  const entry: Entry = {
    tableId,
    priority,
    match,
    compiled,
    cookie,
    idleTimeout,
    hardTimeout,
    flags,
    instructions,
    ...references(instructions),
    counters,
  }
  // "No flow-removed message is generated for the flow entry eliminated as part of an add request."
  putEntry(sw, entry, replaced)
  return []
}

function overlapped(
  kind: Kind,
  table: Table,
  { priority }: FlowMod,
  compiled: Compiled,
  replaced: Entry | undefined,
): boolean {
  if (replaced) return kind.overlapsItself
  for (const entry of entriesOf(table))
    if (entry.priority === priority && overlaps(entry.compiled, compiled)) return true
  return false
}

/** Cookie, timeouts, flags, counters and duration stay (§6.4). Nothing to modify is no error, whatever would be refused. */
function modify(sw: Switch, message: FlowMod, compiled: Compiled): Failure | Message[] {
  const { instructions } = message
  const entries = chosen(sw, message, compiled)
  const failure = entries.length > 0 ? missing(sw, message) : undefined
  if (failure) return failure
  for (const entry of entries) {
    const counters =
      message.flags & flowModFlags.resetCounts ? { ...entry.counters, packets: 0n, bytes: 0n } : entry.counters
    putEntry(sw, { ...entry, instructions, ...references(instructions), counters }, entry)
  }
  return []
}

/** The entries that a MODIFY or DELETE speaks of. out_port and out_group narrow deletes only (§7.3.4.1). */
function chosen(sw: Switch, message: FlowMod, compiled: Compiled): Entry[] {
  const strict = message.command.endsWith('_strict')
  const narrow = message.command.startsWith('delete') ? message : { outPort: ports.any, outGroup: groups.any }
  return select(sw, { ...message, ...narrow }, compiled, strict ? message.priority : undefined)
}

type Filter = Pick<FlowMod, 'tableId' | 'cookie' | 'cookieMask' | 'outPort' | 'outGroup'>

/** Entries of one table or of all that the match covers; with a priority, only the one that is identical. */
export function select(sw: Switch, filter: Filter, compiled: Compiled, priority?: number): Entry[] {
  const chosen: Entry[] = []
  const ids = filter.tableId === tables.all ? [...sw.tables.keys()].sort((a, b) => a - b) : [filter.tableId]
  for (const id of ids) {
    const table = sw.tables.get(id)
    if (!table) continue
    if (priority !== undefined) chosen.push(...[findStrict(table, priority, compiled)].filter(e => e !== undefined))
    else for (const entry of entriesOf(table)) if (covers(compiled, entry.compiled)) chosen.push(entry)
  }
  return chosen.filter(
    entry =>
      hasCookie(entry, filter) &&
      (filter.outPort === ports.any || entry.ports.has(filter.outPort)) &&
      (filter.outGroup === groups.any || entry.groups.has(filter.outGroup)),
  )
}

type Reason = Extract<Message, { type: 'flow_removed' }>['reason']

/** §5.5: an entry goes, and says so if it was asked to. */
function removeFlow(sw: Switch, entry: Entry, reason: Reason): Message[] {
  removeEntry(sw, entry)
  if (!(entry.flags & flowModFlags.sendFlowRem)) return []
  const { cookie, priority, tableId, idleTimeout, hardTimeout, match } = entry
  return [
    {
      type: 'flow_removed',
      xid: 0,
      cookie,
      priority,
      reason,
      tableId,
      idleTimeout,
      hardTimeout,
      match,
      ...duration(sw, entry),
      packetCount: entry.counters.packets,
      byteCount: entry.counters.bytes,
    },
  ]
}

export function duration(sw: Switch, { counters }: Entry): { durationSec: number; durationNsec: number } {
  const seconds = sw.now - counters.created
  return { durationSec: Math.floor(seconds), durationNsec: Math.floor((seconds % 1) * 1e9) }
}

/** Every flow that uses a group or a meter which is going (§6.5, §6.6). */
export function removeUsers(sw: Switch, uses: (entry: Entry) => boolean, reason: Reason): Message[] {
  const users = [...sw.tables.values()].flatMap(table => [...entriesOf(table)].filter(uses))
  return users.flatMap(entry => removeFlow(sw, entry, reason))
}

/** §5.5: what its timeouts remove at `now`. Seconds. */
export function expireFlows(sw: Switch): Message[] {
  const due = (entry: Entry): Reason | undefined => {
    const { created, used } = entry.counters
    if (entry.hardTimeout > 0 && sw.now - created >= entry.hardTimeout) return 'hard_timeout'
    if (entry.idleTimeout > 0 && sw.now - used >= entry.idleTimeout) return 'idle_timeout'
    return undefined
  }
  return [...sw.tables.values()].flatMap(table =>
    [...entriesOf(table)].flatMap(entry => {
      const reason = due(entry)
      return reason ? removeFlow(sw, entry, reason) : []
    }),
  )
}
