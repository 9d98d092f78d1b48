// A set of flow entries kept as their canonical bytes (flow-entry.ts), in one buffer: about 30 bytes beside those of each
// entry, and no object. It answers which entries of a switch's answer are not as they should be, without decoding them.
import type { WireError } from '../wire/wire.ts'
import {
  canonical,
  type EntryVisitor,
  eachEntry,
  entryHash,
  identityHash,
  sameEntry,
  sameIdentity,
} from './flow-entry.ts'

export type FlowSet = {
  size(): number
  /** Bytes of memory that it takes. */
  memory(): number
  /**
   * Puts an entry in, in place of the one with the same table, priority and match. Returns its slot, which stays its number
   * until it is removed. The bytes are copied, and must be canonical.
   */
  put(bytes: Buffer, at?: number, length?: number): number
  /** The slot of the entry with the same table, priority and match; -1 if there is none. */
  find(bytes: Buffer, at?: number, length?: number): number
  remove(slot: number): void
  /** Hands the bytes of a slot to `visit`. They are valid until the next put(). */
  read(slot: number, visit: EntryVisitor): void
  /** All slots that hold an entry. */
  slots(): Iterable<number>
  /** Begins to compare a switch's answer with this set, which must not change meanwhile. */
  compare(): Comparison
}

/** What differs, so far. */
export type Comparison = {
  /** Takes the next part of the answer: the body of a multipart reply, so some 64 KiB. Throws a WireError as eachEntry(). */
  take(body: Buffer): void
  /** Entries of the answer that are in the set as they are. */
  same(): number
  /** Entries that do something else than they should, in canonical bytes, and the slots of those that they should be. */
  readonly changed: { readonly slot: number; readonly entry: Buffer }[]
  /** Entries with which no entry of the set shares table, priority and match; in canonical bytes. */
  readonly extra: Buffer[]
  /** Entries that cannot be read, in words; they are none of the above. */
  readonly unreadable: string[]
  /** Slots that the answer had no entry for. To be asked after the last part. */
  missing(): number[]
}

/** The numbers of a set's memory, which grow together. */
type Slots = { starts: Uint32Array; hashes: Uint32Array; table: Int32Array }

const none = 0xffff_ffff

/** An empty set. `seed`: any number; a random one keeps strangers from choosing addresses whose entries collide. */
export function flowSet(seed = 0): FlowSet {
  let slab = Buffer.allocUnsafeSlow(4096)
  let used = 0
  /** Bytes of the slab that no entry has any more. */
  let holes = 0
  let size = 0
  let slots: Slots = { starts: new Uint32Array(16), hashes: new Uint32Array(16), table: new Int32Array(32) }
  let top = 0
  const free: number[] = []
  const aliases = aliasTable()

  const lengthOf = (slot: number): number => {
    const at = slots.starts[slot]!
    return (slab[at]! << 8) | slab[at + 1]!
  }

  /** Where in the table the slot of this entry stands, or the empty place where it would (OPEN addressing, linear). */
  const place = (hash: number, bytes: Buffer, at: number, length: number): number => {
    const { starts, hashes, table } = slots
    const mask = table.length - 1
    let i = hash & mask
    for (; table[i] !== 0; i = (i + 1) & mask) {
      const slot = table[i]! - 1
      if (hashes[slot] !== hash) continue
      if (sameIdentity(slab, starts[slot]!, lengthOf(slot), bytes, at, length)) break
    }
    return i
  }

  const find = (bytes: Buffer, at = 0, length = bytes.length): number =>
    slots.table[place(identityHash(bytes, at, length, seed), bytes, at, length)]! - 1

  /** Takes room for `length` bytes; moves all entries together first when the slab is half holes. */
  const room = (length: number): number => {
    if (used + length > slab.length) {
      const live = used - holes
      const from = slab
      slab = Buffer.allocUnsafeSlow(Math.max(4096, (live + length) * (holes > live ? 1.25 : 1.5)) & ~7)
      used = 0
      holes = 0
      for (let slot = 0; slot < top; slot++) {
        const at = slots.starts[slot]!
        if (at === none) continue
        slots.starts[slot] = used
        used += from.copy(slab, used, at, at + ((from[at]! << 8) | from[at + 1]!))
      }
    }
    const at = used
    used += length
    return at
  }

  const newSlot = (): number => {
    const reused = free.pop()
    if (reused !== undefined) return reused
    if (top === slots.starts.length) {
      const starts = new Uint32Array(top * 2)
      const hashes = new Uint32Array(top * 2)
      starts.set(slots.starts)
      hashes.set(slots.hashes)
      slots = { starts, hashes, table: new Int32Array(top * 4) }
      for (let slot = 0; slot < top; slot++) if (starts[slot] !== none) enter(slot)
    }
    return top++
  }

  /** Enters a slot into the table; no entry of its identity is there. */
  const enter = (slot: number): void => {
    const mask = slots.table.length - 1
    let i = slots.hashes[slot]! & mask
    while (slots.table[i] !== 0) i = (i + 1) & mask
    slots.table[i] = slot + 1
  }

  /** Empties a place of the table, and moves up what stands behind it so that it is still found. */
  const vacate = (from: number): void => {
    const { hashes, table } = slots
    const mask = table.length - 1
    let hole = from
    for (let i = (hole + 1) & mask; table[i] !== 0; i = (i + 1) & mask) {
      const home = hashes[table[i]! - 1]! & mask
      if (((i - home) & mask) < ((i - hole) & mask)) continue
      table[hole] = table[i]!
      hole = i
    }
    table[hole] = 0
  }

  const read = (slot: number, visit: EntryVisitor): void => visit(slab, slots.starts[slot]!, lengthOf(slot))

  const set: FlowSet = {
    size: () => size,
    memory: () => slab.length + slots.starts.byteLength * 2 + slots.table.byteLength + aliases.memory(),
    put(bytes, from = 0, length = bytes.length) {
      const hash = identityHash(bytes, from, length, seed)
      let slot = slots.table[place(hash, bytes, from, length)]! - 1
      if (slot === -1) {
        slot = newSlot()
        slots.hashes[slot] = hash
        slots.starts[slot] = none
        enter(slot)
        size++
      } else {
        if (sameEntry(slab, slots.starts[slot]!, lengthOf(slot), bytes, from, length)) return slot
        holes += lengthOf(slot)
        slots.starts[slot] = none
        aliases.forget(slot)
      }
      const at = room(length)
      bytes.copy(slab, at, from, from + length)
      slots.starts[slot] = at
      return slot
    },
    find,
    remove(slot) {
      const at = slots.starts[slot]!
      vacate(place(slots.hashes[slot]!, slab, at, lengthOf(slot)))
      holes += lengthOf(slot)
      slots.starts[slot] = none
      aliases.forget(slot)
      free.push(slot)
      size--
    },
    read,
    *slots() {
      for (let slot = 0; slot < top; slot++) if (slots.starts[slot] !== none) yield slot
    },
    compare: () => comparison(set, aliases, new Uint8Array(top)),
  }
  return set
}

/**
 * Forms in which a switch answers with an entry that are not the canonical one (its own order of fields, say), by a hash of
 * 53 bits: so that each is decoded once, and not at each reading.
 */
type Aliases = {
  find(bytes: Buffer, at: number, length: number): number
  note(bytes: Buffer, at: number, length: number, slot: number): void
  forget(slot: number): void
  memory(): number
}

function aliasTable(): Aliases {
  const bySlot = new Map<number, number>()
  const byHash = new Map<number, number>()
  const hash = (bytes: Buffer, at: number, length: number) =>
    entryHash(bytes, at, length, 1) * 0x20_0000 + (entryHash(bytes, at, length, 2) >>> 11)
  const forget = (slot: number): void => {
    const key = bySlot.get(slot)
    if (key === undefined) return
    bySlot.delete(slot)
    byHash.delete(key)
  }
  return {
    find: (bytes, at, length) => (byHash.size === 0 ? -1 : (byHash.get(hash(bytes, at, length)) ?? -1)),
    note(bytes, at, length, slot) {
      forget(slot)
      const key = hash(bytes, at, length)
      byHash.set(key, slot)
      bySlot.set(slot, key)
    },
    forget,
    memory: () => byHash.size * 80,
  }
}

/** `seen`: a byte for each slot, 1 when the answer had an entry for it. */
function comparison(set: FlowSet, aliases: Aliases, seen: Uint8Array): Comparison {
  const changed: { slot: number; entry: Buffer }[] = []
  const extra: Buffer[] = []
  const unreadable: string[] = []
  let same = 0

  const see = (slot: number): void => {
    if (seen[slot] === 0) same++
    seen[slot] = 1
  }

  /** Counts an entry as the one of this slot, if it is. */
  const isSame = (slot: number, bytes: Buffer, at: number, length: number): boolean => {
    let equal = false
    set.read(slot, (own, ownAt, ownLength) => {
      equal = sameEntry(own, ownAt, ownLength, bytes, at, length)
    })
    if (equal) see(slot)
    return equal
  }

  const odd = (bytes: Buffer, at: number, length: number): void => {
    let entry: Buffer
    try {
      entry = canonical(bytes, at, length)
    } catch (error) {
      unreadable.push((error as WireError).message)
      return
    }
    const slot = set.find(entry)
    if (slot === -1) extra.push(entry)
    else if (isSame(slot, entry, 0, entry.length)) aliases.note(bytes, at, length, slot)
    else {
      seen[slot] = 1
      changed.push({ slot, entry })
    }
  }

  return {
    take(body) {
      eachEntry(body, (bytes, at, length) => {
        const slot = set.find(bytes, at, length)
        if (slot !== -1 && isSame(slot, bytes, at, length)) return
        const known = aliases.find(bytes, at, length)
        if (known === -1) odd(bytes, at, length)
        else see(known)
      })
    },
    same: () => same,
    changed,
    extra,
    unreadable,
    missing: () => [...set.slots()].filter(slot => seen[slot] === 0),
  }
}
