// What a switch holds now: read from it, beside the loop that keeps it right.
import type { Item } from './compile/item.ts'
import { readSteps } from './switch/content.ts'
import { inSlices } from './switch/slices.ts'
import type { Switch } from './switch/state.ts'

/** All of its flows, groups and meters, others' too. Undefined: it is not connected, or did not answer. Nothing that we know of it changes. */
export async function readBack(sw: Switch): Promise<readonly Item[] | undefined> {
  const { session } = sw
  if (!session) return undefined
  try {
    const [flows, groups, meters] = await Promise.all([
      session.readFlows(),
      session.groups(),
      session.can.maxMeter > 0 ? session.meters() : [],
    ])
    if (flows.missing.length > 0) return undefined
    const reading = await inSlices(readSteps(sw.dpid, { flows, groups, meters }, key => sw.held.items.get(key)))
    return [...reading.ours, ...reading.foreign]
  } catch {
    return undefined
  }
}
