// What a switch holds, as items: flows, groups and meters alike have a key (what makes it that item), a form (what it does, in bytes)
// and an owner (the network that it belongs to; 0 is the switch itself). A switch's content is a map from key to item.
//
// A large network is millions of items, so an item is little more than its bytes. They are kept as text of one byte a character:
// that is the smallest that the runtime has, two are compared at memory speed, and a key can be a part of it without a copy.
import type { Action, Bucket, Instruction, Match, MeterBand } from '../../openflow/index.ts'
import {
  decode,
  decodeEntry,
  encode,
  encodeEntry,
  flowModFlags,
  groupMod,
  groups,
  ports,
} from '../../openflow/index.ts'
import { isOfKind } from './cookie.ts'
import { type EntryName, type MatchField, metadataBits, type NextTable, pipeline, type TableName } from './pipeline.ts'

type Common = {
  readonly key: string
  /** Two items with the same key and form are the same: nothing is sent. */
  readonly form: string
  readonly owner: number
}
/** What is not its owner or form is read from the form, each time that it is asked for. */
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
  /** The part of the form that MODIFY can't change (OpenFlow 1.3.5 §6.4): cookie, time-outs, flags. */
  readonly head: string
  /** As canonical bytes of a flow entry (openflow/messages/flow-entry.ts): valid until the next item is asked for its own. */
  entry(): Buffer
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

/** A flow as an item, whether compiled or read from a switch: both have one form. Throws a WireError at a value that fits no field. */
export function flowItem(owner: number, fields: FlowFields): FlowItem {
  const { tableId, priority, match, instructions, cookie, idleTimeout = 0, hardTimeout = 0, flags = 0 } = fields
  const entry = encodeEntry({ tableId, priority, match, instructions, cookie, idleTimeout, hardTimeout, flags })
  return flowOf(owner, packed(entry, 0, entry.length))
}

/** A flow of this form (see `packed`). */
export const flowOf = (owner: number, form: string, key = keyOfForm(form)): FlowItem => new Flow(key, form, owner)

/**
 * An entry's canonical bytes as a form: table, priority, match; then time-outs, SEND_FLOW_REM, cookie, instructions. Durations and
 * counters are left out. `at`, `length`: where the entry stands in `bytes`, in bytes.
 */
export function packed(bytes: Buffer, at: number, length: number): string {
  const matchEnd = 48 + ((bytes.readUInt16BE(at + 50) + 7) & ~7)
  if (scratch.length < length) scratch = Buffer.allocUnsafeSlow(length * 2)
  scratch[0] = bytes[at + 2]!
  scratch[1] = bytes[at + 12]!
  scratch[2] = bytes[at + 13]!
  bytes.copy(scratch, 3, at + 48, at + matchEnd)
  const head = 3 + matchEnd - 48
  bytes.copy(scratch, head, at + 14, at + 18)
  scratch[head + 4] = bytes[at + 19]! & flowModFlags.sendFlowRem
  bytes.copy(scratch, head + 5, at + 24, at + 32)
  bytes.copy(scratch, head + headLength, at + matchEnd, at + length)
  return scratch.toString('latin1', 0, head + headLength + length - matchEnd)
}
let scratch: Buffer = Buffer.allocUnsafeSlow(1024)
/** Idle and hard time-out, flags, cookie. */
const headLength = 13

/** Where the key ends and the head begins. */
const keyLength = (form: string): number => 3 + ((((form.charCodeAt(5) << 8) | form.charCodeAt(6)) + 7) & ~7)

/** The key of a form. */
export const keyOfForm = (form: string): string => form.slice(0, keyLength(form))

/** Whose a form is: the high and the low half of its cookie. */
export function cookieOfForm(form: string): { readonly high: number; readonly low: number } {
  const at = keyLength(form) + 5
  const word = (i: number) =>
    ((form.charCodeAt(i) << 24) |
      (form.charCodeAt(i + 1) << 16) |
      (form.charCodeAt(i + 2) << 8) |
      form.charCodeAt(i + 3)) >>>
    0
  return { high: word(at), low: word(at + 4) }
}

/** Whether an item came from an address that was learned. */
export const isLearned = (item: Item): boolean =>
  item.kind === 'flow' && isOfKind('learned', cookieOfForm(item.form).high)

/** The form of a flow back as the canonical bytes of an entry. */
function unpacked(form: string): Buffer {
  const head = keyLength(form)
  const length = 48 + form.length - 3 - headLength
  if (entryScratch.length < length) entryScratch = Buffer.allocUnsafeSlow(length * 2)
  entryScratch.fill(0, 0, 48)
  entryScratch.writeUInt16BE(length, 0)
  entryScratch[2] = form.charCodeAt(0)
  entryScratch[12] = form.charCodeAt(1)
  entryScratch[13] = form.charCodeAt(2)
  entryScratch.write(form.slice(3, head), 48, 'latin1')
  entryScratch.write(form.slice(head, head + 4), 14, 'latin1')
  entryScratch[19] = form.charCodeAt(head + 4)
  entryScratch.write(form.slice(head + 5, head + headLength), 24, 'latin1')
  entryScratch.write(form.slice(head + headLength), 48 + head - 3, 'latin1')
  return entryScratch.subarray(0, length)
}
let entryScratch: Buffer = Buffer.allocUnsafeSlow(1024)

const fieldsOf = (form: string) => decodeEntry(Buffer.from(unpacked(form)))

/** What all flows have: read from their form. */
const flowShape: Omit<FlowItem, keyof Common> & ThisType<FlowItem> = {
  kind: 'flow',
  get tableId() {
    return this.form.charCodeAt(0)
  },
  get priority() {
    return (this.form.charCodeAt(1) << 8) | this.form.charCodeAt(2)
  },
  get match() {
    return fieldsOf(this.form).match
  },
  get instructions() {
    return fieldsOf(this.form).instructions
  },
  get cookie() {
    const { high, low } = cookieOfForm(this.form)
    return (BigInt(high) << 32n) | BigInt(low)
  },
  get idleTimeout() {
    return unpacked(this.form).readUInt16BE(14)
  },
  get hardTimeout() {
    return unpacked(this.form).readUInt16BE(16)
  },
  get flags() {
    return this.form.charCodeAt(keyLength(this.form) + 4)
  },
  get head() {
    const from = keyLength(this.form)
    return this.form.slice(from, from + headLength)
  },
  entry() {
    return unpacked(this.form)
  },
}

// A constructor, as an object literal with a prototype takes eight times as long to make. The key is kept, for a map that finds an
// item by it works out the hash of each text only once; its letters are the form's.
function newFlow(this: { -readonly [K in keyof Common]: Common[K] }, key: string, form: string, owner: number): void {
  this.key = key
  this.form = form
  this.owner = owner
}
newFlow.prototype = flowShape
const Flow = newFlow as unknown as new (key: string, form: string, owner: number) => FlowItem

export const groupKey = (id: number): string => `g${id}`
/** A group as an item. Weights and watched ports are none of its form: groups of type all have no use for them. */
export function groupItem(
  owner: number,
  id: number,
  groupType: GroupItem['groupType'],
  buckets: readonly Bucket[],
): GroupItem {
  const plain = buckets.map(({ actions }) => ({ ...noWatch, actions: actions.map(canonicalOutput) }))
  let form = ''
  for (let at = 0; at === 0 || at < plain.length; at += bucketsPerMessage) {
    const some = plain.slice(at, at + bucketsPerMessage)
    form += encode({ ...groupMod({ command: 'add', groupType, groupId: id, buckets: some }), xid: 0 }).toString(
      'latin1',
    )
  }
  return Object.assign(Object.create(groupShape), { owner, id, form })
}
/** A form is GROUP_MODs one behind the other: what has too many buckets for one message still has a form. */
const bucketsPerMessage = 200
const noWatch = { weight: 0, watchPort: ports.any, watchGroup: groups.any }
/** max_len means something only towards the controller (§7.2.5): switches answer with what they like elsewhere. */
const canonicalOutput = (action: Action): Action =>
  action.type === 'output' && action.port !== ports.controller && action.maxLen !== 0
    ? { ...action, maxLen: 0 }
    : action

function groupModsOf(form: string) {
  const bytes = Buffer.from(form, 'latin1')
  const mods = []
  for (let at = 0; at < bytes.length; at += bytes.readUInt16BE(at + 2)) {
    const message = decode(bytes.subarray(at, at + bytes.readUInt16BE(at + 2)))
    if (message.type === 'group_mod') mods.push(message)
  }
  return mods
}
const groupShape: Omit<GroupItem, 'owner' | 'form' | 'id'> & ThisType<GroupItem> = {
  kind: 'group',
  get key() {
    return groupKey(this.id)
  },
  get groupType() {
    return groupModsOf(this.form)[0]!.groupType as GroupItem['groupType']
  },
  get buckets() {
    return groupModsOf(this.form).flatMap(({ buckets }) => buckets)
  },
}

export const meterItem = (owner: number, id: number, flags: number, bands: readonly MeterBand[]): MeterItem => ({
  kind: 'meter',
  key: `m${id}`,
  form: `${flags} ${JSON.stringify(bands)}`,
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
    instructions.push({ type: 'write_metadata', metadata: it.metadata, metadataMask: metadataBits })
  if (it.goto !== undefined) instructions.push(goto[it.goto as TableName])
  const priority = declared.entries[kind]![0]
  return flowItem(owner, {
    tableId: declared.id,
    priority,
    match: masked(match as Match),
    instructions,
    cookie,
    idleTimeout,
    hardTimeout,
    flags,
  })
}
/** A match of metadata as a whole is one of the bits that we use: a switch may have no others. */
const masked = (match: Match): Match =>
  typeof match.metadata === 'bigint' ? { ...match, metadata: { value: match.metadata, mask: metadataBits } } : match
const goto = Object.fromEntries(
  Object.values(pipeline).map(({ id, name }) => [name, { type: 'goto_table', tableId: id }]),
) as { readonly [T in TableName]: Instruction }
