// Keys of the store's objects: made here, and read nowhere else. Those of ports and links are topology/topology.ts's.
import { type Endpoint, endpointKey } from '../topology/topology.ts'

/** Of an attachment: `<dpid>/<port>`, or `<dpid>/<port>/<vlan>`. */
export const attachmentKey = (a: Endpoint & { readonly vlan?: number | undefined }): string =>
  a.vlan === undefined ? endpointKey(a) : `${endpointKey(a)}/${a.vlan}`

/** Of a MAC address in a network. A space is in no network's id (parseNetworkId). */
export const macKey = (network: string, mac: string): string => `${network} ${mac}`

/** Of an IP address in a network. */
export const ipKey = (network: string, ip: string): string => `${network} ${ip}`

/** Of a link between two nodes, whichever is named first. A space is in no node's name. */
export const nodeLinkKey = (one: string, other: string): string => (one < other ? `${one} ${other}` : `${other} ${one}`)

/** Of a network on a switch. */
export const placeKey = (network: string, dpid: string): string => `${network} ${dpid}`

/** Of a network, by its number, on a switch. */
export const holdingKey = ({ number, dpid }: { readonly number: number; readonly dpid: string }): string =>
  `${number} ${dpid}`

/** Of two switches, in this order. */
export const pairKey = (from: string, to: string): string => `${from} ${to}`
