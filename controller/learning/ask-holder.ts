// How the holder of an address is asked for a sign of life: what its entry has counted, and a probe out of its port.
import { type FlowStats, packetOut } from '../../openflow/index.ts'
import type { Session } from '../../openflow/session/session.ts'
import { attachmentIn } from '../../store/attachments.ts'
import type { State } from '../../store/state.ts'
import { endpointKey, type PortNo } from '../../topology/topology.ts'
import { cookie, cookieMask } from '../compile/cookie.ts'
import { pipeline } from '../compile/pipeline.ts'
import { out } from '../compile/tag.ts'
import type { Contest } from './contests.ts'
import { probeFrames } from './probe-frames.ts'

/** Packets counted by the entry that lets this address speak; undefined when the switch does not count them. */
export async function packetsSent(s: Session, number: number, mac: string, port: PortNo): Promise<bigint | undefined> {
  const filter = { tableId: pipeline.guard.id, cookie: cookie('learned', number), cookieMask }
  const flows = await s.flows({ ...filter, match: { in_port: port, eth_src: mac } })
  // Not every switch narrows its answer as it was asked to.
  const own = flows.filter(
    ({ match, cookie }) => match.in_port === port && match.eth_src === mac && cookie === filter.cookie,
  )
  let sum = 0n
  for (const flow of own) {
    const count = countOf(flow)
    if (count === undefined) return undefined
    sum += count
  }
  return sum
}

/** All ones: not counted (OpenFlow 1.3.5 §7.3.5.2). Bytes will do: a frame has some. */
const notCounted = 0xffff_ffff_ffff_ffffn
const countOf = ({ packetCount, byteCount }: FlowStats): bigint | undefined =>
  packetCount !== notCounted ? packetCount : byteCount !== notCounted ? byteCount : undefined

/** Asks the machine at the holder's port for a sign of life. */
export function sendProbes(
  s: Session,
  state: State,
  id: string,
  { mac, holder, ipv4 }: Contest,
  known: number | undefined,
): void {
  const attachment = attachmentIn(state, id, endpointKey(holder))
  const addresses = new Set(ipv4)
  if (known !== undefined) addresses.add(known)
  for (const ip of attachment?.ips ?? []) {
    const given = ipv4Number(ip)
    if (given !== undefined) addresses.add(given)
  }
  const actions = out({ port: holder.port, vlan: attachment?.vlan })
  for (const payload of probeFrames(mac, addresses)) s.send(packetOut({ actions: [...actions], payload }))
}

/** Of `10.0.0.1` or `10.0.0.1/8`. */
function ipv4Number(text: string): number | undefined {
  const octets = text.split('/')[0]!.split('.').map(Number)
  if (octets.length !== 4 || octets.some(octet => !(octet >= 0 && octet <= 255))) return undefined
  return octets.reduce((sum, octet) => sum * 256 + octet, 0)
}
