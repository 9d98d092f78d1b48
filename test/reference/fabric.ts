// Reference switches joined by links and tunnels: where does a frame come out, and how often?
import { type PacketIn, process } from './process.ts'
import type { Output, Switch } from './switch.ts'

/** A port of a switch: `<dpid in 16 hex digits>/<port number>`. */
export type Endpoint = string
export const endpoint = (dpid: bigint, port: number): Endpoint => `${dpid.toString(16).padStart(16, '0')}/${port}`

export type Fabric = {
  readonly switches: ReadonlyMap<string, Switch>
  /** Both ways: what leaves by the one comes in by the other. */
  readonly links: ReadonlyMap<Endpoint, Endpoint>
}

export const newFabric = (switches: readonly Switch[], links: readonly (readonly [Endpoint, Endpoint])[]): Fabric => ({
  switches: new Map(switches.map(sw => [sw.dpid.toString(16).padStart(16, '0'), sw])),
  links: new Map(
    links.flatMap(([a, b]) => [
      [a, b],
      [b, a],
    ]),
  ),
})

/** A frame that came out of a port without a link. `path`: the ports by which it came into switches. */
export type Arrival = {
  readonly at: Endpoint
  readonly frame: Buffer
  readonly tunnelId: bigint
  readonly path: readonly Endpoint[]
}
export type Delivery = {
  readonly arrivals: readonly Arrival[]
  /** How many times each endpoint got it; in order of endpoint. */
  readonly counts: ReadonlyMap<Endpoint, number>
  /** Paths on which the same frame came to the same place twice; each is followed no further. */
  readonly loops: readonly (readonly Endpoint[])[]
  readonly packetIns: readonly { readonly dpid: string; readonly message: PacketIn }[]
  /** Switches where two entries of one priority matched: what happens there is undefined (OpenFlow 1.3.5 §5.3). */
  readonly ambiguous: ReadonlySet<string>
}

type Hop = { readonly at: Endpoint; readonly frame: Buffer; readonly tunnelId: bigint; readonly path: readonly Hop[] }

/** More frames than this of one that was sent is a storm, whatever its cause. */
const mostHops = 100_000

/** Sends a frame into a port, as a pod on it would; or, with a `tunnelId`, as a tunnel would. */
export const send = (fabric: Fabric, from: Endpoint, frame: Buffer, tunnelId = 0n): Delivery =>
  follow(fabric, [{ at: from, frame, tunnelId, path: [] }])

/** Follows what a switch sent out by itself (PACKET_OUT): empties `sent` of all switches. */
export function flush(fabric: Fabric): Delivery {
  const first: Hop[] = []
  const direct: Arrival[] = []
  for (const sw of fabric.switches.values()) leave(fabric, sw, sw.sent.splice(0), [], first, direct)
  const delivery = follow(fabric, first)
  const arrivals = [...direct, ...delivery.arrivals]
  return { ...delivery, arrivals, counts: count(arrivals) }
}

function follow(fabric: Fabric, pending: Hop[]): Delivery {
  const arrivals: Arrival[] = []
  const loops: Endpoint[][] = []
  const packetIns: { dpid: string; message: PacketIn }[] = []
  const ambiguous = new Set<string>()
  for (let done = 0, hop = pending.pop(); hop; hop = pending.pop()) {
    const [dpid, port] = split(hop.at)
    const sw = fabric.switches.get(dpid)
    if (!sw)
      throw new Error(`${hop.at}: the fabric has no switch ${dpid}; it has ${[...fabric.switches.keys()].join(', ')}`)
    if (++done > mostHops || hop.path.some(before => same(before, hop))) {
      loops.push([...hop.path, hop].map(({ at }) => at))
      if (done > mostHops) break
      continue
    }
    const result = process(sw, port, hop.frame, hop.tunnelId)
    if (result.ambiguous) ambiguous.add(dpid)
    for (const message of result.packetIns) packetIns.push({ dpid, message })
    leave(fabric, sw, result.outputs, [...hop.path, hop], pending, arrivals)
  }
  return { arrivals, counts: count(arrivals), loops, packetIns, ambiguous }
}

/** Where a switch's outputs get to: into the next switch, or out of the fabric. */
function leave(
  fabric: Fabric,
  sw: Switch,
  outputs: readonly Output[],
  path: readonly Hop[],
  hops: Hop[],
  arrivals: Arrival[],
): void {
  for (const { port, tunnelId, frame } of outputs) {
    const from = endpoint(sw.dpid, port)
    const to = fabric.links.get(from)
    if (to) hops.push({ at: to, frame, tunnelId, path })
    else arrivals.push({ at: from, frame, tunnelId, path: path.map(({ at }) => at) })
  }
}

const same = (a: Hop, b: Hop): boolean => a.at === b.at && a.tunnelId === b.tunnelId && a.frame.equals(b.frame)

function split(at: Endpoint): [dpid: string, port: number] {
  const slash = at.indexOf('/')
  return [at.slice(0, slash), Number(at.slice(slash + 1))]
}

function count(arrivals: readonly Arrival[]): Map<Endpoint, number> {
  const counts = new Map<Endpoint, number>()
  for (const { at } of [...arrivals].sort((a, b) => (a.at < b.at ? -1 : 1))) counts.set(at, (counts.get(at) ?? 0) + 1)
  return counts
}

/** A full mesh of VXLAN tunnels: switch i reaches switch j by port `base` + j (both counted from 1). */
export function meshLinks(switches: readonly Switch[], base = 100): [Endpoint, Endpoint][] {
  return switches.flatMap((a, i) =>
    switches
      .slice(i + 1)
      .map((b, j): [Endpoint, Endpoint] => [endpoint(a.dpid, base + i + j + 2), endpoint(b.dpid, base + i + 1)]),
  )
}
