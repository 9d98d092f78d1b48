// Entries of a switch as a frame meets them: what is known of it on its way (port, metadata, tunnel) is compared, what is not (its
// own headers) is a set of frames. An index finds the entries that may match without looking at the others.
import { ports } from '../../openflow/index.ts'
import { metadata as metadataBits } from '../compile/pipeline.ts'
import type { Entry } from './data-plane.ts'
import { type FrameField, hasTag, isFrameField, slots, typeSet, vidSet } from './frame-bits.ts'
import { all, type FrameSet, type FrameSpace, none } from './frame-sets.ts'

type Masked = { readonly value: bigint; readonly mask: bigint }

export type Rule = {
  readonly entry: Entry
  readonly inPort: number | undefined
  readonly metadata: Masked
  readonly tunnel: Masked
  /** The one destination that it names. */
  readonly dst: number | undefined
  readonly vlan: { readonly value: number; readonly mask: number } | undefined
  readonly type: bigint | undefined
  readonly fields: readonly { readonly field: FrameField; readonly value: bigint; readonly mask: bigint }[]
  /** No frame has what it asks for: registers and marks are 0 on their way in, and nothing that we can follow writes them. */
  readonly never: boolean
  /** A field that nothing is known about. */
  readonly unknown: string | undefined
}

const wholeDst = (1n << 48n) - 1n
/** 0 until something writes them, and what writes them is not followed. */
const isZero = (field: string): boolean =>
  /^(reg|xreg|xxreg|ct_|pkt_mark$|recirc_id$|dp_hash$|nxet_dp_hash$)/.test(field)

export function ruleOf(entry: Entry): Rule {
  const rule = {
    ...{ entry, metadata: { value: 0n, mask: 0n }, tunnel: { value: 0n, mask: 0n }, never: false },
    ...{ inPort: undefined, dst: undefined, vlan: undefined, type: undefined, unknown: undefined },
    fields: [] as { field: FrameField; value: bigint; mask: bigint }[],
  } as { -readonly [K in keyof Rule]: Rule[K] } & { fields: { field: FrameField; value: bigint; mask: bigint }[] }
  const vlan = (value: bigint, mask: bigint) => {
    const before = rule.vlan ?? { value: 0, mask: 0 }
    rule.vlan = { value: before.value | Number(value), mask: before.mask | Number(mask) }
  }
  for (const { field, value, mask } of entry.match) {
    if (field === 'in_port') rule.inPort = Number(value)
    // NXM has ports of 16 bits; its reserved ones stand at the end of these.
    else if (field === 'nxm_of_in_port') rule.inPort = Number(value >= 0xff00n ? value + 0xffff_0000n : value)
    else if (field === 'metadata') rule.metadata = { value, mask }
    else if (field === 'tunnel_id') rule.tunnel = { value, mask }
    else if (field === 'vlan_vid') vlan(value, mask)
    else if (field === 'vlan_tci') {
      if (mask & 0x1fffn) vlan(value & 0x1fffn, mask & 0x1fffn)
      if (mask & 0xe000n) rule.fields.push({ field: 'vlan_pcp', value: value >> 13n, mask: mask >> 13n })
    } else if (field === 'eth_type') rule.type = value
    else if (isZero(field)) rule.never ||= value !== 0n
    else if (isFrameField(field)) {
      if (field === 'eth_dst' && mask === wholeDst) rule.dst = Number(value)
      rule.fields.push({ field, value, mask })
    } else rule.unknown ??= field
  }
  return rule
}

/** A field that was rewritten: by a constant, or by what another field was when the frame came. */
export type Rewritten = ReadonlyMap<FrameField, bigint | FrameField>

/** What is known of frames inside a switch. */
export type Headers = {
  /** Tags that were pushed: OFPVID_PRESENT and VID, the outermost last. */
  readonly pushed: readonly number[]
  /** How many tags of its own are gone. */
  readonly popped: number
  /** How many tags of its own the switch has looked at; beyond is payload. -1: it did not get as far as these. */
  readonly seen: number
  readonly rewritten: Rewritten
}

/** Frames, of those with these headers, that have what the rule asks for. Undefined: that is not known. */
export function matched(space: FrameSpace, rule: Rule, headers: Headers): FrameSet | undefined {
  if (rule.unknown !== undefined) return undefined
  if (rule.never) return none
  let set: FrameSet = all
  if (rule.vlan) {
    const vlan = vlanMatch(space, rule.vlan, headers)
    if (vlan === undefined) return undefined
    set = vlan
  }
  if (rule.type !== undefined) set = space.and(set, typeMatch(space, rule.type, headers))
  for (const { field, value, mask } of rule.fields) {
    if (set === none) return none
    const now = headers.rewritten.get(field)
    if (typeof now === 'bigint') {
      if ((now & mask) !== value) return none
    } else set = space.and(set, space.field(slots[now ?? field].at, slots[field].width, value, mask))
  }
  return set
}

function vlanMatch(
  space: FrameSpace,
  { value, mask }: { readonly value: number; readonly mask: number },
  { pushed, popped, seen }: Headers,
): FrameSet | undefined {
  const top = pushed.at(-1)
  if (top !== undefined) return (top & mask) === value ? all : none
  // What it has not looked at is no tag to it.
  if (popped >= seen) return (value & mask) === 0 ? all : none
  return vidSet(space, popped, value, mask)
}
function typeMatch(space: FrameSpace, type: bigint, { seen, rewritten }: Headers): FrameSet {
  const now = rewritten.get('eth_type')
  if (typeof now === 'bigint') return now === type ? all : none
  if (seen < 0) return type === 0x8100n ? all : none
  return typeSet(space, seen, type)
}

/** Frames whose outermost tag the switch sees, of their own. */
export const taggedSet = (space: FrameSpace, { popped, seen }: Headers): FrameSet =>
  popped < seen ? hasTag(space, popped) : none

const anyNetwork = -1
/** The network whose frames alone the rule is for, by their metadata. */
export const networkOf = ({ metadata: { value, mask } }: Pick<Rule, 'metadata'>): number | undefined =>
  (mask & networkBits) === networkBits ? Number(value & networkBits) : undefined
const { network: networkBits } = metadataBits

/** Rules of one kind of match: by what they name exactly. */
type Shape = {
  readonly port: boolean
  readonly metadata: bigint
  readonly tunnel: bigint
  readonly dst: boolean
  readonly buckets: Map<string, Bucket>
}
type Bucket = { readonly rules: Set<Rule>; readonly byDst: Map<number, Rule[]> }

/** What is known of a frame at a table. `dst`: the one destination that all frames of the set have. */
export type At = {
  readonly inPort: number
  readonly metadata: bigint
  readonly tunnel: bigint
  readonly dst: number | undefined
}

export type RuleTable = {
  put(rule: Rule): void
  remove(rule: Rule): void
  /** Rules that may match there, the highest priority first. */
  at(at: At): readonly Rule[]
  /** Some rule that frames of this network may meet asks for the port. */
  readsPort(network: number): boolean
  rules(): Iterable<Rule>
}

export function ruleTable(): RuleTable {
  const shapes = new Map<string, Shape>()
  const withPort = new Map<number, number>()
  const count = (rule: Rule, by: number) => {
    if (rule.inPort === undefined) return
    const network = networkOf(rule) ?? anyNetwork
    withPort.set(network, (withPort.get(network) ?? 0) + by)
  }
  const shapeOf = (rule: Rule): Shape => {
    const key = `${rule.inPort !== undefined} ${rule.metadata.mask} ${rule.tunnel.mask} ${rule.dst !== undefined}`
    let shape = shapes.get(key)
    if (!shape) {
      shape = {
        ...{ port: rule.inPort !== undefined, metadata: rule.metadata.mask, tunnel: rule.tunnel.mask },
        ...{ dst: rule.dst !== undefined, buckets: new Map() },
      }
      shapes.set(key, shape)
    }
    return shape
  }
  const keyOf = (shape: Shape, port: number, metadata: bigint, tunnel: bigint): string =>
    `${shape.port ? port : ''} ${shape.metadata === 0n ? '' : metadata & shape.metadata} ${shape.tunnel === 0n ? '' : tunnel & shape.tunnel}`
  const bucketOf = (rule: Rule): [Shape, string] => {
    const shape = shapeOf(rule)
    return [shape, keyOf(shape, rule.inPort ?? 0, rule.metadata.value, rule.tunnel.value)]
  }
  return {
    put(rule) {
      const [{ buckets }, key] = bucketOf(rule)
      let bucket = buckets.get(key)
      if (!bucket) buckets.set(key, (bucket = { rules: new Set(), byDst: new Map() }))
      bucket.rules.add(rule)
      if (rule.dst !== undefined) {
        const there = bucket.byDst.get(rule.dst)
        if (there) there.push(rule)
        else bucket.byDst.set(rule.dst, [rule])
      }
      count(rule, 1)
    },
    remove(rule) {
      const [{ buckets }, key] = bucketOf(rule)
      const bucket = buckets.get(key)
      if (!bucket?.rules.delete(rule)) return
      if (rule.dst !== undefined) {
        const left = bucket.byDst.get(rule.dst)!.filter(other => other !== rule)
        if (left.length > 0) bucket.byDst.set(rule.dst, left)
        else bucket.byDst.delete(rule.dst)
      }
      if (bucket.rules.size === 0) buckets.delete(key)
      count(rule, -1)
    },
    at({ inPort, metadata, tunnel, dst }) {
      const found: Rule[] = []
      for (const shape of shapes.values()) {
        const bucket = shape.buckets.get(keyOf(shape, inPort, metadata, tunnel))
        if (!bucket) continue
        if (shape.dst && dst !== undefined) found.push(...(bucket.byDst.get(dst) ?? []))
        else for (const rule of bucket.rules) found.push(rule)
      }
      return found.sort(byPriority)
    },
    readsPort: network => (withPort.get(network) ?? 0) + (withPort.get(anyNetwork) ?? 0) > 0,
    *rules() {
      for (const { buckets } of shapes.values()) for (const { rules } of buckets.values()) yield* rules
    },
  }
}
/** The order of destinations does not matter, but one order has the same sets on every switch, which are worked out once. */
const byPriority = (a: Rule, b: Rule): number => b.entry.priority - a.entry.priority || (a.dst ?? 0) - (b.dst ?? 0)

/** Whether a port is one that stands for others (OpenFlow 1.3.5 §7.2.1). */
export const isReserved = (port: number): boolean => port > ports.max
