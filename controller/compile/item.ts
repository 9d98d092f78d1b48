// What a switch holds, as items: flows, groups and meters alike have a key (what makes it that item), a body (what it
// does) and an owner (the network that it belongs to; 0 is the datapath itself). A switch's content is a map from key to item.
import type { Action, Bucket, Instruction, Match, MeterBand } from '../../openflow/index.ts'
import { flowModFlags } from '../../openflow/index.ts'
import { type EntryName, type MatchField, type NextTable, pipeline, type TableName } from './pipeline.ts'

type Common = {
  readonly key: string
  /** Two items with the same key and body are the same: nothing is sent. */
  readonly body: string
  readonly owner: number
}
export type FlowItem = Common & {
  readonly kind: 'flow'
  readonly tableId: number
  readonly priority: number
  readonly match: Match
  readonly instructions: readonly Instruction[]
  readonly cookie: bigint
  /** Seconds; 0 is never. */
  readonly idleTimeout: number
  readonly hardTimeout: number
  readonly flags: number
  /** The part of the body that MODIFY can't change (OpenFlow 1.3.5 §6.4): cookie, time-outs, flags. */
  readonly head: string
}
export type GroupItem = Common & {
  readonly kind: 'group'
  readonly id: number
  readonly groupType: 'all' | 'select' | 'indirect' | 'ff'
  readonly buckets: readonly Bucket[]
}
export type MeterItem = Common & {
  readonly kind: 'meter'
  readonly id: number
  readonly flags: number
  readonly bands: readonly MeterBand[]
}
export type Item = FlowItem | GroupItem | MeterItem
export type Content = ReadonlyMap<string, Item>

type FlowFields = {
  readonly tableId: number
  readonly priority: number
  readonly match: Match
  readonly instructions: readonly Instruction[]
  readonly cookie: bigint
  readonly idleTimeout?: number
  readonly hardTimeout?: number
  readonly flags?: number
}

/** A flow as an item, whether compiled or read from a switch: both spell one flow alike. */
export function flowItem(owner: number, fields: FlowFields): FlowItem {
  const { tableId, priority, match, instructions, cookie, idleTimeout = 0, hardTimeout = 0 } = fields
  const flags = (fields.flags ?? 0) & flowModFlags.sendFlowRem
  const head = `${cookie} ${idleTimeout} ${hardTimeout} ${flags} `
  return {
    kind: 'flow',
    key: `f${tableId} ${priority}${spellMatch(match)}`,
    body: head + spellInstructions(instructions),
    head,
    owner,
    tableId,
    priority,
    match,
    instructions,
    cookie,
    idleTimeout,
    hardTimeout,
    flags,
  }
}

export const groupKey = (id: number): string => `g${id}`
export const groupItem = (
  owner: number,
  id: number,
  groupType: GroupItem['groupType'],
  buckets: readonly Bucket[],
): GroupItem => ({
  kind: 'group',
  key: groupKey(id),
  body: `${groupType} ${buckets.map(b => spellActions(b.actions)).join('|')}`,
  owner,
  id,
  groupType,
  buckets,
})

export const meterItem = (owner: number, id: number, flags: number, bands: readonly MeterBand[]): MeterItem => ({
  kind: 'meter',
  key: `m${id}`,
  body: `${flags} ${bands.map(spell).join('|')}`,
  owner,
  id,
  flags,
  bands,
})

type Entry<T extends TableName> = {
  readonly match: { readonly [F in MatchField<T>]?: Match[F] }
  /** What the meter drops goes nowhere; the rest goes on (OpenFlow 1.3.5 §5.7.1). */
  readonly meter?: number
  readonly apply?: readonly Action[]
  readonly metadata?: bigint
  readonly goto?: NextTable<T>
  readonly cookie: bigint
  readonly idleTimeout?: number
  readonly hardTimeout?: number
  readonly flags?: number
}

/** An entry of our pipeline. What its table does not declare (a field, a next table, a kind) does not type-check. */
export function entry<T extends TableName>(owner: number, table: T, kind: EntryName<T>, it: Entry<T>): FlowItem {
  const declared = pipeline[table] as { id: number; entries: Record<string, readonly [number, string]> }
  const { match, cookie, idleTimeout = 0, hardTimeout = 0, flags = 0 } = it
  const instructions: Instruction[] = []
  if (it.meter !== undefined) instructions.push({ type: 'meter', meterId: it.meter })
  if (it.apply?.length) instructions.push({ type: 'apply_actions', actions: it.apply as Action[] })
  if (it.metadata !== undefined)
    instructions.push({ type: 'write_metadata', metadata: it.metadata, metadataMask: 0xffff_ffff_ffff_ffffn })
  if (it.goto !== undefined) instructions.push(goto[it.goto as TableName])
  const priority = declared.entries[kind]![0]
  return flowItem(owner, {
    tableId: declared.id,
    priority,
    match: match as Match,
    instructions,
    cookie,
    idleTimeout,
    hardTimeout,
    flags,
  })
}
const goto = Object.fromEntries(
  Object.values(pipeline).map(({ id, name }) => [name, { type: 'goto_table', tableId: id }]),
) as { readonly [T in TableName]: Instruction }

// The fields of our own tables, in the order of their names; so none of ours needs sorting (compile spends most of its time here).
const common = ['eth_dst', 'eth_src', 'eth_type', 'in_port', 'metadata', 'tunnel_id', 'vlan_vid'] as const
const isCommon = new Set<string>(common)

/** Fields in the order of their names, each after a blank. */
function spellMatch(match: Match): string {
  let text = ''
  for (const name of common) {
    const value = match[name]
    if (value !== undefined) text += ` ${name}=${typeof value === 'object' ? spell(value) : value}`
  }
  let others: string[] | undefined
  for (const name in match) if (!isCommon.has(name)) (others ??= []).push(name)
  for (const name of others?.sort() ?? []) text += ` ${name}=${spell(match[name as keyof Match])}`
  return text
}

// A switch may answer with its instructions in another order: their effect has one order only (§5.9).
const instructionOrder = ['meter', 'apply_actions', 'clear_actions', 'write_actions', 'write_metadata', 'goto_table']
const rank = (i: Instruction) => instructionOrder.indexOf(i.type)
function spellInstructions(instructions: readonly Instruction[]): string {
  const inOrder = instructions.every((it, i) => i === 0 || rank(instructions[i - 1]!) <= rank(it))
  let text = ''
  for (const i of inOrder ? instructions : instructions.toSorted((a, b) => rank(a) - rank(b)))
    text += `${spellInstruction(i)};`
  return text
}
function spellInstruction(i: Instruction): string {
  switch (i.type) {
    case 'apply_actions':
    case 'write_actions':
      return `${i.type}(${spellActions(i.actions)})`
    case 'goto_table':
      return `goto ${i.tableId}`
    case 'write_metadata':
      return `metadata ${i.metadata}/${i.metadataMask}`
    default:
      return spell(i)
  }
}
export function spellActions(actions: readonly Action[]): string {
  let text = ''
  for (const a of actions) {
    // max_len means something only towards the controller (§7.2.5): switches answer with what they like elsewhere.
    if (a.type === 'output') text += a.port === 0xffff_fffd ? `controller:${a.maxLen},` : `output:${a.port},`
    else if (a.type === 'set_field') text += `set ${a.field}=${a.value},`
    else if (a.type === 'group') text += `group:${a.groupId},`
    else text += `${spell(a)},`
  }
  return text
}
/** Any plain value, keys sorted, as text. */
function spell(value: unknown): string {
  if (typeof value !== 'object' || value === null) return `${value}`
  if (Buffer.isBuffer(value)) return value.toString('hex')
  if (Array.isArray(value)) return `[${value.map(spell).join()}]`
  return `{${Object.entries(value)
    .filter(([, v]) => v !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([k, v]) => `${k}:${spell(v)}`)
    .join()}}`
}
