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
  const plan = {
    node: name,
    provider,
    bridge,
    dpid,
    underlay: { address, ...(mtu !== undefined && { mtu }) },
    links: Array.from(peersOf(state, name), peer => plannedLink(state, node, peer)).sort((a, b) => a.port - b.port),
    interfaces: { fixed: interfaceNumber, spare, most, ...interfaceNames(bridge) },
    controllers: [...controllers],
    ...(tls && { tls }),
    openvswitch: { datapath, inactivityProbe: 5000, maxBackoff: 1000 },
  }
  return { ...plan, version: createHash('sha256').update(JSON.stringify(plan)).digest('hex').slice(0, 16) }
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
