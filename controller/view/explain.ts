// Why one port reaches another, or does not: plain data, as /v1/explain has it.
import type { DatapathId, Endpoint } from '../../topology/topology.ts'

export type ExplainQuestion = {
  /** Attachments as `<dpid>/<port>` (or `/<vlan>` behind it), or by name, MAC or IP address. */
  readonly from: string
  readonly to: string
  /** Bytes of the largest packet that is to pass, after the Ethernet header. */
  readonly size?: number
}

/** A port as it was understood. */
export type PlaceView = Endpoint & {
  readonly network?: string
  readonly vlan?: number
  readonly name?: string
  readonly mac?: string
  readonly ips?: readonly string[]
}

/** What stands in the way, and what to do. */
export type Finding = {
  /** Which check found it. */
  readonly check: string
  readonly sentence: string
  readonly remedy: string
  readonly dpid?: DatapathId
  /** The entry to blame, as ovs-ofctl prints it. */
  readonly entry?: string
}

export type HopView = {
  readonly from: Endpoint
  readonly to: Endpoint
  readonly rttMs?: number
  readonly mtu?: number
}

export type ExplainAnswer = {
  readonly revision: number
  /** `unknown`: nothing was found in the way, but something could not be looked at. */
  readonly reaches: 'yes' | 'no' | 'unknown'
  readonly summary: string
  readonly from?: PlaceView
  readonly to?: PlaceView
  /** What stands in the way: the first is what to mend first. */
  readonly findings: readonly Finding[]
  /** The links on the way there, in order; of two ports of one switch none. */
  readonly way?: readonly HopView[]
  /** Milliseconds there and back over these links, as probes measure them. */
  readonly rttMs?: number
  /** The largest packet that passes all of them: bytes after the Ethernet header. */
  readonly mtu?: number
}
