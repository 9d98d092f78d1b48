import { admission } from './admission.ts'
import type { Limits } from './limits.ts'

/** A TCP connection, as far as it matters here. */
export type Wire = { readonly remoteAddress?: string | undefined; once(event: 'close', call: () => void): unknown }

/** Ends a connection, and says why. */
export type Cut = (words: string) => void

/** TCP connections: how many are open, and which of them are not live yet and can be ended when there are too many. */
export type Entrance<W extends Wire> = {
  /** Whether a TCP connection may stay. Where there are too many, it or an idle one is ended by its `cut`. */
  admit(wire: W, cut: Cut): boolean
  /** It is ended by `cut` from now on. */
  accepted(wire: W, cut: Cut): void
  /** It has said something. */
  heard(wire: W): void
  /** It is live, or ended. */
  leave(wire: W): void
}

export function newEntrance<W extends Wire>(limits: Limits): Entrance<W> {
  const cuts = new Map<W, Cut>()
  const crowd = admission<W>(limits)
  let open = 0
  const leave = (wire: W) => {
    cuts.delete(wire)
    crowd.leave(wire)
  }
  const shed = (wire: W, words: string) => {
    const cut = cuts.get(wire)
    leave(wire)
    cut?.(words)
  }
  return {
    admit(wire, cut) {
      open++
      wire.once('close', () => {
        open--
        leave(wire)
      })
      cuts.set(wire, cut)
      const crowded = crowd.enter(wire, wire.remoteAddress ?? 'unknown')
      if (crowded) shed(crowded, 'idle, and too many connections had not finished their handshake')
      if (open <= limits.connections) return true
      const idle = crowd.idlest() ?? wire
      shed(idle, `idle, and at most ${limits.connections} connections may be open`)
      return idle !== wire
    },
    accepted: (wire, cut) => void cuts.set(wire, cut),
    heard: crowd.heard,
    leave,
  }
}
