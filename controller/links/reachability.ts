// Before a link is called silent, both its switches must prove that they hear us and are heard. Else a controller that was busy, or
// a switch that lost only its connection to us, would take links out of the mesh that work.
import type { Session } from '../../openflow/session/session.ts'

/** From the answer of one switch to the question to the other: what it was told to send is on its way meanwhile (milliseconds). */
const inFlightMs = 25
/** Packet-ins may wait for their turn behind an answer that came after them (milliseconds). */
const queueMs = 50

export type Reachability<Subject> = {
  /** Asks both switches, one after the other; `tick` tells what came of it. Nothing new where it is in doubt already, by these sessions. */
  doubt(link: Subject, from: Session, to: Session, transitMs: number): void
  /** The switch has answered a question that left at `since` or later. If none did, it is asked. */
  hears(session: Session, since: number): boolean
  /** The link is not in doubt any more. */
  clear(link: Subject): void
  /** Links that nothing excuses: what was sent over them before the doubt would have come. To be called often. */
  tick(): readonly Subject[]
}

type Doubt = {
  readonly from: Session
  readonly to: Session
  readonly transitMs: number
  /** Packet-ins of `to` that were thrown away before the doubt. */
  readonly dropped: number
  stage: 'sender' | 'transit' | 'receiver' | 'queue'
  since: number
}
/** Echoes to one switch: when the one left that is on its way, and when the last one left that was answered. */
type Echo = { asking: boolean; provenAt: number }

/**
 * An echo request to the sender is answered after the packet-outs before it were carried out; an echo request to the receiver
 * that leaves then is answered after the packet-ins were sent that these caused (a connection keeps its order). So when both
 * are answered and no probe has come, the link lost them; unless the receiver's packet-ins were so many that we threw some away.
 */
export function newReachability<Subject>(now: () => number): Reachability<Subject> {
  const doubts = new Map<Subject, Doubt>()
  const echoes = new WeakMap<Session, Echo>()

  const isProven = (session: Session, since: number): boolean => {
    let echo = echoes.get(session)
    if (!echo) {
      echo = { asking: false, provenAt: Number.NEGATIVE_INFINITY }
      echoes.set(session, echo)
    }
    if (echo.provenAt >= since) return true
    if (!echo.asking) ask(session, echo)
    return false
  }
  const ask = (session: Session, echo: Echo) => {
    const leaves = now()
    echo.asking = true
    session
      .request({ type: 'echo_request', payload: Buffer.alloc(0) })
      .then(
        () => {
          echo.provenAt = leaves
        },
        () => {}, // No proof: then no verdict.
      )
      .finally(() => {
        echo.asking = false
      })
  }
  /** Moves a doubt on as far as it goes; true at its end. */
  const goOn = (doubt: Doubt): boolean => {
    const { from, to, transitMs } = doubt
    const enter = (stage: Doubt['stage']) => {
      doubt.stage = stage
      doubt.since = now()
    }
    if (doubt.stage === 'sender' && isProven(from, doubt.since)) enter('transit')
    if (doubt.stage === 'transit' && now() - doubt.since >= inFlightMs + transitMs) enter('receiver')
    if (doubt.stage === 'receiver' && isProven(to, doubt.since)) enter('queue')
    return doubt.stage === 'queue' && now() - doubt.since >= queueMs
  }

  return {
    doubt(link, from, to, transitMs) {
      const before = doubts.get(link)
      // A session that has ended proves nothing any more: its switch is back in another one.
      if (before?.from === from && before.to === to) return
      const dropped = to.counts().packetInsDropped
      doubts.set(link, { from, to, transitMs, dropped, stage: 'sender', since: now() })
    },
    hears: isProven,
    clear: link => void doubts.delete(link),
    tick() {
      const silent: Subject[] = []
      for (const [link, doubt] of doubts) {
        if (!goOn(doubt)) continue
        doubts.delete(link)
        if (doubt.to.counts().packetInsDropped === doubt.dropped) silent.push(link)
        else this.doubt(link, doubt.from, doubt.to, doubt.transitMs)
      }
      return silent
    },
  }
}
