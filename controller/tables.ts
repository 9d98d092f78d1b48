// The desired tables of every network, kept so that a change to one network recompiles that network only.
import type { Attachment, Network, State } from '../store/state.ts'
import type { DatapathId } from '../topology/topology.ts'
import { compile, type Fabric, type Location } from './compile.ts'
import type { Item } from './item.ts'

export type Compiled = {
  readonly network: Network
  /** Store revision that it was compiled from. */
  readonly revision: number
  readonly parts: ReadonlyMap<DatapathId, readonly Item[]>
  /** Switches with an attachment or the mirror, whether or not they have a part yet. */
  readonly members: ReadonlySet<DatapathId>
}

export type Tables = {
  /** By network number. */
  readonly compiled: ReadonlyMap<number, Compiled>
  /** Number of a network by its id; of a deleted one too, so that its leaving can be followed. */
  numberOf(id: string): number | undefined
  /** Ids of the networks with an attachment or the mirror on this switch. */
  at(dpid: DatapathId): Iterable<string>
  /** Compiles a network anew, or drops it if it is gone. Answers which switches must look again at which network number. */
  refresh(id: string): readonly { readonly number: number; readonly dpids: ReadonlySet<DatapathId> }[]
}

type Sources = {
  state(): State
  fabric(): Fabric
  learned(network: Network, attachments: readonly Attachment[]): readonly Location[]
  hushed: ReadonlySet<string>
}

export function desiredTables({ state, fabric, learned, hushed }: Sources): Tables {
  const compiled = new Map<number, Compiled>()
  const numbers = new Map<string, number>()
  const byDatapath = new Map<DatapathId, Set<string>>()

  const index = (id: string, before: ReadonlySet<DatapathId>, now: ReadonlySet<DatapathId>) => {
    for (const dpid of before) if (!now.has(dpid)) byDatapath.get(dpid)?.delete(id)
    for (const dpid of now) byDatapath.set(dpid, (byDatapath.get(dpid) ?? new Set()).add(id))
  }
  const drop = (id: string, number: number) => {
    const was = compiled.get(number)
    compiled.delete(number)
    if (!was) return []
    index(id, was.members, new Set())
    return [{ number, dpids: new Set(was.parts.keys()) }, ...mirrorOf(was)]
  }
  return {
    compiled,
    numberOf: id => numbers.get(id),
    at: dpid => byDatapath.get(dpid) ?? [],
    refresh(id) {
      const now = state()
      const network = now.networks.get(id)
      const before = numbers.get(id)
      const dropped = before !== undefined && before !== network?.number ? drop(id, before) : []
      if (!network) return dropped
      numbers.set(id, network.number)
      const was = compiled.get(network.number)
      const attachments = [...(now.members.get(id)?.values() ?? [])]
      const subject = { network, attachments, learned: learned(network, attachments), hushed }
      const members = new Set(attachments.map(a => a.dpid))
      if (network.mirror) members.add(network.mirror.dpid)
      const parts = compile(subject, fabric())
      compiled.set(network.number, { network, revision: now.revision, parts, members })
      index(id, was?.members ?? new Set(), members)
      const dpids = new Set([...(was?.parts.keys() ?? []), ...parts.keys(), ...members])
      const mirrorChanged = was && was.network.mirror?.number !== network.mirror?.number
      return [...dropped, { number: network.number, dpids }, ...(mirrorChanged ? mirrorOf(was) : [])]
    },
  }
}

/** A mirror's groups are under a number of their own. */
const mirrorOf = ({ network, parts }: Compiled) =>
  network.mirror ? [{ number: network.mirror.number, dpids: new Set(parts.keys()) }] : []
