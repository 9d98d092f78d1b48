import { exits } from '../../topology/path-mtu.ts'
import { pathVersionsOf } from '../compile/rollout.ts'
import type { Compiled } from '../compile/tables.ts'
import { slices } from '../switch/slices.ts'
import type { Discovery } from './discovery.ts'

/** The least MTU of the links on the network's routes; undefined if one is not known. */
export async function networkMtu(
  network: Compiled | undefined,
  { mtu }: Pick<Discovery, 'mtu'>,
): Promise<number | undefined> {
  const slice = slices()
  let least: number | undefined
  for (const exit of exits(network ? pathVersionsOf(network.rollout).map(({ route }) => route) : [])) {
    const here = mtu(exit)
    if (here === undefined) return undefined
    least = Math.min(least ?? here, here)
    await slice()
  }
  return least
}
