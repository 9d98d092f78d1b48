// What a trace is asked, and what it answers: plain data, as /v1/trace has it.
import type { DatapathId, Endpoint, PortNo } from '../../topology/topology.ts'

/** A frame as fields, in text: addresses as people write them. What is absent follows from the others. */
export type FrameFields = {
  readonly [Name in
    | 'src'
    | 'dst'
    | 'vlan'
    | 'type'
    | 'arp'
    | 'ipSrc'
    | 'ipDst'
    | 'proto'
    | 'srcPort'
    | 'dstPort'
    | 'icmpType'
    | 'target']?: string
}

export type TraceQuestion = Endpoint & {
  /** Of a tunnel: the VNI that the frame comes with. */
  readonly vni?: number
  readonly tables: 'desired' | 'held' | 'both'
  /** Its bytes in hex, or its fields. */
  readonly frame: string | FrameFields
}

export type StepView = {
  readonly table: number
  readonly tableName?: string
  /** As ovs-ofctl prints it; absent: no entry took the frame. */
  readonly entry?: string
  /** Whose it is, in words, and the network if it is one that is there. */
  readonly owner?: string
  readonly network?: string
  /** What the entry is for: its name in docs/pipeline.md, and the sentence there. */
  readonly rule?: string
  readonly why: string
  /** The frame as it came to this table, as a match of ovs-ofctl. */
  readonly frame: string
  readonly notes: readonly string[]
  readonly doubts: readonly string[]
}

export type EndView =
  | { readonly is: 'link'; readonly to: Endpoint; readonly visit: number }
  | {
      readonly is: 'port'
      readonly uses: readonly { readonly network: string; readonly is: string; readonly name?: string }[]
    }
  | { readonly is: 'controller' }
  | { readonly is: 'local' }
  | { readonly is: 'lost'; readonly why: string }
  | { readonly is: 'loop'; readonly visit: number }

export type CopyView = {
  /** Number of the step that made it. */
  readonly step: number
  readonly groups: readonly { readonly group: number; readonly bucket: number }[]
  /** Absent: not a port, but the controller. */
  readonly port?: PortNo
  readonly portName?: string
  readonly vni?: number
  /** In hex. */
  readonly frame: string
  /** What limits copies to the controller. */
  readonly meter?: number
  readonly end: EndView
}

export type VisitView = Endpoint & {
  readonly portName?: string
  readonly vni?: number
  readonly frame: string
  readonly from?: { readonly visit: number; readonly copy: number }
  readonly steps: readonly StepView[]
  /** Groups that were met, as ovs-ofctl prints them. */
  readonly groups: readonly string[]
  readonly copies: readonly CopyView[]
  /** Where no copy left: which entry dropped it, or that none took it. */
  readonly dropped?: string
  readonly unknown?: string
}

export type TraceView = {
  readonly tables: 'desired' | 'held'
  /** Of `held`: switches whose tables could not be read now, so that what they held last was taken. */
  readonly unread: readonly DatapathId[]
  readonly visits: readonly VisitView[]
  /** Every end of every copy, a sentence each. */
  readonly ends: readonly string[]
  /** False: something on the way could not be followed; `doubts` of steps say what. */
  readonly certain: boolean
}

export type TraceAnswer = {
  readonly revision: number
  /** In hex, and in words. */
  readonly frame: string
  readonly words: string
  readonly traces: readonly TraceView[]
  /** Where both were asked for: whether the frame ends elsewhere on what the switches hold than on what they should. */
  readonly differ?: boolean
}

/** A question that cannot be asked: which value, and what was expected. */
export type BadQuestion = { readonly where: string; readonly got: string; readonly expected: string }
