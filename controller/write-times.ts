// How long writes take: from when one was accepted to the barrier of the last switch that is concerned.
import type { Write } from '../store/store.ts'
import type { Emit } from './view/event.ts'

/** Writes to one network that are waited for at once; beyond them the newest are not timed. */
const mostWaiting = 1000

export type WriteTimes = {
  written(write: Write): void
  /** A network was compiled; `revision`: the one that its tables are for now. Infinity, both: it is gone. */
  compiled(number: number, revision: number, serial: number): void
  /** Something about this network was confirmed: the switches may have it now. */
  look(number: number): void
}

type Parts = {
  /** All switches concerned have confirmed a compile of this network with this serial, or a later one. */
  isConfirmed(network: string, number: number, serial: number): boolean
  /** Milliseconds of performance.now(). */
  now(): number
  readonly emit: Emit
}

type Waiting = {
  readonly network: string
  readonly revision: number
  readonly acceptedAt: number
  /** Of the first compile with this write in it. */
  serial: number | undefined
}

export function newWriteTimes({ isConfirmed, now, emit }: Parts): WriteTimes {
  const waiting = new Map<number, Waiting[]>()
  return {
    written({ changes, revision, acceptedAt }) {
      for (const [number, network] of networksOf(changes)) {
        const writes = waiting.get(number) ?? []
        waiting.set(number, writes)
        if (writes.length < mostWaiting) writes.push({ network, revision, acceptedAt, serial: undefined })
      }
    },
    compiled(number, revision, serial) {
      for (const write of waiting.get(number) ?? []) if (write.revision <= revision) write.serial ??= serial
    },
    look(number) {
      const writes = waiting.get(number) ?? []
      // Each by itself: a later write to the same network does not make an earlier one younger.
      for (let first = writes[0]; first?.serial !== undefined; first = writes[0]) {
        const { network, revision: written, acceptedAt, serial } = first
        if (!isConfirmed(network, number, serial)) return
        writes.shift()
        emit({ kind: 'network-programmed', network, seconds: (now() - acceptedAt) / 1000, written })
      }
      if (writes.length === 0) waiting.delete(number)
    },
  }
}

/** Numbers and names of the networks that a client changed: then their revision is that of the write. */
function networksOf(changes: Write['changes']): ReadonlyMap<number, string> {
  const networks = new Map<number, string>()
  for (const change of changes) {
    if (change.kind !== 'network' || change.before?.revision === change.after?.revision) continue
    networks.set((change.after ?? change.before)!.number, change.key)
  }
  return networks
}
