// What every switch holds whatever its networks.
import { type Action, meterFlags, ports, vid } from '../../openflow/index.ts'
import { lldpEthertype, lldpMac } from '../../topology/lldp.ts'
import type { PortNo } from '../../topology/topology.ts'
import { cookie, loopProbeMeterId, markerCookie } from './cookie.ts'
import { entry, type Item, meterItem } from './item.ts'
import { bounceVni, probeVni } from './pipeline.ts'

/** What is read of a switch for it. */
export type SwitchFacts = {
  /** Ports at which plain links begin. */
  readonly plainLinks: readonly PortNo[]
  /** False: it cannot match tunnel_id, so it has no tunnels. */
  readonly tunnels: boolean
  /** How copies of our probes for loops are limited: by a meter of their own, or by the controller meter. Undefined: not at all, so there are none. */
  readonly loopProbes?: 'metered' | 'together' | undefined
}

/** The marker, our probes' way to us, and what is never let in. */
export function base(
  instance: string,
  { plainLinks, tunnels, loopProbes }: SwitchFacts = { plainLinks: [], tunnels: true },
): readonly Item[] {
  const owned = { cookie: cookie('base') }
  const drop = (kind: 'reserved' | 'forged', match: object) => entry(0, 'admit', kind, { ...owned, match })
  const lldp = { eth_dst: lldpMac, eth_type: lldpEthertype }
  const apply: readonly Action[] = [{ type: 'output', port: ports.controller, maxLen: 0xffff }]
  const bounce: readonly Action[] = [
    { type: 'set_field', field: 'tunnel_id', value: probeVni },
    { type: 'output', port: ports.inPort, maxLen: 0 },
  ]
  return [
    entry(0, 'admit', 'miss', { match: {}, cookie: markerCookie(instance) }),
    ...(tunnels
      ? [
          entry(0, 'admit', 'probe', { ...owned, match: { tunnel_id: probeVni, ...lldp }, apply }),
          entry(0, 'admit', 'bounce', { ...owned, match: { tunnel_id: bounceVni, ...lldp }, apply: bounce }),
        ]
      : []),
    ...plainLinks.map(in_port =>
      entry(0, 'admit', 'plainProbe', { ...owned, match: { in_port, vlan_vid: vid.none, ...lldp }, apply }),
    ),
    ...(loopProbes ? loopProbe(loopProbes, owned.cookie) : []),
    drop('reserved', { eth_dst: { value: '01:80:c2:00:00:00', mask: 'ff:ff:ff:ff:ff:f0' } }),
    drop('forged', { eth_src: { value: '01:00:00:00:00:00', mask: '01:00:00:00:00:00' } }),
    // Of two tags, some switches see both and others the first only, with the second as payload.
    entry(0, 'guard', 'tag', { ...owned, match: { vlan_vid: { value: vid.present, mask: vid.present } } }),
    ...[0x8100, 0x88a8].map(eth_type => entry(0, 'guard', 'innerTag', { ...owned, match: { eth_type } })),
  ]
}

/** Destination of our probes for loops: a group address that nobody has joined, so that a bridge passes it on. */
export const loopProbeMac = '03:6c:32:73:6d:02'
/** Copies of them that a switch sends to us in a second. */
const loopProbesPerSecond = 200

function loopProbe(how: 'metered' | 'together', cookie: bigint): readonly Item[] {
  const copy: Action =
    how === 'metered'
      ? { type: 'controller2', maxLen: 128, meterId: loopProbeMeterId }
      : { type: 'output', port: ports.controller, maxLen: 128 }
  const flags = meterFlags.pktps | meterFlags.burst
  const band = { type: 'drop', rate: loopProbesPerSecond, burstSize: loopProbesPerSecond } as const
  return [
    ...(how === 'metered' ? [meterItem(0, loopProbeMeterId, flags, [band])] : []),
    entry(0, 'admit', 'loopProbe', { cookie, match: { eth_dst: loopProbeMac }, apply: [copy] }),
  ]
}
