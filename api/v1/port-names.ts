import type { SwitchView } from '../../controller/view/view.ts'
import { settingsOf } from '../../store/overlay.ts'
import { isPortNumber } from '../../store/parse.ts'
import { bridgeName, interfaceNames } from '../../topology/names.ts'
import type { DatapathId, Endpoint, PortNo } from '../../topology/topology.ts'
import { firstSparePort } from '../contract/node-schemas.ts'
import { problem } from '../http/problems.ts'
import type { Services } from '../http/services.ts'
import { dpidOf, endpointOf } from './endpoints.ts'

/** A port as a path names it: by number, or by name, which is then followed. */
export type NamedEndpoint = Endpoint & { readonly portName?: string }

export type PortPath = { readonly network: string; readonly dpid: string; readonly port: string }

/** The port that is meant: digits are a number; a name is what it is on the switch now. */
export const namedEndpoint = (services: Services, path: PortPath): NamedEndpoint => {
  const { port: text } = path
  if (isPortNumber(text)) return endpointOf(path.dpid, text)
  const dpid = dpidOf(path.dpid)
  const port = portNow(services, dpid, text)
  if (port !== undefined) return { dpid, port, portName: text }
  throw unknownPort(services, dpid, text)
}

/** As the switch says; while it is not connected, as the plan of its node has it. */
const portNow = ({ controller, store }: Services, dpid: DatapathId, name: string): PortNo | undefined => {
  const sw = controller.switch(dpid)
  if (sw?.connected) return onlyPort(sw, name)
  const state = store.state()
  const node = state.nodes.get(state.nodeAt.get(dpid) ?? '')
  if (!node) return undefined
  const { bridgePrefix } = interfaceNames(bridgeName(node.name, node.provider))
  const number = name.startsWith(bridgePrefix) ? Number(name.slice(bridgePrefix.length)) : Number.NaN
  const { interfaceNumber } = settingsOf(state, node)
  return (number >= 1 && number <= interfaceNumber) || number >= firstSparePort ? number : undefined
}

/** A switch may cut names, so that two ports have the same one: then neither is meant. */
const onlyPort = ({ dpid, ports }: SwitchView, name: string): PortNo | undefined => {
  const [first, ...others] = ports.filter(port => port.name === name).map(port => port.number)
  if (others.length === 0) return first
  const numbers = [first, ...others].map(number => `port ${number}`).join(', ')
  throw problem('port-name-ambiguous', [dpid, name, numbers], { what: name })
}

const unknownPort = ({ controller }: Services, dpid: DatapathId, name: string) => {
  const sw = controller.switch(dpid)
  if (!sw?.connected) return problem('port-name-not-known', [dpid, name], { what: name })
  const has = sw.ports.slice(0, 12).map(port => port.name)
  return problem('unknown-port', [dpid, name, has.join(', ') || 'none'], { what: name })
}
