// Whether one direction of a link is alive, told from the probes that arrive: a state machine. All times in milliseconds.

/** A probe is missed when it has not arrived after this, beyond what probes of this link usually take. */
export const patienceMs = 125
/** Who missed a probe asks again so often, this far apart, before it calls the link silent: a few lost frames are no failure. */
export const repeats = 4
export const repeatMs = 75
/** A link that was down is up again after so many probes in a row, which came over at least its hold-down. */
export const answersInARow = 3
/** The first hold-down; each failure of a link that was up for less than `calmMs` doubles it, up to the longest. */
export const shortestHoldMs = 500
export const longestHoldMs = 30_000
export const calmMs = 60_000

type Since = {
  /** When it came to be so. */
  readonly since: number
  /** The hold-down of its last failure; 0: none yet. */
  readonly holdMs: number
}
export type Up = Since & {
  readonly is: 'up'
  /** When the first probe left that has had no answer since. */
  readonly askedAt?: number
}
/** A probe was missed; it is still used. */
export type Suspect = Since & { readonly is: 'suspect'; readonly suspectedAt: number; readonly asked: number }
export type Down = Since & {
  readonly is: 'down'
  readonly askedAt?: number
  /** Answers in a row, and when the first of them came. */
  readonly answers: number
  readonly answersSince: number
}
export type Liveness = Up | Suspect | Down

/** A link that nothing is known of but what was kept of it: it is as it was, until probes say otherwise. */
export const unproven = (dead: boolean, now: number): Liveness =>
  dead ? down(now, shortestHoldMs) : { is: 'up', since: Number.NEGATIVE_INFINITY, holdMs: 0 }

const down = (now: number, holdMs: number): Down => ({
  is: 'down',
  since: now,
  holdMs,
  answers: 0,
  answersSince: now,
})

/** A probe leaves. */
export function asked(link: Liveness, now: number): Liveness {
  if (link.is === 'suspect') return { ...link, asked: link.asked + 1 }
  return link.askedAt === undefined ? { ...link, askedAt: now } : link
}

/** A probe arrives that had not arrived before. */
export function answered(link: Liveness, now: number): Liveness {
  const { since, holdMs } = link
  if (link.is !== 'down') return { is: 'up', since, holdMs }
  const answers = link.answers + 1
  const answersSince = link.answers === 0 ? now : link.answersSince
  if (answers >= answersInARow && now - answersSince >= holdMs) return { is: 'up', since: now, holdMs }
  return { is: 'down', since, holdMs, answers, answersSince }
}

/** Time passes. `transitMs`: what a probe of this link usually takes. */
export function looked(link: Liveness, now: number, transitMs: number): Liveness {
  if (link.is === 'suspect' || link.askedAt === undefined) return link
  if (now - link.askedAt < patienceMs + transitMs) return link
  const { since, holdMs } = link
  if (link.is === 'up') return { is: 'suspect', since, holdMs, suspectedAt: now, asked: 0 }
  return { is: 'down', since, holdMs, answers: 0, answersSince: now }
}

/** It was asked often enough: if both switches are known to hear us and to be heard, it is silent. */
export const isDoubtful = (link: Liveness): boolean => link.is === 'suspect' && link.asked >= repeats

/**
 * It is out of use from now on: nothing arrives although both switches hear us and are heard; or a port at one of its
 * ends lost its carrier, or a switch says so (BFD), which needs no further proof.
 */
export function failed(link: Liveness, now: number): Down {
  if (link.is === 'down') return { ...down(link.since, link.holdMs), answersSince: now }
  const holdMs = now - link.since < calmMs ? Math.min(longestHoldMs, link.holdMs * 2) : 0
  return down(now, Math.max(shortestHoldMs, holdMs))
}

/** Nothing can be told from probes that left before now: a switch is away, or does not know us yet. It stays what it is. */
export function excused(link: Liveness): Liveness {
  const { since, holdMs } = link
  if (link.is === 'down')
    return link.answers === 0 && link.askedAt === undefined ? link : { ...down(since, holdMs), since }
  return link.is === 'up' && link.askedAt === undefined ? link : { is: 'up', since, holdMs }
}

/** Milliseconds until this link is asked again, from when it was last; `intervalMs` where there is no doubt. */
export const pauseMs = (link: Liveness, intervalMs: number): number =>
  link.is !== 'suspect' ? intervalMs : link.asked === 0 ? 0 : isDoubtful(link) ? intervalMs : repeatMs
