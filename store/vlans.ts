// VLANs of networks on plain links between switches. A network has two, one for each set of its ways (controller/compile/rollout.ts): reserved
// when its frames first cross such a link, and free again when every switch that was told of them has confirmed that they are gone.
import type { DatapathId } from '../topology/topology.ts'

/** By network number; the number is never another network's, so what is left of a deleted one is known by it. */
export type NetworkVlans = {
  readonly number: number
  /** 1 to 4094, by epoch. */
  readonly vids: readonly [number, number]
  /** Switches that were told of them, or will be. */
  readonly dpids: readonly DatapathId[]
}
export type VlanRange = { readonly first: number; readonly last: number }

/** VLAN 1 is what other switches use when nobody says anything; the last ones are reserved on some. */
export const standardVlanRange: VlanRange = { first: 2, last: 4000 }

type Reserved = ReadonlyMap<number, NetworkVlans>

/** The two lowest that are free, or undefined when there are not so many. */
export const freePair = (reserved: Reserved, { first, last }: VlanRange): readonly [number, number] | undefined => {
  const taken = new Set([...reserved.values()].flatMap(({ vids }) => vids))
  const found: number[] = []
  for (let vid = first; vid <= last; vid++) {
    if (taken.has(vid)) continue
    found.push(vid)
    if (found.length === 2) return [found[0]!, found[1]!]
  }
  return undefined
}

/** What is wrong with a reservation. */
export const badVlans = (reserved: Reserved, { number, vids, dpids }: NetworkVlans): string | undefined => {
  const what = `the VLANs ${vids.join(' and ')} of network number ${number}`
  if (vids[0] === vids[1] || !vids.every(vid => Number.isInteger(vid) && vid >= 1 && vid <= 4094))
    return `${what} are not two of 1 to 4094`
  if (dpids.length === 0) return `${what} are on no switch`
  for (const other of reserved.values())
    if (other.number !== number && other.vids.some(vid => vids.includes(vid)))
      return `${what} are those of network number ${other.number} too`
  return undefined
}
