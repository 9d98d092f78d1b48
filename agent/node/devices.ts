/** What `ip -json` says of the network devices of this node, as values. Pure. */

export type Device = {
  readonly name: string
  /** The kernel's number of it: a device that was made anew has another one. */
  readonly index: number
  readonly mac: string
  readonly mtu: number
  readonly up: boolean
  readonly carrier: boolean
  /** `veth`, `bridge`, ...; undefined for a physical one. */
  readonly kind: string | undefined
  /** Where the other end of a veth is. */
  readonly peer: 'here' | 'elsewhere' | undefined
}

export type Address = {
  readonly device: string
  /** With its prefix length: `192.0.2.1/24`. */
  readonly address: string
}

export type Route = {
  readonly device: string
  /** `default`, or a prefix. */
  readonly to: string
  readonly family: 4 | 6
  readonly via?: string
  readonly from?: string
  readonly metric?: number
  /** The gateway is reached though no prefix of the device has it. */
  readonly onlink?: true
}

/** Of `ip -json -details link show`. */
export function readDevices(text: string): ReadonlyMap<string, Device> {
  return new Map(objects(text).map(link => [String(link['ifname']), device(link)]))
}

function device(link: Fields): Device {
  const kind = (link['linkinfo'] as Fields | undefined)?.['info_kind']
  const flags = link['flags'] as readonly string[]
  return {
    name: String(link['ifname']),
    index: Number(link['ifindex']),
    mac: String(link['address']),
    mtu: Number(link['mtu']),
    up: flags.includes('UP'),
    carrier: flags.includes('LOWER_UP'),
    kind: typeof kind === 'string' ? kind : undefined,
    // The number of a namespace is there exactly if that is another one.
    peer: kind !== 'veth' ? undefined : link['link_netnsid'] === undefined ? 'here' : 'elsewhere',
  }
}

/** Of `ip -json address show`: what somebody chose, so not the link-local ones that come by themselves. */
export const readAddresses = (text: string): Address[] =>
  objects(text).flatMap(link =>
    ((link['addr_info'] as readonly Fields[] | undefined) ?? [])
      .filter(({ scope }) => scope === 'global' || scope === 'site')
      .map(({ local, prefixlen }) => ({ device: String(link['ifname']), address: `${local}/${prefixlen}` })),
  )

/** Of `ip -json route show`: what does not come by itself with an address. */
export const readRoutes = (text: string, family: 4 | 6): Route[] =>
  objects(text)
    .filter(({ dev, protocol }) => typeof dev === 'string' && protocol !== 'kernel' && protocol !== 'ra')
    .map(({ dev, dst, gateway, prefsrc, metric, flags }) => ({
      device: String(dev),
      to: String(dst),
      family,
      ...(typeof gateway === 'string' && { via: gateway }),
      ...(typeof prefsrc === 'string' && { from: prefsrc }),
      ...(typeof metric === 'number' && { metric }),
      ...(Array.isArray(flags) && flags.includes('onlink') && ({ onlink: true } as const)),
    }))

type Fields = Readonly<Record<string, unknown>>

/** `ip -json` prints nothing at all where there is nothing, and empty objects for what a filter left out. */
const objects = (text: string): Fields[] =>
  text.trim() === '' ? [] : (JSON.parse(text) as Fields[]).filter(link => Object.keys(link).length > 0)
