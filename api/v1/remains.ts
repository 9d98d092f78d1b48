import type { State } from '../../store/state.ts'
import { type DatapathId, endpointKey, linkKey } from '../../topology/topology.ts'

type Kept = Pick<State, 'attachments' | 'networks' | 'declaredLinks'>

/** Sentences in one answer, at most. */
const most = 100

/** What a client asked for and is on a switch, a sentence each: it stays, whatever becomes of the switch. */
export const remainsOn = (state: Kept, dpid: DatapathId): readonly string[] => [...sentences(state, dpid).take(most)]

function* sentences({ attachments, networks, declaredLinks }: Kept, dpid: DatapathId): Generator<string> {
  for (const { network, vlan, ...at } of attachments.values())
    if (at.dpid === dpid)
      yield `port ${endpointKey(at)} is in network ${network}${vlan === undefined ? '' : ` by VLAN ${vlan}`}`
  for (const { id, mirror, vlink } of networks.values()) {
    if (mirror?.dpid === dpid) yield `port ${endpointKey(mirror)} is the mirror of network ${id}`
    for (const end of vlink ? [vlink.from, vlink.to] : [])
      if (end.dpid === dpid) yield `port ${endpointKey(end)} is an end of vlink ${id}`
  }
  for (const link of declaredLinks.values()) if (link.from.dpid === dpid) yield `link ${linkKey(link)} is declared`
}
