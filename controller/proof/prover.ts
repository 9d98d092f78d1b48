// The proof of a whole data plane, kept: after a change only the networks are proved anew whose frames may meet what changed.
//
// That is sound because of what each network's own proof shows first: its frames have no other network's metadata, so entries behind the
// first table that name another's are never met. A network whose proof found otherwise is proved anew at every change.
import type { Steps } from '../../topology/steps.ts'
import { type DatapathId, type Endpoint, endpointKey, type PortNo } from '../../topology/topology.ts'
import type { Counterexample } from './counterexample.ts'
import type { DataPlane } from './data-plane.ts'
import { type Common, commonOf } from './declared.ts'
import { untouched } from './flight.ts'
import { frameSpace } from './frame-sets.ts'
import { type Fabric, newMemory, travel } from './journey.ts'
import { type Case, prove, silent } from './law.ts'
import { type Met, type ModelSwitch, modelSwitch, type Spec, specOf } from './model.ts'
import { changedPorts, linksAt, reachOf, sameReach } from './reach.ts'
import { collector, type Proof, reportOf } from './report.ts'
import type { Rule } from './rule.ts'
import { shadowed } from './shadow.ts'

export type Prover = {
  /** What a network (by number; 0 the switch itself, -1 others) owns on a switch may have changed; undefined: all that it holds. */
  itemsChanged(dpid: DatapathId, owner?: number): void
  /** What was declared of a network changed; or it came, or went. */
  networkChanged(number: number): void
  /** Links, or ports, of these switches changed; or they came, or went. */
  switchesChanged(dpids: Iterable<DatapathId>): void
  /** Networks that have to be proved anew. */
  stale(): ReadonlySet<number>
  /** Everything that is not proved yet, or no longer. */
  prove(): Steps<Proof>
  /** Of these networks, and of the ports of this switch that are in none, what is not proved yet, or no longer. */
  proveSome(numbers: Iterable<number>, dpid: DatapathId): Steps<void>
  /** What is known of one network, as it was proved last. */
  of(number: number): readonly Counterexample[]
  /** The same of the ports of a switch that are in no network. */
  at(dpid: DatapathId): readonly Counterexample[]
}

/** More nodes than this are forgotten before the next network: what they were for is proved. */
const mostNodes = 1 << 18
export function newProver(plane: DataPlane): Prover {
  const space = frameSpace(16)
  let common: Common = commonOf(space)
  const switches = new Map<DatapathId, ModelSwitch>()
  const spec: Spec = specOf(plane)
  const results = new Map<number, readonly Counterexample[]>()
  const ofSwitch = new Map<DatapathId, readonly Counterexample[]>()
  /** Ports that a network's frames left by, and networks whose metadata they had. */
  const used = new Map<number, ReadonlySet<string>>()
  const entangled = new Set<number>()
  const stale = new Set<number>(spec.networks.keys())
  const staleSwitches = new Set<DatapathId>(plane.switches.keys())
  let reach = reachOf(plane)
  const links = new Map<DatapathId, string>()
  const hit = new WeakSet<Rule>()

  const read = (dpid: DatapathId) => {
    const sw = modelSwitch(plane, dpid)
    sw.read(plane.switches.get(dpid)!.items())
    switches.set(dpid, sw)
    links.set(dpid, linksAt(plane, dpid))
    unread.delete(dpid)
    return sw
  }
  /** Switches whose tables were not looked at yet. */
  const unread = new Set<DatapathId>(plane.switches.keys())

  const allStale = () => {
    for (const number of spec.networks.keys()) stale.add(number)
    for (const dpid of switches.keys()) staleSwitches.add(dpid)
  }
  const meet = (sw: ModelSwitch, { networks, ports, any }: Met) => {
    if (networks.size + ports.size === 0 && !any) return
    for (const number of entangled) stale.add(number)
    staleSwitches.add(sw.dpid)
    if (any) {
      for (const number of spec.networks.keys()) stale.add(number)
      return
    }
    for (const number of networks) {
      const whose = plane.network(number)?.number ?? number
      if (spec.networks.has(whose)) stale.add(whose)
    }
    for (const port of ports) {
      const at = { dpid: sw.dpid, port }
      for (const { network } of spec.at(at)) stale.add(network)
      for (const number of spec.endsAt(at)) stale.add(number)
    }
  }

  const portsMoved = (dpid: DatapathId, moved: readonly PortNo[]) => {
    for (const [number, ports] of used) if (moved.some(port => ports.has(`${dpid}/${port}`))) stale.add(number)
    for (const rule of switches.get(dpid)!.rules())
      if (rule.inPort !== undefined && moved.includes(rule.inPort)) stale.add(rule.entry.owner)
    staleSwitches.add(dpid)
  }

  const fabricOf = (watch: Fabric['watch']): Fabric => ({ space, switches, link: plane.link, watch })

  function* proveOne(number: number): Steps<void> {
    const ports = new Set<string>()
    const known = new Set<number>()
    const breaches = collector(fabricOf({}), plane.network(number)?.numbers ?? [number])
    const watch = {
      meets: (rule: Rule) => void hit.add(rule),
      knows: (network: number) => void known.add(network),
      leaves: (at: Endpoint) => void ports.add(endpointKey(at)),
    }
    const fabric = fabricOf(watch)
    const the: Case = {
      ...{ fabric, spec, common, travel: travel(fabric, newMemory()), reaches: dpid => reach.get(dpid) ?? none },
      breach: breaches.take,
    }
    yield* prove(the, number)
    for (const [dpid, sw] of switches)
      breaches.shadowed(dpid, number, shadowed(space, common.every, sw, unhit(sw.rules(number), hit)))
    results.set(number, breaches.found)
    used.set(number, ports)
    const numbers = plane.network(number)?.numbers ?? []
    const isApart = [...known].every(n => n === number || numbers.includes(n))
    if (isApart && breaches.found.length === 0) entangled.delete(number)
    else entangled.add(number)
  }

  /** Ports that belong to nobody let nothing in. */
  function* proveSwitch(sw: ModelSwitch): Steps<void> {
    const { dpid } = sw
    const breaches = collector(fabricOf({}), [])
    const fabric = fabricOf({ meets: rule => void hit.add(rule) })
    const ways = travel(fabric, newMemory())
    const the: Case = {
      ...{ fabric, spec, common, travel: ways, reaches: id => reach.get(id) ?? none },
      breach: breaches.take,
    }
    const asked = new Set([...sw.rules()].map(({ inPort }) => inPort))
    let others: PortNo | undefined
    const flight = { set: common.every, pushed: [], popped: 0, rewritten: untouched, trail: [] }
    for (const port of sw.ports) {
      const at = { dpid, port }
      if (plane.link(at)) continue
      if (spec.at(at).length > 0 || isVlinkEnd(spec, at)) continue
      if (!asked.has(port)) {
        if (others !== undefined) continue
        others = port
      }
      silent(the, { network: 0, from: at, tunnel: 0n }, ways.from(at, 0n, flight))
      yield
    }
    for (const owner of [0, -1])
      breaches.shadowed(dpid, 0, shadowed(space, common.every, sw, unhit(sw.rules(owner), hit)))
    ofSwitch.set(dpid, breaches.found)
  }

  function* readAll(): Steps<void> {
    for (const dpid of unread) {
      read(dpid)
      yield
    }
  }

  function* proveStale(numbers: Iterable<number>, dpids: Iterable<DatapathId>): Steps<void> {
    for (const number of numbers) {
      if (!stale.delete(number)) continue
      if (space.size() > mostNodes) {
        space.clear()
        common = commonOf(space)
      }
      if (spec.networks.has(number)) yield* proveOne(number)
      yield
    }
    for (const dpid of dpids) {
      const sw = switches.get(dpid)
      if (staleSwitches.delete(dpid) && sw) yield* proveSwitch(sw)
      yield
    }
  }

  return {
    itemsChanged(dpid, owner) {
      const is = plane.switches.get(dpid)
      const sw = switches.get(dpid)
      if (unread.has(dpid)) return
      if (!is || !sw) this.switchesChanged([dpid])
      else meet(sw, sw.read(is.items(owner), owner))
    },
    networkChanged(number) {
      for (const touched of spec.read(number)) {
        if (spec.networks.has(touched)) stale.add(touched)
        else for (const map of [results, used]) map.delete(touched)
        for (const { dpid } of spec.members(touched)) staleSwitches.add(dpid)
      }
      for (const other of entangled) stale.add(other)
    },
    switchesChanged(dpids) {
      const moved = new Map<DatapathId, readonly PortNo[]>()
      let isOther = false
      for (const dpid of dpids) {
        const is = plane.switches.get(dpid)
        if (unread.has(dpid) && is) continue
        const before = links.get(dpid)
        const sw = switches.get(dpid)
        const isAnother = sw && is && sw.isOpenVSwitch !== (is.isOpenVSwitch !== false)
        if (!is) {
          switches.delete(dpid)
          links.delete(dpid)
          ofSwitch.delete(dpid)
        } else if (!sw || isAnother) read(dpid)
        else {
          sw.readPorts(is)
          links.set(dpid, linksAt(plane, dpid))
        }
        if (before === undefined || !is || isAnother) isOther = true
        else moved.set(dpid, changedPorts(before, links.get(dpid)!))
      }
      const now = reachOf(plane)
      if (isOther || !sameReach(reach, now)) allStale()
      else for (const [dpid, ports] of moved) if (ports.length > 0) portsMoved(dpid, ports)
      reach = now
    },
    stale: () => stale,
    of: number => results.get(number) ?? [],
    at: dpid => ofSwitch.get(dpid) ?? [],
    *proveSome(numbers, dpid) {
      yield* readAll()
      yield* proveStale(numbers, [dpid])
    },
    *prove() {
      yield* readAll()
      yield* proveStale([...stale], [...staleSwitches])
      return reportOf(plane, spec, switches, [...results.values(), ...ofSwitch.values()].flat())
    },
  }
}

const none: ReadonlySet<DatapathId> = new Set()
function* unhit(rules: Iterable<Rule>, hit: WeakSet<Rule>): Iterable<Rule> {
  for (const rule of rules) if (!hit.has(rule)) yield rule
}
const isVlinkEnd = ({ endsAt, networks }: Spec, at: Endpoint): boolean =>
  [...endsAt(at)].some(number => networks.get(number)?.vlink !== undefined)
