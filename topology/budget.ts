// How often what is probed: a budget of probes a second for the whole controller, however large the mesh.

/** Links are probed so often (milliseconds) while the budget lasts; ports that have led nowhere so far, this often. */
export const linkMs = 250
export const unknownMs = 5000

/** Probes a second in all: those below, and what is left for asking again and for measuring the largest frame. */
export const probesPerSecond = 1000
const forLinks = 800
const forIdle = 80
const forUnknown = 100

/** How many there are, a direction each: links over which networks go, links over which none does, ports that lead nowhere yet. */
export type Counts = { readonly carrying: number; readonly idle: number; readonly unknown: number }
/** Milliseconds between two probes of one of them. */
export type Intervals = { readonly [Kind in keyof Counts]: number }

/**
 * Up to 100 links (200 directions) all are probed four times a second. Beyond, those that carry networks come first, and the
 * others share what they leave, but a tenth at least: with 100 of 1,000 links carrying, these every 278 ms, and the others
 * every 22.5 s. With 1,000 links that carry networks: every 2.5 s.
 */
export function intervals({ carrying, idle, unknown }: Counts): Intervals {
  const wanted = (links: number) => (links * 1000) / linkMs
  const first = Math.min(wanted(carrying), forLinks - Math.min(wanted(idle), forIdle))
  const rest = Math.min(wanted(idle), forLinks - first)
  const every = (ways: number, perSecond: number, atLeast: number) =>
    ways === 0 ? atLeast : Math.max(atLeast, (ways * 1000) / perSecond)
  return {
    carrying: every(carrying, first, linkMs),
    idle: every(idle, rest, linkMs),
    unknown: every(unknown, forUnknown, unknownMs),
  }
}
