// What a proof answers: plain data, as /v1/proof has it.
import type { DatapathId, Endpoint, PortNo } from '../../topology/topology.ts'

export type ProofEntry = { readonly dpid: DatapathId; readonly tableId: number; readonly entry: string }

/** One frame that breaks the law, or an entry that does nothing. */
export type CounterexampleView = {
  readonly fault: string
  readonly sentence: string
  /** It lets a frame out of its network, or the controller hear what is not declared. */
  readonly breaksIsolation: boolean
  /** The id of the network whose law it breaks; absent: a port of nobody's. */
  readonly network?: string
  readonly frame?: string
  readonly from?: Endpoint
  readonly vni?: number
  readonly at?: Endpoint & { readonly vlan?: number }
  readonly blame?: ProofEntry
  readonly path: readonly (ProofEntry & { readonly inPort: PortNo })[]
}

export type ProofAnswer = {
  readonly result: 'proved' | 'refuted' | 'unknown'
  readonly tables: 'desired' | 'held'
  readonly revision: number
  readonly counterexamples: readonly CounterexampleView[]
  readonly covers: {
    readonly switches: number
    readonly networks: number
    readonly ports: number
    readonly entries: number
  }
  readonly models: { readonly openVSwitch: number; readonly openFlow13: number }
  /** Switches that could not be read now: what they held last was taken. */
  readonly unread: readonly DatapathId[]
  readonly assumptions: readonly string[]
}
