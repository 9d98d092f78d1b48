// A frame on its way through one switch: what it met, and what left.
import type { Action } from '../../openflow/index.ts'
import type { HeldFlow } from './data-plane.ts'
import type { Held } from './lookup.ts'
import type { Model, Packet } from './packet.ts'

/** One table that a frame met. */
export type Step = {
  readonly table: number
  /** The entry that took it; undefined: none did. */
  readonly flow: HeldFlow | undefined
  /** The frame as it came there. */
  readonly packet: Packet
  /** What else there is to say: sentences. */
  readonly notes: string[]
  /** What could not be followed, so that the rest may be otherwise: sentences. */
  readonly doubts: string[]
}

/** A copy of the frame that leaves the tables. */
export type Copy = {
  /** Number of the step that made it. */
  readonly step: number
  /** Groups on the way, and which bucket of each, from 0. */
  readonly groups: readonly { readonly group: number; readonly bucket: number }[]
  /** Where to: a port's number, that of the port that it came by (IN_PORT) too; LOCAL, or CONTROLLER. */
  readonly port: number
  readonly packet: Packet
  /** To the controller: as many bytes, and what limits such copies. */
  readonly bytes?: number
  /** Only for controllers that asked for this id; absent: 0, which all have that ask for none. */
  readonly controllerId?: number
  readonly meter?: number
}

export type Forwarded = { readonly steps: readonly Step[]; readonly copies: readonly Copy[] }

/** A frame, and what has been done with it. */
export type Acting = {
  readonly model: Model
  readonly held: Held
  /** By which it came, whatever in_port is set to. */
  readonly inPort: number
  /** All ports of the switch. */
  readonly portNumbers: readonly number[]
  packet: Packet
  readonly steps: Step[]
  readonly copies: Copy[]
  /** Groups that it is in. */
  groups: Copy['groups']
  /** The action set (§5.10). */
  set: readonly Action[]
  /** Open vSwitch's `exit`: nothing more is done. */
  hasExited: boolean
  /** Tables that are to be met before the next action. */
  readonly pending: { readonly table: number | undefined; readonly inPort: number | undefined }[]
}
