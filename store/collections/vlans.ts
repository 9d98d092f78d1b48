import type { DatapathId } from '../../topology/topology.ts'
import type { Collection } from '../collection.ts'
import { hasFields, isList, isNumber, isText } from '../row-check.ts'
import { badVlans, freePair, type NetworkVlans, type VlanRange } from '../vlans.ts'

declare module '../change.ts' {
  interface Kinds {
    vlans: NetworkVlans
  }
  interface Tables {
    /** VLANs of networks on plain links, by network number: also of networks that are gone, until their switches have removed them. */
    readonly vlans: Map<number, NetworkVlans>
  }
  interface Writers extends VlanWriters {}
}

type VlanWriters = {
  /** Reserves two VLANs of the range for a network on these switches, or adds switches to those that know of them. False: none are left. */
  reserveVlans(number: number, dpids: Iterable<DatapathId>, range: VlanRange): boolean
  /** A switch has removed the VLANs of a network that is gone; the last one makes them free. */
  releaseVlans(number: number, dpid: DatapathId): void
  /** A switch does not come back: nothing is reserved for its sake any more. */
  forgetVlans(dpid: DatapathId): void
}

const without = (reserved: NetworkVlans, dpid: DatapathId): NetworkVlans | undefined => {
  const dpids = reserved.dpids.filter(other => other !== dpid)
  return dpids.length > 0 ? { ...reserved, dpids } : undefined
}

export const vlans: Collection<'vlans', VlanWriters> = {
  table: 'vlans',
  shape: { is: 'numbered' },
  isRow: (v, key) =>
    hasFields(v, { number: isNumber, vids: isList(isNumber, 2), dpids: isList(isText) }) &&
    String((v as NetworkVlans).number) === key,
  violation: (state, { after }) => after && badVlans(state.vlans, after),
  marks: (key, state) => {
    const id = state.numbers.get(Number(key))
    return id === undefined ? undefined : { network: id }
  },
  writers: ({ draft, step }) => ({
    reserveVlans(number, dpids, range) {
      const before = draft.vlans.get(number)
      const vids = before?.vids ?? freePair(draft.vlans, range)
      if (!vids || !draft.numbers.has(number)) return vids !== undefined
      const after = { number, vids, dpids: [...new Set([...(before?.dpids ?? []), ...dpids])].sort() }
      if (after.dpids.length > (before?.dpids.length ?? 0)) step({ kind: 'vlans', key: String(number), before, after })
      return true
    },
    releaseVlans(number, dpid) {
      const before = draft.vlans.get(number)
      if (!before?.dpids.includes(dpid) || draft.numbers.has(number)) return
      step({ kind: 'vlans', key: String(number), before, after: without(before, dpid) })
    },
    forgetVlans(dpid) {
      for (const before of [...draft.vlans.values()])
        if (before.dpids.includes(dpid))
          step({ kind: 'vlans', key: String(before.number), before, after: without(before, dpid) })
    },
  }),
}
