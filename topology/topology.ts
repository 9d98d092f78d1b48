/** What exists: datapaths, their ports, and the links between them. Plain data; nothing here acts. */

/** A datapath id as 16 lower-case hex digits, without `of:` (OpenFlow 1.3.5 §7.3.1). */
export type DatapathId = string

/** An OpenFlow port number: 1 to 0xffffff00; reserved ports (LOCAL, CONTROLLER, ...) never appear here (§7.2.1). */
export type PortNo = number

export type Port = {
  readonly number: PortNo
  readonly name: string
  /** `aa:bb:cc:dd:ee:ff` */
  readonly mac: string
  /** Neither administratively down nor without carrier. */
  readonly up: boolean
}

export type Endpoint = { readonly dpid: DatapathId; readonly port: PortNo }

/** One direction: what leaves `from` arrives at `to`. A link carries traffic only when both directions are known. */
export type Link = {
  readonly from: Endpoint
  readonly to: Endpoint
  /** 1 or more; absent: what a link costs by default. */
  readonly cost?: number
  /** How it tells networks apart: `vni` (the default), a VXLAN tunnel; `vid`, a plain link with VLANs. */
  readonly carries?: 'vni' | 'vid'
}

/** Keys of maps: made and read here, and taken apart nowhere else. */
export const endpointKey = (e: Endpoint): string => `${e.dpid}/${e.port}`
export const linkKey = (l: Link): string => `${endpointKey(l.from)}/${endpointKey(l.to)}`

/** The endpoint of an endpointKey; of the key of an attachment with a VLAN, too. */
export const endpointOf = (key: string): Endpoint => {
  const [dpid = '', port] = key.split('/')
  return { dpid, port: Number(port) }
}

/** The ends of a linkKey. */
export const linkOf = (key: string): Link => {
  const [from = '', fromPort, to = '', toPort] = key.split('/')
  return { from: { dpid: from, port: Number(fromPort) }, to: { dpid: to, port: Number(toPort) } }
}
