import { type Fault, isFault } from './multus.ts'

type DatapathId = string
type Endpoint = { readonly dpid: DatapathId; readonly port: number }

/** What the controller is asked for (api/contract/schemas.ts, NetworkWish). */
export type VlinkWish = {
  readonly from: Endpoint
  readonly to: Endpoint
  readonly path: DatapathId[]
  readonly reversePath?: DatapathId[]
  readonly bandwidth?: number
  readonly latency?: number
}

/**
 * The `config` of an L2Network of type vlink, as L2S-M's users write it: a JSON text in which ends and links are named.
 * Whoever knows the names (an operator: from the Overlay and the pods) turns it into a spec that the controller takes, which
 * knows datapath ids and ports only.
 */
export type VlinkConfig = {
  readonly from: string
  readonly to: string
  /** Names of the links on the way there, in order; none when both ends are on one switch. */
  readonly links: readonly string[]
  /** And on the way back; absent: the same ones backwards. */
  readonly reverseLinks?: readonly string[]
  /** Bits a second. */
  readonly bandwidth?: number
  /** Nanoseconds. */
  readonly latency?: number
}

/** What the names stand for. */
export type Names = {
  readonly endpoint: (name: string) => Endpoint | undefined
  /** The two switches that a link joins, in either order. */
  readonly link: (name: string) => readonly [DatapathId, DatapathId] | undefined
}

const fault = (why: string): Fault => ({ fault: `this config is not one of a vlink: ${why}` })

type Loose = { readonly [key: string]: unknown }
type Path = {
  readonly from?: string | undefined
  readonly to?: string | undefined
  readonly links: readonly string[]
  readonly bandwidth?: number | undefined
  readonly latency?: number | undefined
}

/**
 * Reads a config. `FromEndpoint` and `ToEndpoint` may begin with a capital or not; keys that mean nothing to us (`name`) are
 * passed over. What a way back does not say of its ends, bandwidth or latency is as on the way there, and it may not say
 * otherwise: a vlink has one of each.
 */
export const parseVlinkConfig = (text: string): VlinkConfig | Fault => {
  const bad = fault
  const parameters = parameter(text)
  if (typeof parameters === 'string') return bad(parameters)
  const there = readPath(parameters, 'path')
  if (typeof there === 'string') return bad(there)
  const back = parameters['reverse-path'] === undefined ? undefined : readPath(parameters, 'reverse-path')
  if (typeof back === 'string') return bad(back)
  const { from, to, links } = there
  if (from === undefined || to === undefined)
    return bad('path names no fromEndpoint or no toEndpoint: expected the names of both')
  for (const [what, its, expected] of [
    ['fromEndpoint', back?.from, to],
    ['toEndpoint', back?.to, from],
    ['bandwidthBits', back?.bandwidth, there.bandwidth ?? back?.bandwidth],
    ['latencyNanos', back?.latency, there.latency ?? back?.latency],
  ] as const)
    if (its !== undefined && its !== expected)
      return bad(`${what} of reverse-path is ${JSON.stringify(its)}: expected ${JSON.stringify(expected)}, as of path`)
  const bandwidth = there.bandwidth ?? back?.bandwidth
  const latency = there.latency ?? back?.latency
  return {
    ...{ from, to, links },
    ...(back && { reverseLinks: back.links }),
    ...(bandwidth !== undefined && { bandwidth }),
    ...(latency !== undefined && { latency }),
  }
}

/** The wish that a config stands for, or which name is not known, or where its links do not join. */
export const vlinkWish = (config: VlinkConfig, names: Names): VlinkWish | Fault => {
  const from = names.endpoint(config.from)
  if (!from) return fault(`there is no endpoint ${JSON.stringify(config.from)}`)
  const to = names.endpoint(config.to)
  if (!to) return fault(`there is no endpoint ${JSON.stringify(config.to)}`)
  const path = walk(config.links, from, to, names)
  if (isFault(path)) return path
  const { reverseLinks, bandwidth, latency } = config
  const reversePath = reverseLinks && walk(reverseLinks, to, from, names)
  if (isFault(reversePath)) return reversePath
  return {
    ...{ from, to, path },
    ...(reversePath && { reversePath }),
    ...(bandwidth !== undefined && { bandwidth }),
    ...(latency !== undefined && { latency }),
  }
}

/** The switches that one passes on these links, each of which must begin where the one before it ends. */
const walk = (links: readonly string[], from: Endpoint, to: Endpoint, names: Names): DatapathId[] | Fault => {
  const path = [from.dpid]
  for (const name of links) {
    const ends = names.link(name)
    if (!ends) return fault(`there is no link ${JSON.stringify(name)}`)
    const at = path.at(-1)!
    const next = ends[0] === at ? ends[1] : ends[1] === at ? ends[0] : undefined
    if (next === undefined)
      return fault(`link ${JSON.stringify(name)} joins ${ends.join(' and ')}, and not switch ${at}`)
    path.push(next)
  }
  const last = path.at(-1)!
  return last === to.dpid ? path : fault(`its links lead to switch ${last}, and the endpoint is on switch ${to.dpid}`)
}

const isObject = (value: unknown): value is Loose =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const parameter = (text: string): Loose | string => {
  try {
    const config: unknown = JSON.parse(text)
    const parameters = isObject(config) ? config['overlay-parameters'] : undefined
    return isObject(parameters) ? parameters : 'expected an object {"overlay-parameters": {"path": ...}}'
  } catch (error) {
    return `it is not JSON: ${(error as Error).message}`
  }
}

const readPath = (parameters: Loose, name: 'path' | 'reverse-path'): Path | string => {
  const path = parameters[name]
  if (!isObject(path)) return `${name} is ${JSON.stringify(path) ?? 'missing'}: expected an object`
  const { links } = path
  if (!Array.isArray(links) || !links.every(link => typeof link === 'string'))
    return `links of ${name} is ${JSON.stringify(links) ?? 'missing'}: expected a list of names of links`
  const from = eitherCase(path, 'fromEndpoint')
  const to = eitherCase(path, 'toEndpoint')
  for (const [end, value] of Object.entries({ fromEndpoint: from, toEndpoint: to }))
    if (value !== undefined && typeof value !== 'string')
      return `${end} of ${name} is ${JSON.stringify(value)}: expected the name of an endpoint`
  const capabilities = path['capabilities'] ?? {}
  if (!isObject(capabilities)) return `capabilities of ${name} is ${JSON.stringify(capabilities)}: expected an object`
  const { bandwidthBits, latencyNanos } = capabilities
  const [bandwidth, latency] = [quantity(bandwidthBits), quantity(latencyNanos)]
  if (Number.isNaN(bandwidth))
    return `bandwidthBits of ${name} is ${JSON.stringify(bandwidthBits)}: expected such as "20M"`
  if (Number.isNaN(latency)) return `latencyNanos of ${name} is ${JSON.stringify(latencyNanos)}: expected such as "8e5"`
  return { from: from as string, to: to as string, links, bandwidth, latency }
}

/** Users write `FromEndpoint` as well. */
const eitherCase = (path: Loose, key: string): unknown => path[key] ?? path[key[0]!.toUpperCase() + key.slice(1)]

const factors: { readonly [suffix: string]: number } = {
  ...{ '': 1, k: 1e3, K: 1e3, M: 1e6, G: 1e9, T: 1e12 },
  ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 },
}

/** `20M`, `8e5`, `1.5G`, 1000: a whole number of units, rounded. Undefined when nothing is said, NaN when it is no quantity. */
const quantity = (value: unknown): number | undefined => {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'number' && typeof value !== 'string') return Number.NaN
  const parts = /^([0-9]+(?:\.[0-9]+)?(?:[eE]\+?[0-9]{1,2})?)([kKMGT]?|[KMGT]i)$/.exec(String(value))
  return parts ? Math.round(Number(parts[1]) * factors[parts[2]!]!) : Number.NaN
}
