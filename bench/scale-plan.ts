// What scale.ts and its emulated switches agree on.
import { networkId } from './world.ts'

export type Plan = { readonly switches: number; readonly ports: number; readonly openflowPort: number }
/** What the switches hold, and how many changes they were sent since they were asked last. */
export type Tally = { readonly flows: number; readonly flowMods: number }

export const dpidOf = (s: number): string => (s + 1).toString(16).padStart(16, '0')

/** Switches form a tree in which each has two below it: port 5000 leads up, 5001 and 5002 down. */
const up = 5000
export const linkPorts = (s: number, switches: number): number[] => [
  ...(s > 0 ? [up] : []),
  ...[2 * s + 1, 2 * s + 2].flatMap((child, i) => (child < switches ? [up + 1 + i] : [])),
]
export const links = (switches: number) =>
  Array.from({ length: switches - 1 }, (_, i) => {
    const child = i + 1
    const parent = (child - 1) >> 1
    return { from: { dpid: dpidOf(parent), port: up + 2 - (child % 2) }, to: { dpid: dpidOf(child), port: up } }
  })

/** Attachment i: port after port, and its network such that neighbours share it. */
export const attachmentAt = (i: number, { switches, networks }: { switches: number; networks: number }) => {
  const network = i % networks
  const nth = Math.floor(i / networks)
  // The members of a network are on switches beside each other.
  const s = (Math.floor((network * switches) / networks) + nth) % switches
  return { network: networkId(network), dpid: dpidOf(s), slot: i }
}
