import type { DatapathId, Link } from '../topology/topology.ts'
import type { Attachment, Network, Node, NodeLink, Overlay, State } from './state.ts'
import type { NetworkVlans } from './vlans.ts'

/** State that can be written to, with the indexes that make every decision a look-up. */
export type Tables = Omit<State, 'members' | 'taggedAt' | 'named' | 'peers'> & {
  revision: number
  complete: boolean
  /** How many numbers were ever handed out; with firstNumber, it says which one is next. */
  allocated: number
  /** Where this instance starts in the number space: 1 to maxNetworkNumber. */
  readonly firstNumber: number
  readonly networks: Map<string, Network>
  readonly attachments: Map<string, Attachment>
  readonly taggedAt: Map<string, Map<number, Attachment>>
  readonly named: Map<DatapathId, Map<string, Attachment>>
  readonly members: Map<string, Map<string, Attachment>>
  readonly declaredLinks: Map<string, Link>
  readonly discoveredLinks: Map<string, Link>
  readonly discoveredFrom: Map<string, Link>
  readonly deadLinks: Set<string>
  readonly vlans: Map<number, NetworkVlans>
  readonly accessPorts: Set<string>
  readonly nodes: Map<string, Node>
  readonly nodeLinks: Map<string, NodeLink>
  readonly nodeAt: Map<DatapathId, string>
  readonly nodeNumbered: Map<number, string>
  readonly peers: Map<string, Set<string>>
  overlay: Overlay
  /** Network id by the numbers that stand for it: its own, its mirror's, and that of a vlink's way back. */
  readonly numbers: Map<number, string>
  /** Network id by the endpointKey of its mirror. */
  readonly mirrors: Map<string, string>
  /** Network id by the endpointKeys of its ends, if it is a vlink. */
  readonly vlinkEnds: Map<string, string>
  /** attachmentKey by macKey: who pins that MAC in that network. */
  readonly macs: Map<string, string>
  /** Declared link by the endpointKey of its `from`. */
  readonly declaredAt: Map<string, Link>
  /** How many discovered links, of either direction, end at this endpointKey. */
  readonly discoveredAt: Map<string, number>
}

/** An object that is put where `before` was, or taken away. */
export type Put<Kind extends string, Value> = {
  readonly kind: Kind
  readonly key: string
  readonly before: Value | undefined
  readonly after: Value | undefined
}
type Set1<Kind extends string, Value> = { readonly kind: Kind; readonly before: Value; readonly after: Value }

/** One step from one state to the next; read backwards, it undoes itself. */
export type Change =
  | Put<'network', Network>
  | Put<'attachment', Attachment>
  | Put<'declared', Link>
  | Put<'discovered', Link>
  | Put<'dead', true>
  | Put<'access', true>
  | Put<'vlans', NetworkVlans>
  | Put<'node', Node>
  | Put<'nodelink', NodeLink>
  | Put<'overlay', Overlay>
  | Set1<'revision', number>
  | Set1<'allocated', number>
  | Set1<'complete', boolean>
