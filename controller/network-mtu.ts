import { exits } from '../topology/path-mtu.ts'
import type { Discovery } from './discover.ts'
import { lanesOf } from './lanes.ts'
import { slices } from './slices.ts'
import type { Compiled } from './tables.ts'

/** The least MTU of the links on the network's routes; undefined if one is not known. */
export async function networkMtu(
  network: Compiled | undefined,
  { mtu }: Pick<Discovery, 'mtu'>,
): Promise<number | undefined> {
  const slice = slices()
  let least: number | undefined
  for (const exit of exits(network ? lanesOf(network.course).map(({ route }) => route) : [])) {
    const here = mtu(exit)
    if (here === undefined) return undefined
    least = Math.min(least ?? here, here)
    await slice()
  }
  return least
}
