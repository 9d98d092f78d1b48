import { refuse } from '../../store/refusals.ts'
import { parseDpid, parsePort } from '../../topology/parse.ts'
import type { DatapathId, Endpoint } from '../../topology/topology.ts'
import { refusalProblem } from '../http/problems.ts'

/** A datapath id as it stands in a path, if it is one. */
export const dpidOf = (text: string): DatapathId => {
  const dpid = parseDpid(text)
  if (dpid === undefined) throw refusalProblem(refuse('bad-dpid', text))
  return dpid
}

/** A port of a switch as it stands in a path, if it is one. */
export const endpointOf = (dpidText: string, portText: string): Endpoint => {
  const dpid = dpidOf(dpidText)
  const port = parsePort(portText)
  if (port === undefined) throw refusalProblem(refuse('bad-port', portText))
  return { dpid, port }
}

/** By datapath id, then by port number. */
export const byEndpoint = (a: Endpoint, b: Endpoint): number =>
  a.dpid === b.dpid ? a.port - b.port : a.dpid < b.dpid ? -1 : 1
