// Switches are looked at now and then although nothing happened: somebody else may have changed them.

import { RequestError, type Session } from '../../openflow/session/session.ts'
import type { Clock } from '../clock/clock.ts'
import { pipeline } from '../compile/pipeline.ts'
import { defectOf } from '../view/recorded.ts'
import { auditBudget } from './audit-budget.ts'
import { run } from './reconcile.ts'
import type { Reconciler } from './reconciler.ts'
import type { Switch } from './state.ts'

/** Seconds between full readings of a switch, as far as the budget lasts; each is up to a fifth sooner or later, so that they spread. */
const fullSeconds = 60
/** A switch that answers no sooner than this (milliseconds) holds up nobody else's reading. */
const patienceMs = 2000
/** Seconds between looks at how many flows its tables hold, which costs next to nothing. */
const countSeconds = 5
/** Questions for that in a row without an answer, until they are not asked any more. */
const maxUnanswered = 3

export function audit(
  r: Reconciler,
  switches: ReadonlyMap<string, Switch>,
  random: () => number,
  clock: Clock,
  processSeconds: () => number = ownSeconds,
): { stop(): void } {
  const fullAt = new Map<string, number>()
  /** Sessions of switches that do not tell how many flows their tables hold: they are read in full now and then, and that is all. */
  const uncounted = new WeakSet<Session>()
  /** How often in a row a session has not answered that question. */
  const unanswered = new WeakMap<Session, number>()
  let second = 0
  const nextFull = () => second + fullSeconds * (0.8 + 0.4 * random())
  const budget = auditBudget()
  /** Switches that are to be read in full, who waits longest first. */
  const waiting = new Set<string>()
  let isReading = false
  const compare = async (sw: Switch, session: Session) => {
    if (sw.session !== session) return
    sw.compare ??= 'audit'
    await run(r, sw)
  }
  const count = async (sw: Switch, session: Session) => {
    if (uncounted.has(session)) return
    const differs = await miscounts(sw, session)
    unanswered.delete(session)
    if (differs) await compare(sw, session)
  }
  const readInFull = async (dpid: string) => {
    const sw = switches.get(dpid)
    const session = sw && isIdle(sw) ? sw.session : undefined
    if (!sw || !session) return
    try {
      // What a switch tells once may have been lost, or be another by now.
      session.refresh('ports')
      await compare(sw, session)
    } catch (error) {
      failed(dpid, session)(error)
    }
  }
  const within = (ms: number, work: Promise<void>) =>
    new Promise<void>(resolve => {
      const cancel = clock.after(ms, resolve)
      void work.finally(() => {
        cancel()
        resolve()
      })
    })
  /** One after the other: so what each costs is what the processor has done meanwhile, or less. */
  const readThoseDue = async () => {
    if (isReading) return
    isReading = true
    for (const dpid of waiting) {
      if (!budget.isLeft()) break
      waiting.delete(dpid)
      fullAt.set(dpid, nextFull())
      const before = processSeconds()
      await within(patienceMs, readInFull(dpid))
      budget.took(processSeconds() - before)
    }
    isReading = false
  }
  const isDue = ({ dpid }: Switch): boolean => {
    const due = fullAt.get(dpid)
    if (due === undefined) fullAt.set(dpid, nextFull())
    return due !== undefined && due <= second
  }
  const failed = (dpid: string, session: Session) => (error: unknown) => {
    if (!(error instanceof RequestError)) return r.emit(defectOf(`the audit of switch ${dpid}`, error))
    if (error.why === 'closed' || uncounted.has(session)) return
    // A lost answer costs nothing: the next question comes in seconds.
    const times = (unanswered.get(session) ?? 0) + 1
    unanswered.set(session, times)
    if (error.why !== 'refused' && times < maxUnanswered) return
    uncounted.add(session)
    r.emit({ kind: 'switch-limit', dpid, what: `does not count its flows, so drift is found later: ${String(error)}` })
  }
  const isTurn = ({ dpid }: Switch, seconds: number) => (second + Number.parseInt(dpid.slice(-2), 16)) % seconds === 0
  const stop = clock.every(1000, () => {
    second += 1
    budget.passed(1)
    for (const sw of switches.values()) {
      if (!sw.session || sw.phase.is === 'comparing') continue
      if (sw.phase.is === 'unsupported') {
        if (isTurn(sw, fullSeconds)) sw.session.refresh('capabilities')
      } else if (isIdle(sw)) {
        if (isDue(sw)) waiting.add(sw.dpid)
        else if (isTurn(sw, countSeconds)) count(sw, sw.session).catch(failed(sw.dpid, sw.session))
      }
    }
    void readThoseDue()
  })
  return { stop }
}

const isIdle = ({ running, pausing }: Switch): boolean => !running && !pausing

/** Seconds of processor time that this process has taken so far. */
function ownSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** Does the switch count other flows in our tables than we believe? Not while we are changing them. */
async function miscounts(sw: Switch, session: Session): Promise<boolean> {
  const believed = () => sw.held.flows()
  const before = believed()
  const reply = await session.request({ type: 'multipart_request', xid: 0, flags: 0, body: { type: 'table' } })
  if (reply.type !== 'multipart_reply' || reply.body.type !== 'table') return false
  let counted = 0
  for (const t of reply.body.tables) if (t.tableId < Object.keys(pipeline).length) counted += t.activeCount
  const foreign = sw.phase.is === 'unsafe' ? sw.phase.foreign.filter(i => i.kind === 'flow').length : 0
  return !sw.running && sw.dirty.size === 0 && before === believed() && counted !== before + foreign
}
