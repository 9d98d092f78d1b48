// The data plane, ready to be asked: each switch's rules with an index, and whose each port is. It is read anew piece by piece: of a
// switch, what one network owns there.
import { groups as reserved } from '../../openflow/index.ts'
import { type DatapathId, type Endpoint, endpointKey, type PortNo } from '../../topology/topology.ts'
import { pipeline } from '../compile/pipeline.ts'
import {
  type DataPlane,
  entryOf,
  type HeldGroup,
  type HeldItem,
  type Member,
  type PlaneNetwork,
  type PlaneSwitch,
} from './data-plane.ts'
import type { Buckets, SwitchModel } from './flight.ts'
import { networkOf, type Rule, type RuleTable, ruleOf, ruleTable } from './rule.ts'

/** Whose a port is: a member's, with its network. */
export type Owner = { readonly network: number; readonly member: Member }

/** Whose frames meet a change: those of these networks, those that come in by these ports; or any. */
export type Met = { readonly networks: Set<number>; readonly ports: Set<PortNo>; any: boolean }

export type ModelSwitch = SwitchModel & {
  /** Rules that say from where an address speaks, by network (number). */
  readonly speakers: ReadonlyMap<number, ReadonlyMap<Rule, { readonly port: PortNo; readonly mac: number }>>
  /** Everything, or what the network with this number owns. Who may meet what changed. */
  read(items: Iterable<HeldItem>, owner?: number): Met
  /** Takes its ports as they are now. */
  readPorts(is: PlaneSwitch): void
  /** Some rule outside the guard asks for more of a source address than whether it is one. */
  readsSender(): boolean
  /** How many rules it has. */
  count(): number
  /** All rules, or those that the network with this number owns. */
  rules(owner?: number): Iterable<Rule>
}

export function modelSwitch(plane: DataPlane, dpid: DatapathId): ModelSwitch {
  const is = plane.switches.get(dpid)
  const ports = new Set(is?.ports.keys())
  const tables = new Map<number, RuleTable>()
  const groups = new Map<number, { readonly held: HeldGroup; buckets?: Buckets }>()
  const speakers = new Map<number, Map<Rule, { port: PortNo; mac: number }>>()
  const read = new Map<number, Map<HeldItem, Rule | undefined>>()
  let senders = 0
  let count = 0
  const put = (item: HeldItem): Rule | undefined => {
    if (item.kind === 'group') groups.set(item.id, { held: item })
    if (item.kind !== 'flow') return undefined
    const rule = ruleOf(entryOf(item))
    let table = tables.get(item.tableId)
    if (!table) tables.set(item.tableId, (table = ruleTable()))
    table.put(rule)
    if (asksSender(rule)) senders += 1
    count += 1
    speak(rule, 'put')
    return rule
  }
  const remove = (item: HeldItem, rule: Rule | undefined) => {
    if (item.kind === 'group' && groups.get(item.id)?.held === item) groups.delete(item.id)
    if (!rule) return
    tables.get(rule.entry.tableId)!.remove(rule)
    if (asksSender(rule)) senders -= 1
    count -= 1
    speak(rule, 'remove')
  }
  const speak = (rule: Rule, does: 'put' | 'remove') => {
    const network = networkOf(rule)
    if (rule.entry.tableId !== pipeline.guard.id || network === undefined || rule.inPort === undefined) return
    const src = rule.fields.find(({ field, mask }) => field === 'eth_src' && mask === wholeMac)
    if (!src) return
    let of = speakers.get(network)
    if (!of) speakers.set(network, (of = new Map()))
    if (does === 'put') of.set(rule, { port: rule.inPort, mac: Number(src.value) })
    else of.delete(rule)
  }
  return {
    dpid,
    // One that never told us is taken for what sees least of a frame's tags.
    isOpenVSwitch: is?.isOpenVSwitch !== false,
    ports,
    tables,
    speakers,
    group(id) {
      const it = groups.get(id)
      if (!it || id > reserved.max) return undefined
      it.buckets ??= { type: it.held.groupType, actions: it.held.buckets.map(({ actions }) => actions) }
      return it.buckets
    },
    read(items, owner) {
      const changed: Met = { networks: new Set(), ports: new Set(), any: false }
      const now = new Map<number, Map<HeldItem, Rule | undefined>>()
      const added: HeldItem[] = []
      for (const item of items) {
        const before = read.get(item.owner)
        const of = now.get(item.owner) ?? new Map<HeldItem, Rule | undefined>()
        now.set(item.owner, of)
        of.set(item, before?.get(item))
        if (!before?.has(item)) added.push(item)
      }
      for (const [of, before] of owner === undefined ? read : [[owner, read.get(owner) ?? new Map()] as const])
        for (const [item, rule] of before)
          if (!now.get(of)?.has(item)) {
            remove(item, rule)
            meet(item, rule, changed)
          }
      for (const item of added) {
        const rule = put(item)
        now.get(item.owner)!.set(item, rule)
        meet(item, rule, changed)
      }
      if (owner === undefined) read.clear()
      else read.delete(owner)
      for (const [of, items] of now) read.set(of, items)
      return changed
    },
    readPorts(now) {
      ports.clear()
      for (const port of now.ports.keys()) ports.add(port)
    },
    readsSender: () => senders > 0,
    count: () => count,
    *rules(owner) {
      for (const items of owner === undefined
        ? read.values()
        : [read.get(owner) ?? new Map<HeldItem, Rule | undefined>()])
        for (const rule of items.values()) if (rule) yield rule
    },
  }
}
const asksSender = ({ entry, fields }: Rule): boolean =>
  entry.tableId !== pipeline.guard.id && fields.some(({ field, mask }) => field === 'eth_src' && mask !== multicastBit)
const multicastBit = 1n << 40n
const wholeMac = (1n << 48n) - 1n

/** Behind the first table metadata tell whose frames meet a rule; there, the port, and at links what it says whose it is. */
function meet(item: HeldItem, rule: Rule | undefined, met: Met): void {
  const { networks, ports } = met
  if (item.kind === 'meter') return
  const network = item.kind === 'group' ? item.owner : rule && networkOf(rule)
  if (item.kind === 'flow' && rule?.entry.tableId === 0) {
    if (rule.inPort === undefined) met.any = true
    else ports.add(rule.inPort)
    if (item.owner > 0) networks.add(item.owner)
  } else if (network === undefined || network <= 0) met.any = true
  else networks.add(network)
}

/** What was declared: networks, and whose each port is. */
export type Spec = {
  readonly networks: ReadonlyMap<number, PlaneNetwork>
  members(number: number): readonly Member[]
  /** Members at a port, by all that are in some network. */
  at(port: Endpoint): readonly Owner[]
  /** The network that copies of frames, or frames of a vlink, go to at this port. */
  endsAt(port: Endpoint): ReadonlySet<number>
  /** Reads a network anew. Numbers of networks that had, or have, a port of it. */
  read(number: number): ReadonlySet<number>
}

export function specOf(plane: DataPlane): Spec {
  const networks = new Map<number, PlaneNetwork>()
  const membersOf = new Map<number, readonly Member[]>()
  const owners = new Map<string, Owner[]>()
  const ends = new Map<string, Set<number>>()
  const endsOf = ({ mirror, vlink }: PlaneNetwork): Endpoint[] => [
    ...(mirror ? [mirror] : []),
    ...(vlink ? [vlink.from, vlink.to] : []),
  ]
  const spec: Spec = {
    networks,
    members: number => membersOf.get(number) ?? [],
    at: port => owners.get(endpointKey(port)) ?? [],
    endsAt: port => ends.get(endpointKey(port)) ?? nobody,
    read(number) {
      const touched = new Set([number])
      for (const member of membersOf.get(number) ?? []) {
        const key = endpointKey(member)
        const left = (owners.get(key) ?? []).filter(owner => owner.network !== number)
        for (const owner of left) touched.add(owner.network)
        if (left.length > 0) owners.set(key, left)
        else owners.delete(key)
      }
      const before = networks.get(number)
      for (const end of before ? endsOf(before) : []) ends.get(endpointKey(end))?.delete(number)
      const network = plane.network(number)
      if (network?.number !== number) {
        networks.delete(number)
        membersOf.delete(number)
        return touched
      }
      networks.set(number, network)
      const members = [...network.members()]
      membersOf.set(number, members)
      for (const member of members) {
        const key = endpointKey(member)
        const there = owners.get(key)
        for (const owner of there ?? []) touched.add(owner.network)
        if (there) there.push({ network: number, member })
        else owners.set(key, [{ network: number, member }])
      }
      for (const end of endsOf(network)) {
        const key = endpointKey(end)
        ends.set(key, (ends.get(key) ?? new Set()).add(number))
      }
      return touched
    },
  }
  for (const number of plane.networks()) spec.read(number)
  return spec
}
const nobody: ReadonlySet<number> = new Set()
