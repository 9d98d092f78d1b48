/** What `ip -json` says of the network devices of this node, as values. Pure. */

export type Device = {
  readonly name: string
  /** The kernel's number of it: a device that was made anew has another one. */
  readonly index: number
  readonly mac: string
  readonly mtu: number
  readonly up: boolean
  readonly carrier: boolean
  readonly loopback: boolean
  readonly ethernet: boolean
  /** `veth`, `bridge`, ...; undefined for a physical one. */
  readonly kind: string | undefined
  /** The bridge, bond or switch that it is a port of. */
  readonly master: string | undefined
  readonly alias: string | undefined
  /** Where the other end of a veth is. */
  readonly peer: 'here' | 'elsewhere' | undefined
  /** The name of the other end, if that is here. */
  readonly peerName: string | undefined
}

/** An address with everything that its owner chose. Times are seconds since boot; absent: for ever. */
export type OwnAddress = {
  /** With its prefix length: `192.0.2.1/24`. */
  readonly address: string
  readonly peer?: string
  readonly broadcast?: string
  readonly scope: string
  /** IPv4: a second name of the device, `eth0:1`. */
  readonly label?: string
  readonly metric?: number
  readonly flags?: readonly string[]
  readonly validUntil?: number
  readonly preferredUntil?: number
}
export type Address = OwnAddress & { readonly device: string }

/** A route with everything that its owner chose. `expires`: seconds since boot. */
export type OwnRoute = {
  /** `default`, or a prefix. */
  readonly to: string
  readonly family: 4 | 6
  readonly table?: string
  readonly protocol?: string
  readonly tos?: string
  /** `192.0.2.254`, or `inet6 fe80::1` for an IPv4 route over IPv6. */
  readonly via?: string
  readonly from?: string
  readonly scope?: string
  readonly metric?: number
  /** The gateway is reached though no prefix of the device has it. */
  readonly onlink?: true
  readonly pref?: string
  readonly expires?: number
  /** `mtu`, `advmss`, ... */
  readonly metrics?: Readonly<Record<string, number>>
  /** In place of `via`: several gateways. One without a device is on the device of the route. */
  readonly hops?: readonly { readonly via?: string; readonly device?: string; readonly weight: number }[]
}
export type Route = OwnRoute & { readonly device: string }

/** A neighbour that somebody entered by hand, or that the device answers for (`proxy`). */
export type OwnNeighbour = { readonly to: string; readonly mac?: string; readonly proxy?: true }
export type Neighbour = OwnNeighbour & { readonly device: string }

/** A rule of policy routing, as `ip rule add` takes it; `*` in place of the device after `iif` and `oif`. */
export type OwnRule = { readonly family: 4 | 6; readonly words: readonly string[] }
export type Rule = OwnRule & { readonly device: string }

/** What the node's network is at one moment. */
export type Machine = {
  readonly devices: ReadonlyMap<string, Device>
  /** In the order in which a device has them. */
  readonly addresses: readonly Address[]
  readonly routes: readonly Route[]
  readonly neighbours: readonly Neighbour[]
  /** Those that name a device. */
  readonly rules: readonly Rule[]
  /** Seconds since boot, by a clock that never jumps. */
  readonly uptime: number
}

/** Of `ip -json -details link show`. */
export function readDevices(text: string): ReadonlyMap<string, Device> {
  return new Map(objects(text).map(link => [String(link['ifname']), device(link)]))
}

function device(link: Fields): Device {
  const kind = (link['linkinfo'] as Fields | undefined)?.['info_kind']
  const flags = link['flags'] as readonly string[]
  const peer = kind !== 'veth' ? undefined : link['link_netnsid'] === undefined ? 'here' : 'elsewhere'
  return {
    name: String(link['ifname']),
    index: Number(link['ifindex']),
    mac: String(link['address']),
    mtu: Number(link['mtu']),
    up: flags.includes('UP'),
    carrier: flags.includes('LOWER_UP'),
    loopback: flags.includes('LOOPBACK'),
    ethernet: link['link_type'] === 'ether',
    kind: text(kind),
    master: text(link['master']),
    alias: text(link['ifalias']),
    // The number of a namespace is there exactly if that is another one.
    peer,
    peerName: peer === 'here' ? text(link['link']) : undefined,
  }
}

/** What an address can be marked with, and `ip address` takes again. */
const addressFlags = ['noprefixroute', 'mngtmpaddr', 'home', 'autojoin'] as const

/** Of `ip -json address show`. Those of the host alone are left out. */
export const readAddresses = (json: string, uptime: number): Address[] =>
  objects(json).flatMap(link =>
    ((link['addr_info'] as readonly Fields[] | undefined) ?? [])
      .filter(({ scope, local }) => scope !== 'host' && typeof local === 'string')
      .map(info => ({ device: String(link['ifname']), ...readAddress(info, uptime) })),
  )

function readAddress(info: Fields, uptime: number): OwnAddress {
  const flags = addressFlags.filter(flag => info[flag] === true)
  const until = (seconds: unknown) =>
    typeof seconds === 'number' && seconds < 0xffffffff ? uptime + seconds : undefined
  return compact({
    address: `${info['local']}/${info['prefixlen']}`,
    peer: text(info['address']),
    broadcast: text(info['broadcast']),
    scope: text(info['scope']) ?? 'global',
    label: text(info['label']),
    metric: number(info['metric']),
    flags: flags.length > 0 ? flags : undefined,
    validUntil: until(info['valid_life_time']),
    preferredUntil: until(info['preferred_life_time']),
  })
}

/** Of `ip -json route show table all`: unicast routes, but for those that a router advertised. */
export const readRoutes = (json: string, family: 4 | 6, uptime: number): Route[] =>
  objects(json)
    .filter(isUnicast)
    .flatMap(route => {
      const hops = route['nexthops'] as readonly Fields[] | undefined
      const device = text(route['dev']) ?? text(hops?.[0]?.['dev'])
      return device === undefined ? [] : [{ device, ...readRoute(route, family, uptime, device) }]
    })

const isUnicast = ({ type, table, protocol }: Fields): boolean =>
  (type === undefined || type === 'unicast') && table !== 'local' && !['ra', 'redirect'].includes(String(protocol))

/**
 * Whether somebody made the route: the kernel makes one to the prefix of each address by itself. A program that keeps it
 * from that (`noprefixroute`) makes the same route with a metric of its own, and says that the kernel did.
 */
export function isChosen(
  { device, family, protocol, from, to, metric }: Route,
  addresses: readonly Address[],
): boolean {
  if (protocol !== 'kernel') return true
  const own = addresses.filter(address => address.device === device)
  if (family === 4)
    return own.some(({ address, flags }) => address.split('/')[0] === from && flags?.includes('noprefixroute'))
  return !/^f[ef]/.test(to) && metric !== 256 && !own.some(address => address.metric === metric)
}

const known = ['mtu', 'advmss', 'window', 'hoplimit', 'initcwnd', 'initrwnd', 'quickack', 'reordering'] as const

function readRoute(route: Fields, family: 4 | 6, uptime: number, device: string): OwnRoute {
  const { table, protocol, expires, pref, scope } = route
  const [metrics] = (route['metrics'] as readonly Fields[] | undefined) ?? []
  const kept = known.flatMap(name => (typeof metrics?.[name] === 'number' ? [[name, metrics[name]] as const] : []))
  return compact({
    to: String(route['dst']),
    family,
    table: table === 'main' ? undefined : text(table),
    protocol: protocol === 'boot' ? undefined : text(protocol),
    tos: text(route['tos']),
    via: gatewayOf(route),
    from: text(route['prefsrc']),
    scope: family === 4 && scope !== 'global' ? text(scope) : undefined,
    metric: number(route['metric']),
    onlink: isOnlink(route) || undefined,
    pref: pref === 'medium' ? undefined : text(pref),
    expires: typeof expires === 'number' ? uptime + expires : undefined,
    metrics: kept.length > 0 ? Object.fromEntries(kept) : undefined,
    hops: (route['nexthops'] as readonly Fields[] | undefined)?.map(hop =>
      compact({
        via: gatewayOf(hop),
        device: hop['dev'] === device ? undefined : text(hop['dev']),
        weight: Number(hop['weight'] ?? 1),
      }),
    ),
  })
}

const gatewayOf = (route: Fields): string | undefined => {
  const via = route['via'] as Fields | undefined
  return text(route['gateway']) ?? (via && `${via['family']} ${via['host']}`)
}

const isOnlink = ({ flags }: Fields) => Array.isArray(flags) && flags.includes('onlink') && (true as const)

/** Of `ip -json neighbour show nud permanent`, or of `... show proxy`. */
export const readNeighbours = (json: string): Neighbour[] =>
  objects(json).flatMap(({ dst, dev, lladdr, proxy }): Neighbour[] => {
    if (typeof dst !== 'string' || typeof dev !== 'string') return []
    if (proxy !== undefined) return [{ device: dev, to: dst, proxy: true }]
    return typeof lladdr === 'string' ? [{ device: dev, to: dst, mac: lladdr }] : []
  })

/** Of `ip rule show`: its text is what `ip rule add` takes, and its JSON is not. A rule that names two devices belongs to the first. */
export const readRules = (text: string, family: 4 | 6): Rule[] =>
  text.split('\n').flatMap(line => {
    const [, priority, selectors = ''] = /^(\d+):\s+(.*)$/.exec(line) ?? []
    const given = selectors.split(/\s+/).filter(word => word !== '' && !/^\[.*\]$/.test(word))
    const device = given[given.findIndex(word => word === 'iif' || word === 'oif') + 1]
    if (priority === undefined || device === undefined || !/\b[io]if /.test(selectors)) return []
    const words = given.map((word, i) => (word === device && /^[io]if$/.test(given[i - 1] ?? '') ? '*' : word))
    return [{ device, family, words: ['priority', priority, ...words] }]
  })

type Fields = Readonly<Record<string, unknown>>
const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
const number = (value: unknown): number | undefined => (typeof value === 'number' ? value : undefined)

type Compact<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>
}
/** Without the fields that are undefined. */
const compact = <T extends object>(value: T): Compact<T> =>
  Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as Compact<T>

/** `ip -json` prints nothing at all where there is nothing, and empty objects for what a filter left out. */
const objects = (json: string): Fields[] =>
  json.trim() === '' ? [] : (JSON.parse(json) as Fields[]).filter(link => Object.keys(link).length > 0)
