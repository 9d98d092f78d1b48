// Copies of frames to the controller: metered port by port, so that no pod can drown another's, while the frames flow on.
import type { Action } from '../../openflow/index.ts'
import { ports } from '../../openflow/index.ts'
import type { PortNo } from '../../topology/topology.ts'
import { maxMeteredPort, meterId } from './cookie.ts'
import { type Item, meterItem } from './item.ts'

/** Copies to the controller, per port and second. */
export const packetInsPerSecond = 100

const meterFlags = { packetsPerSecond: 2, burst: 4 } // OFPMF_PKTPS, OFPMF_BURST (§7.3.4.4)

/**
 * The action that copies so many bytes of a frame from this port to us, and the meter that it needs.
 * @param isMetered The switch takes Nicira's controller action with a meter. An OpenFlow 1.3 meter instruction would drop the
 * data with the copies (seen): the meter is the action's own.
 */
export function copyOf(
  network: number,
  port: PortNo,
  bytes: number,
  isMetered: boolean,
): { action: Action; needs: Item[] } {
  if (!isMetered || port > maxMeteredPort)
    return { action: { type: 'output', port: ports.controller, maxLen: bytes }, needs: [] }
  const band = { type: 'drop', rate: packetInsPerSecond, burstSize: packetInsPerSecond } as const
  return {
    action: { type: 'controller2', maxLen: bytes, meterId: meterId(port) },
    needs: [meterItem(network, meterId(port), meterFlags.packetsPerSecond | meterFlags.burst, [band])],
  }
}
