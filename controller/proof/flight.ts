// What becomes of a set of frames in one switch (OpenFlow 1.3.5 §5.1 to §5.12): each table takes it apart, the highest priority first,
// and each part goes its way. What an entry does that we cannot follow is named, never guessed.
import {
  type Action,
  encodeEntry,
  type Instruction,
  type Match,
  matchBits,
  plainName,
  ports,
} from '../../openflow/index.ts'
import type { DatapathId, PortNo } from '../../topology/topology.ts'
import type { Entry } from './data-plane.ts'
import { type FrameField, hasTag, isFrameField, present, slots } from './frame-bits.ts'
import { type FrameSet, type FrameSpace, none } from './frame-sets.ts'
import { type Headers, matched, type Rewritten, type Rule, type RuleTable } from './rule.ts'

/** What a switch is, ready to be asked. */
export type SwitchModel = {
  readonly dpid: DatapathId
  /** Open vSwitch looks at one tag and takes what is behind it for payload; others look at all. */
  readonly isOpenVSwitch: boolean
  readonly ports: ReadonlySet<PortNo>
  readonly tables: ReadonlyMap<number, RuleTable>
  group(id: number): Buckets | undefined
}
export type Buckets = {
  readonly type: 'all' | 'select' | 'indirect' | 'ff'
  readonly actions: readonly (readonly Action[])[]
}

/** Frames that come to, or leave, a port: the set is of frames as they were sent; the rest is what became of them since. */
export type Flight = {
  readonly set: FrameSet
  readonly pushed: readonly number[]
  readonly popped: number
  readonly rewritten: Rewritten
  /** The entries that they met, if that is recorded. */
  readonly trail: readonly Step[]
}
/** An entry that a frame met, and where. */
export type Step = { readonly dpid: DatapathId; readonly inPort: PortNo; readonly entry: Entry }
/** Frames that leave a switch by a port. */
export type Emission = {
  readonly port: PortNo
  /** By IN_PORT: also where they came from. */
  readonly back: boolean
  readonly tunnel: bigint
  readonly flight: Flight
}
/** A copy to the controller: of so many bytes, 0xffff is all; by a meter or not. */
export type Copy = {
  readonly maxLen: number
  readonly isMetered: boolean
  readonly set: FrameSet
  readonly tableId: number
  readonly trail: readonly Step[]
}
/** What cannot be followed: these frames may do anything from here on. */
export type Unknown = { readonly entry: Entry; readonly what: string; readonly set: FrameSet }
export type Outcome = {
  readonly emissions: Emission[]
  readonly copies: Copy[]
  readonly unknown: Unknown[]
  /** Frames on their way into a table that the passage was to stop at. */
  readonly stopped: State[]
}

/** Frames inside a switch, about to meet a table. */
export type State = Headers & {
  readonly set: FrameSet
  readonly inPort: PortNo
  readonly metadata: bigint
  readonly tunnel: bigint
  /** The one destination that all of them have. */
  readonly dst: number | undefined
  readonly trail: readonly Step[]
  /** Actions that were written, to be executed at the end (§5.10). */
  readonly written: readonly Action[]
}

export type Passage = {
  readonly space: FrameSpace
  readonly sw: SwitchModel
  /** Told of every entry that frames meet. */
  meets?(rule: Rule): void
  /** Told of every network that frames are in behind the first table, by their metadata. */
  knows?(network: number): void
  /** Frames keep the entries that they met; `met` is told of each such row. */
  readonly records?: boolean
  met?(trail: readonly Step[]): void
  /** Frames on their way into this table are left there. */
  readonly stopAt?: number
  /** What was found out of this switch before; empty at first. */
  readonly memory?: Map<string, Outcome>
}

export const nothing = (): Outcome => ({ emissions: [], copies: [], unknown: [], stopped: [] })
export const untouched: Rewritten = new Map()
/** Deeper than any chain of groups that is meant; Open vSwitch drops a frame in more than about 60. */
const maxDepth = 64

/** Frames that come in by a port. */
export const arriving = (sw: SwitchModel, inPort: PortNo, tunnel: bigint, flight: Flight): State => {
  const { pushed, popped } = flight
  const visible = sw.isOpenVSwitch ? 1 : maxDepth
  const seen = pushed.length > visible ? -1 : popped + visible - pushed.length
  return { ...flight, seen, inPort, tunnel, metadata: 0n, dst: undefined, written: [] }
}

/** From a table on, into `out`. */
export function pass(passage: Passage, tableId: number, state: State, out: Outcome): void {
  if (tableId === passage.stopAt) {
    out.stopped.push(state)
    return
  }
  const { memory, sw } = passage
  if (
    !memory ||
    passage.stopAt !== undefined ||
    tableId === 0 ||
    state.written.length > 0 ||
    readsPort(sw, tableId, state)
  ) {
    lookUp(passage, tableId, state, out)
    return
  }
  const key = `${tableId} ${keyOf(state)}`
  let known = memory.get(key)
  if (!known) {
    known = nothing()
    lookUp(passage, tableId, state, known)
    memory.set(key, known)
  }
  out.emissions.push(...known.emissions)
  out.copies.push(...known.copies)
  out.unknown.push(...known.unknown)
}
const keyOf = ({ set, metadata, tunnel, pushed, popped, seen, rewritten }: State): string =>
  `${set} ${metadata} ${tunnel} ${pushed.length > 0 ? pushed : ''} ${popped} ${seen} ${rewritten.size > 0 ? [...rewritten].flat().join() : ''}`

const network = (metadata: bigint): number => Number(metadata & 0xffff_ffffn)
function readsPort({ tables }: SwitchModel, from: number, { metadata }: State): boolean {
  for (const [id, table] of tables) if (id >= from && table.readsPort(network(metadata))) return true
  return false
}

function lookUp(passage: Passage, tableId: number, state: State, out: Outcome): void {
  const { space, sw } = passage
  let rest = state.set
  const rules = sw.tables.get(tableId)?.at(state) ?? []
  if (tableId > 0) passage.knows?.(network(state.metadata))
  for (let i = 0; i < rules.length && rest !== none; ) {
    // Of several entries of one priority a switch may take any (§5.3): each is followed.
    const { priority } = rules[i]!.entry
    let taken: FrameSet = none
    for (; i < rules.length && rules[i]!.entry.priority === priority; i++) {
      const rule = rules[i]!
      const set = matched(space, rule, state)
      if (set === undefined) {
        out.unknown.push({ entry: rule.entry, what: `a match on ${rule.unknown ?? 'an inner tag'}`, set: rest })
        continue
      }
      const hit = space.and(rest, set)
      if (hit === none) continue
      taken = taken === none ? hit : space.or(taken, hit)
      passage.meets?.(rule)
      const dst = state.dst ?? (state.rewritten.size === 0 ? rule.dst : undefined)
      const { entry } = rule
      const trail = passage.records ? [...state.trail, { dpid: sw.dpid, inPort: state.inPort, entry }] : state.trail
      passage.met?.(trail)
      execute(passage, rule, { ...state, set: hit, dst, trail }, out)
    }
    if (taken !== none) rest = space.minus(rest, taken)
  }
  // A miss drops the frame (§5.4); Open vSwitch still does what was written before.
  if (rest !== none && state.written.length > 0 && sw.isOpenVSwitch)
    finish(passage, undefined, { ...state, set: rest }, out)
}

function execute(passage: Passage, { entry }: Rule, state: State, out: Outcome): void {
  if (entry.unreadable !== undefined) {
    out.unknown.push({ entry, what: entry.unreadable, set: state.set })
    return
  }
  let states: readonly State[] = [state]
  let next: number | undefined
  let { written } = state
  let write: Extract<Instruction, { type: 'write_metadata' }> | undefined
  for (const instruction of entry.instructions) {
    if (instruction.type === 'apply_actions') states = act(passage, entry, instruction.actions, states, out, 0)
    else if (instruction.type === 'clear_actions') written = []
    else if (instruction.type === 'goto_table') next = instruction.tableId
    else if (instruction.type === 'write_metadata') write = instruction
    // What a meter drops goes nowhere: all may pass, is assumed.
    else if (instruction.type !== 'write_actions' && instruction.type !== 'meter')
      out.unknown.push({ entry, what: `instruction ${instruction.type}`, set: state.set })
  }
  for (const instruction of entry.instructions)
    if (instruction.type === 'write_actions') written = [...written, ...instruction.actions]
  for (const it of states) {
    const metadata = write ? (it.metadata & ~write.metadataMask) | (write.metadata & write.metadataMask) : it.metadata
    const after = { ...it, metadata, written }
    if (next !== undefined) pass(passage, next, after, out)
    else if (written.length > 0) finish(passage, entry, after, out)
  }
}

/** §5.10: what was written, in the order of the specification; an output counts only without a group. */
function finish(passage: Passage, entry: Entry | undefined, state: State, out: Outcome): void {
  const last = new Map<string, Action>()
  for (const action of state.written)
    last.set(action.type === 'set_field' ? `set ${action.field}` : action.type, action)
  const order = (a: Action) => ['pop_vlan', 'push_vlan', 'set_field', 'group', 'output'].indexOf(a.type)
  const ordered = [...last.values()].sort((a, b) => order(a) - order(b))
  const actions = last.has('group') ? ordered.filter(a => a.type !== 'output') : ordered
  act(passage, entry, actions, [{ ...state, written: [] }], out, 0)
}

/** §5.11: a list of actions. What comes out may be several: frames with a tag and frames without become different ones. */
function act(
  passage: Passage,
  entry: Entry | undefined,
  actions: readonly Action[],
  states: readonly State[],
  out: Outcome,
  depth: number,
): readonly State[] {
  let now = states
  for (const action of actions) now = now.flatMap(state => one(passage, entry, action, state, out, depth))
  return now
}

function one(
  passage: Passage,
  entry: Entry | undefined,
  action: Action,
  state: State,
  out: Outcome,
  depth: number,
): readonly State[] {
  const { space, sw } = passage
  const giveUp = (what: string): readonly State[] => {
    if (entry) out.unknown.push({ entry, what, set: state.set })
    return []
  }
  switch (action.type) {
    case 'output':
    case 'output_trunc':
      return output(passage, action.port, 'maxLen' in action ? action.maxLen : 0, state, out, entry)
        ? [state]
        : giveUp(`output to the reserved port ${action.port}`)
    case 'controller':
    case 'controller2': {
      const isMetered = action.type === 'controller2' && action.meterId !== undefined
      out.copies.push({
        maxLen: action.maxLen ?? 0xffff,
        isMetered,
        set: state.set,
        tableId: entry?.tableId ?? 0,
        trail: state.trail,
      })
      return [state]
    }
    case 'group':
    case 'nx_group':
      for (const bucket of depth < maxDepth ? (sw.group(action.groupId)?.actions ?? []) : [])
        act(passage, entry, bucket, [state], out, depth + 1)
      return [state]
    case 'clone':
      act(passage, entry, action.actions, [state], out, depth + 1)
      return [state]
    case 'push_vlan':
      // A new tag has VID 0; what is to be written into it comes behind.
      return [{ ...state, pushed: [...state.pushed, present] }]
    case 'pop_vlan':
      return popped(space, state)
    case 'set_field':
      return set(passage, action.field, bitsOf(action), state) ?? giveUp(`set_field of ${action.field}`)
    case 'set_tunnel':
    case 'set_tunnel64':
      return [{ ...state, tunnel: BigInt(action.tunId) }]
    case 'move':
      return moved(action, state) ?? giveUp(`move to ${action.dst}`)
    case 'resubmit_table':
    case 'resubmit': {
      const to = action.type === 'resubmit_table' && action.tableId !== 255 ? action.tableId : entry?.tableId
      if (to === undefined || depth >= maxDepth) return giveUp('resubmit')
      const inPort = action.inPort === 0xfff8 ? state.inPort : action.inPort
      const { memory: _, ...again } = passage
      pass(again, to, { ...state, inPort, written: [] }, out)
      return [state]
    }
    case 'set_queue':
    case 'nx_set_queue':
    case 'pop_queue':
    case 'note':
    case 'fin_timeout':
      return [state]
    default:
      return giveUp(`action ${action.type}`)
  }
}

/** False: where frames go is not known. */
function output(
  { sw }: Passage,
  port: PortNo,
  maxLen: number,
  { tunnel, set, pushed, popped, rewritten, trail }: State,
  out: Outcome,
  entry: Entry | undefined,
): boolean {
  const flight = { set, pushed, popped, rewritten, trail }
  const to = (port: PortNo, back = false) => out.emissions.push({ port, back, tunnel, flight })
  if (port === ports.controller) out.copies.push({ maxLen, isMetered: false, set, tableId: entry?.tableId ?? 0, trail })
  else if (port === ports.inPort) to(port, true)
  // A frame to an address that the switch has not seen yet goes to all, by NORMAL too.
  else if (port === ports.all || port === ports.flood || port === ports.normal) for (const each of sw.ports) to(each)
  else if (port === ports.table || port === ports.any) return false
  else to(port)
  return true
}

function popped(space: FrameSpace, state: State): readonly State[] {
  if (state.pushed.length > 0) return [{ ...state, pushed: state.pushed.slice(0, -1) }]
  if (state.popped >= state.seen) return [state]
  const tagged = space.and(state.set, hasTag(space, state.popped))
  const plain = space.minus(state.set, tagged)
  return [
    ...(tagged === none ? [] : [{ ...state, set: tagged, popped: state.popped + 1 }]),
    ...(plain === none ? [] : [{ ...state, set: plain }]),
  ]
}

type Bits = { readonly value: bigint; readonly mask: bigint }
const known = new WeakMap<Action, Bits>()
/** What a set_field writes, as bits: read as a match of the same field would be. */
function bitsOf(action: Extract<Action, { type: 'set_field' }>): Bits {
  let bits = known.get(action)
  if (!bits) {
    const { field, value, mask } = action as { field: string; value: unknown; mask?: unknown }
    const match = { [field]: mask === undefined ? value : { value, mask } } as Match
    const empty = { tableId: 0, priority: 0, instructions: [], cookie: 0n, idleTimeout: 0, hardTimeout: 0, flags: 0 }
    const [read] = matchBits(encodeEntry({ ...empty, match }))
    bits = { value: read?.value ?? 0n, mask: read?.mask ?? 0n }
    known.set(action, bits)
  }
  return bits
}

function set({ space, sw }: Passage, field: string, { value, mask }: Bits, state: State): readonly State[] | undefined {
  if (field === 'tunnel_id') return [{ ...state, tunnel: (state.tunnel & ~mask) | value }]
  if (field === 'metadata') return [{ ...state, metadata: (state.metadata & ~mask) | value }]
  if (field === 'vlan_vid') {
    const vid = Number(value) | present
    if ((mask & 0xfffn) !== 0xfffn) return undefined
    if (state.pushed.length > 0) return [{ ...state, pushed: [...state.pushed.slice(0, -1), vid] }]
    return popped(space, state).flatMap(it =>
      // Open vSwitch makes a tag where there was none; a plain switch writes nothing.
      it.popped > state.popped || sw.isOpenVSwitch ? [{ ...it, pushed: [vid] }] : [it],
    )
  }
  if (!isFrameField(field)) return undefined
  const full = (1n << BigInt(slots[field].width)) - 1n
  const now = state.rewritten.get(field)
  if (mask !== full && typeof now !== 'bigint') return undefined
  const written = mask === full ? value : ((now as bigint) & ~mask) | value
  return [{ ...state, rewritten: new Map(state.rewritten).set(field, written), dst: undefined }]
}

/** A whole field into another of the same width. */
function moved(action: Extract<Action, { type: 'move' }>, state: State): readonly State[] | undefined {
  const { src, dst, nBits, srcOffset, dstOffset } = action
  const [from, to] = [plain(src), plain(dst)]
  if (!from || !to || srcOffset !== 0 || dstOffset !== 0) return undefined
  if (slots[from].width !== nBits || slots[to].width !== nBits) return undefined
  return [{ ...state, rewritten: new Map(state.rewritten).set(to, state.rewritten.get(from) ?? from), dst: undefined }]
}
const plain = (ref: string): FrameField | undefined => {
  const name = plainName(ref)
  return isFrameField(name) ? name : undefined
}
