// What the loop of a switch asks of everybody else.
import type { Session } from '../../openflow/session/session.ts'
import type { DatapathId } from '../../topology/topology.ts'
import type { Plan } from '../compile/diff.ts'
import type { Item } from '../compile/item.ts'
import type { Compiled } from '../compile/tables.ts'
import type { Emit } from '../view/event.ts'
import type { Record as Metrics } from '../view/view.ts'
import type { Reading } from './content.ts'
import type { Switch } from './state.ts'

/** What a network wants of the switches. */
export type Wanted = Pick<Compiled, 'network' | 'revision' | 'serial' | 'parts'>

export type Reconciler = {
  readonly instance: string
  /** The store is all there is, or a client said so. */
  complete(): boolean
  compiled(): ReadonlyMap<number, Wanted>
  /** Numbers of the networks that have something on this switch, or will. */
  at(dpid: DatapathId): Iterable<number>
  /** What the switch itself must hold. */
  base(dpid: DatapathId): readonly Item[]
  /** A switch was read: takes over what it has learned, and recompiles what that changes. */
  learnt(sw: Switch, reading: Reading): void
  /** Links that begin at this switch were found, by this run or an earlier one: so it held our flows then. */
  wasKnown(sw: Switch): boolean
  /** A switch was read for the first time since we started: others need not keep any more what leads to it unasked. */
  firstRead(sw: Switch): void
  /** Whether something that we do not want there stays all the same, for now. */
  isRetained(dpid: DatapathId, item: Item): boolean
  /** The switch refused this: perhaps what is asked of it again is without what it can't do. */
  refused(session: Session, words: string): void
  /** Resolves when nothing waits to be compiled. */
  fresh(): Promise<void>
  /** Something about these networks changed on this switch: whoever waits looks again. */
  progress(sw: Switch, numbers: Iterable<number>): void
  /** Calls back after a pause that grows with `sw.retries`. */
  later(sw: Switch, again: () => void): void
  /** Calls back after a second: not for each of many flows that go. */
  soon(again: () => void): void
  /** Proves what is to leave, and judges what was found, if it was asked to (--prove). */
  readonly proof?: ProofOfChanges | undefined
  readonly metrics: Pick<Metrics, 'flowMods'>
  readonly emit: Emit
}

/** `warn` tells of changes that would break isolation, and sends them; `enforce` does not send them. */
export type Prove = 'off' | 'warn' | 'enforce'

export type ProofOfChanges = {
  /**
   * Networks (by number; 0: the switch itself) whose changes would break isolation, after whichever part of the plan, each with the
   * reason in words. Until `done`, the switch counts as having what it does not name.
   */
  broken(sw: Switch, plan: Plan): Promise<ReadonlyMap<number, string>>
  /** The plan was sent, or not: the switch holds what it is known to hold. */
  done(sw: Switch): void
  /** An audit found the switch to hold something else than it should: judges what it held, without keeping anybody. */
  drifted(sw: Switch): void
}
