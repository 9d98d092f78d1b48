// Copies for learning, on a switch that can't meter them where they are made: its controller meter limits all that it tells
// us (OpenFlow 1.3.5 §7.3.4.4, OFPM_CONTROLLER). It stands beside the tables, not in them: a switch need not have it.
import { type MeterConfig, meterFlags, meterMod, meters } from '../../openflow/index.ts'
import type { Session } from '../../openflow/session/session.ts'
import { meterItem } from '../compile/item.ts'

/** Packet-ins a second and switch. A port that makes more than its share is suppressed long before (learning.ts). */
export const packetInsPerSwitch = 1000

const wanted = meterItem(0, meters.controller, meterFlags.pktps | meterFlags.burst, [
  { type: 'drop', rate: packetInsPerSwitch, burstSize: packetInsPerSwitch },
])

/**
 * Sets the controller meter of a switch whose copies are not metered one by one. Answers what the switch said when it would
 * not have it; undefined when it has it, or has no meters at all, or needs none.
 * @param held The meters that it was just found with.
 */
export async function limitPacketIns(session: Session, held: readonly MeterConfig[]): Promise<string | undefined> {
  if (session.can.nicira || session.can.maxMeter === 0) return undefined
  const has = held.find(({ meterId }) => meterId === meters.controller)
  if (has && meterItem(0, has.meterId, has.flags, has.bands).form === wanted.form) return undefined
  const { flags, bands } = wanted
  const command = has ? 'modify' : 'add'
  const [refused] = await session.apply([meterMod({ command, meterId: meters.controller, flags, bands: [...bands] })])
  return refused?.words
}
