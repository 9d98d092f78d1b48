// Networks with guards on reference switches, and the frames that machines on their ports send.
import { compile } from '../../controller/compile/compile.ts'
import { base } from '../../controller/compile/default-flows.ts'
import type { Content, Item } from '../../controller/compile/item.ts'
import type { Datapath } from '../../controller/compile/local-network.ts'
import type { Attachment, Network } from '../../store/state.ts'
import { type Fabric, send } from '../reference/index.ts'
import { linkLocalOf, type Machine } from './machine.ts'
import * as world from './world.ts'

/** A port of a switch, by numbers from 0 and 1. */
export type Place = { readonly s: number; readonly port: number }
const macOf = ({ s, port }: Place): string => `02:00:00:00:0${s}:0${port}`
const ip4Of = ({ s, port }: Place): string => `10.0.${s}.${port}`
const ip6Of = ({ s, port }: Place): string => `fd00::${s + 1}:${port}`
/** The machine at a port, whose addresses follow from where it is. */
export const machineAt = (place: Place): Place & Machine => {
  const mac = macOf(place)
  return { ...place, mac, ip4: ip4Of(place), ip6: ip6Of(place), linkLocal: linkLocalOf(mac) }
}
export const keyOf = ({ s, port }: Place): string => `${world.dpidOf(s)}/${port}`

export type Wish = { readonly network: string } & Partial<Attachment>
export type Guarded = {
  readonly switches: number
  readonly networks: readonly (Pick<Network, 'id' | 'number'> & Partial<Network>)[]
  readonly ports: readonly (readonly [Place, Wish])[]
  /** What the switches are, if they are not Open vSwitch. */
  readonly datapath?: Partial<Datapath>
}

export const attachmentOf = (place: Place, wish: Wish): Attachment => ({
  ...{ dpid: world.dpidOf(place.s), port: place.port, guard: 'strict', revision: 1 },
  ...{ mac: macOf(place), ips: [`${ip4Of(place)}/16`, `${ip6Of(place)}/64`] },
  ...wish,
})

/** What each switch must hold. */
export function desired({ switches, networks, ports, datapath }: Guarded): Map<string, Content> {
  const contents = new Map<string, Map<string, Item>>()
  for (let s = 0; s < switches; s++)
    contents.set(world.dpidOf(s), new Map(base(world.instance).map(item => [item.key, item])))
  const fabric = world.known(switches)
  const datapaths = new Map([...fabric.datapaths].map(([dpid, one]) => [dpid, { ...one, ...datapath }]))
  for (const network of networks) {
    const attachments = ports.flatMap(([place, wish]) =>
      wish.network === network.id ? [attachmentOf(place, wish)] : [],
    )
    const subject = {
      ...{ network: { revision: 1, ...network }, attachments, learned: [], suppressed: new Set<string>() },
    }
    const route = world.routeOf(subject, fabric)
    for (const [dpid, items] of compile(subject, datapaths, [{ epoch: 0, route }]))
      for (const item of items) contents.get(dpid)!.set(item.key, item)
  }
  return contents
}

/** Where a frame comes out, how often, and as what. No loop, and no two entries of one priority that match it. */
export function sent(fabric: Fabric, from: Place, frame: Buffer) {
  const { arrivals, loops, ambiguous } = send(fabric, keyOf(from), frame)
  if (loops.length > 0) throw new Error(`a frame from ${keyOf(from)} loops: ${JSON.stringify(loops[0])}`)
  if (ambiguous.size > 0)
    throw new Error(
      `two entries of one priority match a frame from ${keyOf(from)} in ${[...ambiguous]}: ${frame.toString('hex')}`,
    )
  return arrivals
}
export const heardBy = (fabric: Fabric, from: Place, frame: Buffer): string[] =>
  sent(fabric, from, frame)
    .map(({ at }) => at)
    .sort()
