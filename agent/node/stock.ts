/**
 * Which interfaces for pods there should be. Numbers 1 to `fixed` always; more, from firstSparePort on, so that some are
 * free at any time. What a pod has stays, whatever was planned. Pure.
 */

import { firstSparePort, type NodePlan } from '../../api/contract/node-schemas.ts'
import type { Device } from './devices.ts'

/** The number of the interface whose end on the bridge has this name; undefined if it is none of the plan's. */
export const numberOf = (bridgePrefix: string, name: string): number | undefined => {
  const digits = name.startsWith(bridgePrefix) ? name.slice(bridgePrefix.length) : ''
  return /^[1-9]\d{0,9}$/.test(digits) ? Number(digits) : undefined
}

export type Stock = {
  /** Numbers, ascending. */
  readonly wanted: readonly number[]
  /** Those whose other end is in a pod. */
  readonly live: ReadonlySet<number>
}

export type Inventory = {
  readonly devices: ReadonlyMap<string, Device>
  /** Interfaces that the switch has ports for: of those whose device is gone, too. */
  readonly ports: ReadonlySet<number>
  /** OpenFlow ports that links have. */
  readonly taken: ReadonlySet<number>
}

export function stockFor(
  { fixed, spare, most, bridgePrefix }: NodePlan['interfaces'],
  { devices, ports, taken }: Inventory,
): Stock {
  const there = new Set(ports)
  const live = new Set<number>()
  for (const { name, peer } of devices.values()) {
    const number = peer === undefined ? undefined : numberOf(bridgePrefix, name)
    if (number === undefined) continue
    there.add(number)
    if (peer === 'elsewhere') live.add(number)
  }
  const always = range(1, fixed).filter(number => !taken.has(number))
  const beyond = (free: number) => Math.min(Math.max(fixed, live.size + free), most) - always.length
  const used = [...live].filter(number => number > fixed)
  const spared = sorted([...there].filter(number => number >= firstSparePort && !live.has(number)))
  // Twice as many free as asked for are kept: a pod that ends and comes back makes and removes nothing.
  const kept = [...used, ...spared].slice(0, Math.max(used.length, beyond(2 * spare)))
  const more = Math.max(0, beyond(spare) - kept.length)
  const added = range(firstSparePort, firstSparePort + kept.length + taken.size + more)
    .filter(number => !kept.includes(number) && !taken.has(number))
    .slice(0, more)
  return { wanted: sorted([...new Set([...always, ...live, ...kept, ...added])]), live }
}

/** From the first to the last, both included. */
export const range = (first: number, last: number): number[] =>
  Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index)

const sorted = (numbers: readonly number[]): number[] => numbers.toSorted((a, b) => a - b)
