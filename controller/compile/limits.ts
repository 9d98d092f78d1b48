// Limits of what a port may send and get, as meters of its switch (OpenFlow 1.3.5 §5.7). Pure.
//
// Three meters, each in a table of its own, since an entry has one at most:
// - broadcast: broadcast and multicast where they enter (`admit`), unknown unicast where nobody knows where to (`deliver`)
// - send: all that may speak (`guard`)
// - receive: frames to a known address of the port (`deliver`). What is flooded is not in it: buckets of groups have no meters.
//   That is bounded where it is sent.
import { meterFlags } from '../../openflow/index.ts'
import type { Attachment, Network, Rate } from '../../store/state.ts'
import { type LimitKind, maxMeteredPort, portLimitMeterId } from './cookie.ts'
import { type MeterItem, meterItem } from './item.ts'
import type { Datapath, LocalNetwork } from './local-network.ts'

/**
 * Broadcast, multicast and unknown unicast frames that a port may send in a second, unless something else is asked for, with as many
 * more at once. A host's own (ARP, DHCP, mDNS) are some ten a second, and a sweep of a /21 is 2,000 at once; a multicast stream of 20 Mbit/s
 * just passes. Copied to 100 switches it is 200,000 frames a second, which a node's switch still forwards (docs/decisions/0029).
 */
export const defaultBroadcastLimit = 2000

export type PortLimits = { readonly [K in LimitKind]?: MeterItem }

/** Frames a second of a port's broadcast limit: the attachment's, else the network's, else the default; 0 is none. */
export const broadcastLimitOf = (
  network: Pick<Network, 'broadcast'>,
  attachment: Pick<Attachment, 'broadcast'>,
): number => attachment.broadcast ?? network.broadcast ?? defaultBroadcastLimit

/** The meters of a port of this network on this switch. */
export function limitsAt({ network, datapath, marks: { number } }: LocalNetwork, attachment: Attachment): PortLimits {
  const { port, vlan, rate } = attachment
  const frames = broadcastLimitOf(network, attachment)
  const can = (kind: LimitKind) => limitRefusal(datapath, port, kind) === undefined
  const of = (kind: 'send' | 'receive', limit: Rate | undefined): PortLimits =>
    limit && can(kind) ? { [kind]: rateMeter(number, portLimitMeterId(kind, port, vlan), limit) } : {}
  return {
    ...(frames > 0 &&
      can('broadcast') && { broadcast: frameMeter(number, portLimitMeterId('broadcast', port, vlan), frames) }),
    ...of('send', rate?.send),
    ...of('receive', rate?.receive),
  }
}

/** Meters that a switch must be able to hold for each of its ports: one for copies, one for an end of a vlink, and these. */
const metersPerPort: { readonly [K in LimitKind]: number } = { broadcast: 3, send: 5, receive: 5 }

/** Why a switch cannot limit this port; undefined if it can. */
export function limitRefusal(
  { maxMeter, ports, unmetered }: Pick<Datapath, 'maxMeter' | 'ports' | 'unmetered'>,
  port: number,
  kind: LimitKind,
): string | undefined {
  const needed = metersPerPort[kind] * ports.size
  if (maxMeter === 0) return 'it has no meters'
  if (unmetered !== undefined) return unmetered
  if (maxMeter < needed) return `it holds ${maxMeter} meters, and its ${ports.size} ports need ${needed}`
  return port > maxMeteredPort ? `port ${port} has no meter: they are for ports up to ${maxMeteredPort}` : undefined
}

const frameMeter = (owner: number, id: number, rate: number): MeterItem =>
  meterItem(owner, id, meterFlags.pktps | meterFlags.burst | meterFlags.stats, [
    { type: 'drop', rate, burstSize: rate },
  ])

const rateMeter = (owner: number, id: number, limit: Rate): MeterItem => {
  const flags = meterFlags.kbps | meterFlags.burst | meterFlags.stats
  return meterItem(owner, id, flags, [{ type: 'drop', rate: limit.kbps, burstSize: rateBurst(limit) }])
}
/** Kilobits. What comes at once may be a tenth of a second's worth, and at least two frames of 9,000 bytes, unless it is said. */
export const rateBurst = ({ kbps, burst }: Rate): number =>
  burst ?? Math.min(0xffff_ffff, Math.max(Math.ceil(kbps / 10), leastBurst))
const leastBurst = 144
