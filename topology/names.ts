/**
 * How today's L2S-M names things, so that whoever knows a node's name knows its bridge, its datapath and its ports.
 * Names of devices: Linux takes 15 characters at most.
 */
import { hash } from 'node:crypto'
import type { DatapathId } from './topology.ts'

const digest = (text: string): string => hash('sha256', text)

/** The provider of the overlay within one cluster. */
export const overlayProvider = 'l2sm-controller'

/** `br-` and the first 4 bytes of sha256(node + provider). */
export const bridgeName = (node: string, provider: string = overlayProvider): string =>
  `br-${digest(node + provider).slice(0, 8)}`

/** The first 8 bytes of sha256(bridge). */
export const datapathOf = (bridge: string): DatapathId => digest(bridge).slice(0, 16)

/** What the interfaces of a bridge are called, before their number: `bridgePrefix` for the end on the bridge, `podPrefix` for the end in a pod. */
export const interfaceNames = (bridge: string): { readonly bridgePrefix: string; readonly podPrefix: string } => {
  const own = digest(bridge).slice(0, 5)
  return { bridgePrefix: `ls${own}`, podPrefix: `lp${own}` }
}

/** The port of the link from this bridge to that node. */
export const tunnelName = (bridge: string, peer: string): string => `vx${digest(`${bridge} ${peer}`).slice(0, 10)}`
