import { createHash } from 'node:crypto'
import { linkSettingsOf, meshPortName, type Nodes, peersOf, portTo, settingsOf } from '../../store/overlay.ts'
import type { Node } from '../../store/state.ts'
import { bridgeName, interfaceNames } from '../../topology/names.ts'
import type { NodePlan, PlannedLink } from '../contract/node-schemas.ts'

/** The plan of a node: of what is declared and of nothing else, so that it is the same whoever asks, whenever. Pure. */
export const planOf = (state: Nodes, node: Node): NodePlan => {
  const { name, provider, dpid, address } = node
  const { mtu, tls, interfaceNumber, spare, most, controllers, datapath } = settingsOf(state, node)
  const bridge = bridgeName(name, provider)
  const links = Array.from(peersOf(state, name), peer => plannedLink(state, node, peer)).sort((a, b) => a.port - b.port)
  const plan = {
    node: name,
    provider,
    bridge,
    dpid,
    underlay: { address, ...(mtu !== undefined && { mtu }) },
    links,
    interfaces: { fixed: interfaceNumber, spare, most, ...interfacesOf(bridge, interfaceNumber, links) },
    controllers: [...controllers],
    ...(tls && { tls }),
    openvswitch: { datapath, inactivityProbe: 5000, maxBackoff: 1000 },
  }
  return { ...plan, version: createHash('sha256').update(JSON.stringify(plan)).digest('hex').slice(0, 16) }
}

/** The names of the interfaces, and those of the ones that always exist one by one. */
const interfacesOf = (bridge: string, fixed: number, links: readonly PlannedLink[]) => {
  const { bridgePrefix, podPrefix } = interfaceNames(bridge)
  const taken = new Set(links.map(({ port }) => port))
  const ports = Array.from({ length: fixed }, (_, i) => i + 1).filter(port => !taken.has(port))
  const names = ports.map(port => ({ port, bridgeEnd: `${bridgePrefix}${port}`, podEnd: `${podPrefix}${port}` }))
  return { bridgePrefix, podPrefix, names }
}

const plannedLink = (state: Nodes, node: Node, peer: Node): PlannedLink => ({
  peer: peer.name,
  name: meshPortName(node, peer.name),
  port: portTo(node, peer),
  type: 'vxlan',
  local: node.address,
  remote: peer.address,
  ...linkSettingsOf(state, node.name, peer.name),
})
