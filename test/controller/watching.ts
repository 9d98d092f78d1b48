// What a controller counts and logs, written down; and waiting for what must come.
import { newRecorder } from '../../controller/history/recorder.ts'
import type { Emit, Event } from '../../controller/view/event.ts'
import type { Recorded } from '../../controller/view/recorded.ts'
import type { Record as Recorder } from '../../controller/view/view.ts'
import type { Log } from '../../openflow/session/server.ts'

export type Line = {
  readonly level: string
  readonly fields: Readonly<Record<string, unknown>>
  readonly words: string
}

export type Counts = {
  /** OpenFlow messages by direction and type: `out flow_mod`. */
  readonly messages: Map<string, number>
  /** Errors of switches: `FLOW_MOD_FAILED/TABLE_FULL`. */
  readonly errors: Map<string, number>
  readonly connections: Map<string, number>
  packetIns: number
  packetInsDropped: number
  repaired: number
  compiled: number
  /** Seconds from each write to the last barrier. */
  readonly programmed: number[]
}

const add = (counts: Map<string, number>, key: string, by = 1) => void counts.set(key, (counts.get(key) ?? 0) + by)

export function counting(): {
  readonly record: Recorder
  readonly log: Log
  readonly emit: Emit
  /** What the history would have: of a flood only the first. */
  readonly events: readonly Recorded[]
  readonly counts: Counts
  readonly lines: readonly Line[]
} {
  const counts: Counts = {
    messages: new Map(),
    errors: new Map(),
    connections: new Map(),
    packetIns: 0,
    packetInsDropped: 0,
    repaired: 0,
    compiled: 0,
    programmed: [],
  }
  const lines: Line[] = []
  const write = (level: string) => (fields: object, words: string) =>
    void lines.push({ level, fields: { ...fields }, words })
  const log = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
  const events: Recorded[] = []
  const observe = (event: Event) => {
    if (event.kind === 'switch-drift') counts.repaired += event.count
    if (event.kind === 'network-programmed') counts.programmed.push(event.seconds)
    if (event.kind === 'network-compiled') counts.compiled++
  }
  const { emit } = newRecorder({
    ...{ log, observe, revision: () => 0, date: () => new Date() },
    clock: { now: () => performance.now(), every: () => () => {} },
    history: { nextId: () => events.length + 1, add: event => void events.push(event) },
  })
  return {
    counts,
    lines,
    log,
    emit,
    events,
    record: {
      message: (direction, type) => add(counts.messages, `${direction} ${type}`),
      error: (type, code) => add(counts.errors, `${type}/${code}`),
      connection: result => add(counts.connections, result),
      packetIn: () => void counts.packetIns++,
      packetInDropped: () => void counts.packetInsDropped++,
      flowMods: () => {},
    },
  }
}

/** How many messages that change a switch's tables were sent, in bundles or not. */
export const changesSent = ({ messages }: Counts): number =>
  ['flow_mod', 'group_mod', 'meter_mod', 'bundle_add'].reduce(
    (sum, type) => sum + (messages.get(`out ${type}`) ?? 0),
    0,
  )

/**
 * Looks every 20 ms until `condition` holds; throws after `ms`, saying what did not come about, and `why` as it is then.
 */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  { ms = 10_000, why = () => '' }: { readonly ms?: number; readonly why?: () => string } = {},
): Promise<void> {
  for (const end = performance.now() + ms; ; await new Promise(resolve => setTimeout(resolve, 20))) {
    if (await condition()) return
    if (performance.now() > end) throw new Error(`not within ${ms} ms: ${what} ${why()}`)
  }
}
