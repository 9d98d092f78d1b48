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
  /** Those whose other end came back from a pod: they are not free before they were made anew. */
  readonly stale: ReadonlySet<number>
}

export type Inventory = {
  readonly devices: ReadonlyMap<string, Device>
  /** Ends on the bridge that belong to this agent. */
  readonly own: ReadonlySet<string>
  /** Interfaces that the switch has ports for: of those whose device is gone, too. */
  readonly ports: ReadonlySet<number>
  /** OpenFlow ports that links have. */
  readonly taken: ReadonlySet<number>
  /** Ends for pods, under whatever name, that are here and were in another network namespace. */
  readonly returned: ReadonlySet<string>
}

export function stockFor(plan: NodePlan['interfaces'], { devices, own, ports, taken, returned }: Inventory): Stock {
  const { fixed, spare, most, bridgePrefix } = plan
  const there = new Set(ports)
  const live = new Set<number>()
  const stale = new Set<number>()
  for (const { name, peer, peerName } of devices.values()) {
    const number = peer === undefined || !own.has(name) ? undefined : numberOf(bridgePrefix, name)
    if (number === undefined) continue
    there.add(number)
    if (peer === 'elsewhere') live.add(number)
    else if (peerName !== undefined && returned.has(peerName)) stale.add(number)
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
  return { wanted: sorted([...new Set([...always, ...live, ...kept, ...added])]), live, stale }
}

/** That pods have all of the interfaces, and what to do; undefined while one is free, or none was planned. */
export function exhausted({ fixed, spare, most }: NodePlan['interfaces'], { wanted, live }: Stock): string | undefined {
  if (fixed + spare === 0 || wanted.some(number => !live.has(number))) return undefined
  const bound = live.size >= most ? `most is ${most}` : `spare is ${spare}, interfaceNumber ${fixed}`
  return `no interface is free: pods have all ${live.size}. The next pod finds none until one ends: raise it (${bound})`
}

/** From the first to the last, both included. */
export const range = (first: number, last: number): number[] =>
  Array.from({ length: Math.max(0, last - first + 1) }, (_, index) => first + index)

const sorted = (numbers: readonly number[]): number[] => numbers.toSorted((a, b) => a - b)
