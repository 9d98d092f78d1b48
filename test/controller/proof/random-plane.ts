// Data planes of random networks, as the controller would hand them to the proof: without a controller.
import type { Content } from '../../../controller/compile/item.ts'
import type { DataPlane, HeldItem, PlaneNetwork, PlaneSwitch } from '../../../controller/proof/data-plane.ts'
import { endpointKey, type Link, type Port } from '../../../topology/topology.ts'
import * as world from '../world.ts'

type Scene = {
  readonly switches: number
  readonly links: readonly Link[]
  readonly contents: ReadonlyMap<string, Content>
  readonly nicira: boolean
  readonly networks: readonly PlaneNetwork[]
  /** Ports besides those of stations and links. */
  readonly extraPorts?: readonly number[]
}

/** What these switches hold, joined by these links. */
export function planeWith({ switches, links, contents, nicira, networks, extraPorts = [] }: Scene): DataPlane {
  const linkAt = new Map(links.map(link => [endpointKey(link.from), link]))
  const portsOf = (s: number) => [1, 2, 3, ...world.linkPortsOf(s, switches), ...extraPorts]
  const numbers = new Map(networks.flatMap(n => n.numbers.map(number => [number, n])))
  return {
    tables: 'held',
    revision: 1,
    switches: new Map(
      Array.from({ length: switches }, (_, s): [string, PlaneSwitch] => {
        const dpid = world.dpidOf(s)
        const ports = new Map(portsOf(s).map(n => [n, portOf(n)]))
        return [dpid, { dpid, ports, isOpenVSwitch: nicira, items: owner => itemsOf(contents.get(dpid)!, owner) }]
      }),
    ),
    link: from => linkAt.get(endpointKey(from)),
    isDead: () => false,
    at: () => [],
    networks: () => networks.map(({ number }) => number),
    network: number => numbers.get(number),
  }
}

/** What switches of this placement hold, joined as `world.links` says. */
export const planeOf = (
  placement: world.Placement,
  contents: ReadonlyMap<string, Content>,
  nicira = true,
  extraPorts: readonly number[] = [],
): DataPlane => {
  const { switches, plain } = placement
  return planeWith({
    ...{ switches, links: world.links(switches, plain), contents, nicira },
    ...{ networks: networksOf(placement), extraPorts },
  })
}
const portOf = (number: number): Port => ({ number, name: `p${number}`, mac: '02:00:00:00:00:01', up: true })
function* itemsOf(content: Content, owner?: number): Iterable<HeldItem> {
  for (const item of content.values()) if (owner === undefined || item.owner === owner) yield item
}

const networksOf = (placement: world.Placement): PlaneNetwork[] => [
  ...world.subjects(placement).map(({ network, attachments }) => ({
    ...{
      id: network.id,
      number: network.number,
      numbers: [network.number, ...(network.mirror ? [network.mirror.number] : [])],
    },
    members: () => attachments,
    ...(network.mirror && { mirror: network.mirror }),
  })),
  ...[...placement.vlinks.values()].map(({ id, number, vlink }) => ({
    ...{ id, number, numbers: [number, vlink.reverseNumber], members: () => [], vlink },
  })),
]
