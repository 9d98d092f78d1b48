// Whether we are ready for what concerns networks. What keeps us from it has a time since when, and a limit: once we were ready, a
// switch that reconnects, or a network that is compiled, does not make us unready at once, but only if it lasts; and a switch
// without networks, which anybody could connect, keeps nobody waiting for long.
import { maxFullMeshNodes } from '../store/limits.ts'
import { isTooLarge } from '../store/overlay.ts'
import type { DatapathId } from '../topology/topology.ts'
import type { Clock } from './clock/clock.ts'
import type { Facts } from './facts.ts'
import { isLive, phaseReason } from './switch/state.ts'
import type { Concern, Readiness } from './view/view.ts'

/** Milliseconds that something may last before it makes us unready, once we were ready. */
export const borne = 30_000
/** Milliseconds that a switch without networks is waited for. */
export const waited = 10_000

type Matter = {
  /** The same as long as it is the same trouble. */
  readonly key: string
  readonly what: string
  /** Of a switch that no network concerns. */
  readonly isIdle: boolean
}

/** All that is not as it should be now. A switch that lacks what we need never will be, and keeps nobody else from working. */
function* matters({ state, switches, queued, tables }: Facts): Iterable<Matter> {
  if (isTooLarge(state)) yield { key: 'mesh', what: meshTooLarge(state), isIdle: false }
  const carries = (dpid: DatapathId) => {
    for (const _ of tables.at(dpid)) return true
    return false
  }
  for (const sw of switches.values()) {
    if (!sw.session || isLive(sw) || sw.phase.is === 'unsupported') continue
    // Flows of another store may be of networks that we do not know any more.
    const isIdle = sw.phase.is !== 'unadopted' && !carries(sw.dpid)
    yield { key: `switch ${sw.dpid} ${sw.phase.is}`, what: `switch ${sw.dpid}: ${phaseReason(sw)}`, isIdle }
  }
  // A network that was compiled meanwhile, and is to be again, is another matter.
  for (const id of queued) {
    const serial = tables.compiled.get(tables.numberOf(id) ?? 0)?.serial ?? 'new'
    yield { key: `network ${id} ${serial}`, what: `network ${id} is being compiled`, isIdle: false }
  }
}

const meshTooLarge = ({ nodes }: Facts['state']): string =>
  `the full mesh has ${nodes.size} nodes, and at most ${maxFullMeshNodes} can be worked out: switches stay as they are until PUT /v1/mesh declares a smaller one, or one with "links", or DELETE /v1/nodes/{name} takes nodes out`

/** Milliseconds between two looks, so that `since` is right although nobody asks. */
const interval = 1000
/** Concerns that are listed one by one. */
const listed = 50

export function readiness(status: () => Facts, clock: Clock): { now(): Readiness; stop(): void } {
  let since = new Map<string, number>()
  let wasReady = false
  const look = () => {
    const now = clock.now()
    const seen = new Map<string, number>()
    const all: (Matter & { readonly lasted: number })[] = []
    for (const matter of matters(status())) {
      const began = since.get(matter.key) ?? now
      seen.set(matter.key, began)
      all.push({ ...matter, lasted: now - began })
    }
    since = seen
    const counted = all.filter(({ isIdle, lasted }) => !isIdle || lasted < waited)
    const limit = wasReady ? borne : 0
    const late = counted.filter(({ lasted }) => lasted >= limit)
    wasReady ||= late.length === 0
    return { counted, late, limit }
  }
  const stop = clock.every(interval, look)
  return {
    stop,
    now() {
      const { counted, late, limit } = look()
      const concerns = counted.slice(0, listed).map(
        ({ what, lasted }): Concern => ({
          what,
          since: new Date(Date.now() - lasted),
          borneForSeconds: Math.max(0, Math.ceil((limit - lasted) / 1000)),
        }),
      )
      return { ready: late.length === 0, reasons: reasonsOf(late.map(({ what }) => what)), concerns }
    },
  }
}

const reasonsOf = (all: readonly string[]): readonly string[] =>
  all.length <= listed ? all : [...all.slice(0, listed), `and ${all.length - listed} more`]
