// Copies of frames whose cookie does not say which entry made them.
import type { PacketIn } from '../../openflow/index.ts'
import { attachmentsAt } from '../../store/attachments.ts'
import type { State } from '../../store/state.ts'
import { lldpEthertype } from '../../topology/lldp.ts'
import { type DatapathId, endpointKey, type PortNo } from '../../topology/topology.ts'
import { loopProbeMac } from '../compile/default-flows.ts'
import { metadata, pipeline } from '../compile/pipeline.ts'

/** Seen on a real switch: all ones, instead of the cookie of the entry that made the copy. */
export const unknownCookie = 0xffff_ffff_ffff_ffffn

const loopProbes = Buffer.from(loopProbeMac.replaceAll(':', ''), 'hex')

/** Which entry has made a copy that does not say so: probes come from the first table, and each other copy from a table of its own. */
export const shownBy = ({ tableId, payload }: PacketIn): 'base' | 'multicast' | 'network' =>
  payload.length >= 14 && (payload.readUInt16BE(12) === lldpEthertype || payload.subarray(0, 6).equals(loopProbes))
    ? 'base'
    : tableId === pipeline.listen.id
      ? 'multicast'
      : 'network'

/** The number of the network that a copy is of whose cookie does not say it: by its metadata, else by its port if that is in one only. */
export function networkWithoutCookie(
  state: State,
  dpid: DatapathId,
  port: PortNo,
  { match }: PacketIn,
): number | undefined {
  if (typeof match.metadata === 'bigint') return Number(match.metadata & metadata.network)
  const attached = attachmentsAt(state, endpointKey({ dpid, port }))
  return attached.length === 1 ? state.networks.get(attached[0]!.network)?.number : undefined
}
