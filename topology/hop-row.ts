// A datapath's hops towards the members of a network, worked out when they are asked for: spelled out they are a million for each network of
// a thousand members, and the mesh knows them all.
import type { Hop } from './mesh.ts'
import type { DatapathId } from './topology.ts'

type To = (dpid: DatapathId) => Hop | undefined

/** @param members Those that `at` reaches, itself included if it is one. @param hopTo The hop from `at` towards each of them. */
export const hopRow = (at: DatapathId, members: ReadonlySet<DatapathId>, hopTo: To): ReadonlyMap<DatapathId, Hop> =>
  new HopRow(at, members, hopTo)

class HopRow implements ReadonlyMap<DatapathId, Hop> {
  readonly #at: DatapathId
  readonly #members: ReadonlySet<DatapathId>
  readonly #hopTo: To
  constructor(at: DatapathId, members: ReadonlySet<DatapathId>, hopTo: To) {
    this.#at = at
    this.#members = members
    this.#hopTo = hopTo
  }
  get size(): number {
    return this.#members.size - (this.#members.has(this.#at) ? 1 : 0)
  }
  has(to: DatapathId): boolean {
    return to !== this.#at && this.#members.has(to)
  }
  get(to: DatapathId): Hop | undefined {
    return this.has(to) ? this.#hopTo(to) : undefined
  }
  *keys(): MapIterator<DatapathId> {
    for (const to of this.#members) if (to !== this.#at) yield to
  }
  *entries(): MapIterator<[DatapathId, Hop]> {
    for (const to of this.keys()) yield [to, this.#hopTo(to)!]
  }
  *values(): MapIterator<Hop> {
    for (const to of this.keys()) yield this.#hopTo(to)!
  }
  [Symbol.iterator](): MapIterator<[DatapathId, Hop]> {
    return this.entries()
  }
  forEach(call: (hop: Hop, to: DatapathId, all: ReadonlyMap<DatapathId, Hop>) => void): void {
    for (const [to, hop] of this) call(hop, to, this)
  }
}
