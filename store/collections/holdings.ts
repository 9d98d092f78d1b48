import type { DatapathId } from '../../topology/topology.ts'
import { type Collection, grouped } from '../collection.ts'
import { holdingKey } from '../keys.ts'
import { hasFields, isNumber, isText } from '../row-check.ts'

/**
 * A switch that may still hold flows of a network, although it should not any more: an attachment was the last one there, or the
 * network is gone. Written with the change that takes it out, so that a restart does not forget it, and taken back when the
 * switch has confirmed that it holds nothing of it.
 */
export type Holding = {
  readonly number: number
  readonly dpid: DatapathId
  /** Id of the network, once it is gone: who asks for it by name, after a restart too, is told who may still hold it. */
  readonly network?: string | undefined
}

declare module '../change.ts' {
  interface Kinds {
    holding: Holding
  }
  interface Tables {
    /** By holdingKey. */
    readonly holdings: Map<string, Holding>
    /** By network number, also of networks that are gone, then by switch. A number that nobody holds is absent. */
    readonly heldBy: Map<number, Map<DatapathId, Holding>>
    /** The same by switch, then by network number. */
    readonly holds: Map<DatapathId, Map<number, Holding>>
    /** Of networks that are gone: by id, then by holdingKey. A name may have stood for several networks, one after the other. */
    readonly heldByName: Map<string, Map<string, Holding>>
  }
  interface Writers extends HoldingWriters {}
}

type HoldingWriters = {
  /**
   * These switches may hold flows of the network: to be written before anything is sent to a switch that is no member (one between
   * members). Members are recorded when they cease to be.
   */
  hold(number: number, dpids: Iterable<DatapathId>): void
  /** The switch should hold nothing of the network, and has confirmed that it does not. */
  release(number: number, dpid: DatapathId): void
  /** The network of this number and name is gone. */
  holdGone(number: number, network: string): void
}

export const holding: Collection<'holding', HoldingWriters> = {
  table: 'holdings',
  shape: { is: 'map' },
  indexes: [
    grouped('heldBy', (h: Holding) => [[h.number, h.dpid, h]]),
    grouped('holds', (h: Holding) => [[h.dpid, h.number, h]]),
    grouped('heldByName', (h: Holding) => (h.network === undefined ? [] : [[h.network, holdingKey(h), h]])),
  ],
  isRow: (v, key) =>
    hasFields(v, { number: isNumber, dpid: isText }, { network: isText }) && holdingKey(v as Holding) === key,
  marks: (key, state) => {
    const held = state.holdings.get(key)
    const id = held && state.numbers.get(held.number)
    return id === undefined ? undefined : { network: id }
  },
  writers: ({ draft, step }) => ({
    hold(number, dpids) {
      for (const dpid of dpids) {
        const after = { number, dpid }
        const key = holdingKey(after)
        if (!draft.holdings.has(key)) step({ kind: 'holding', key, before: undefined, after })
      }
    },
    release(number, dpid) {
      const key = holdingKey({ number, dpid })
      const before = draft.holdings.get(key)
      if (before) step({ kind: 'holding', key, before, after: undefined })
    },
    holdGone(number, network) {
      for (const before of [...(draft.heldBy.get(number)?.values() ?? [])])
        step({ kind: 'holding', key: holdingKey(before), before, after: { ...before, network } })
    },
  }),
}
