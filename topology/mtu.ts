// How large a frame a link carries in one direction: searched with probes that are padded. Pure; times in milliseconds.

/**
 * All sizes are MTUs: bytes after the 14 of an Ethernet header, as an interface's `mtu` in Linux. What is smaller than
 * the least carries no IPv4 host (RFC 791 §3.1); the most is what jumbo interfaces have.
 */
export const leastMtu = 576
export const mostMtu = 9216

/** Sizes at which links most often end: VXLAN over 1500 and over 9000, and what is plain. They are tried first. */
const usual = [1450, 1500, 8950, 9000, mostMtu]
/** So often a size is tried before it counts as too large: a single lost frame says nothing. */
const tries = 3
/** What was found is tried again after this: the size must pass still, and the next larger one must not. */
export const againMs = 600_000

export type Search = {
  /** The result of the last search; 0: none yet, or the least does not pass. */
  readonly known: number
  /** The largest size that has arrived, and the smallest that has not. */
  readonly passes: number
  readonly fails: number
  /** What is sent next or on its way; undefined: the search is over. */
  readonly size: number | undefined
  /** How often it was sent, and when last. */
  readonly sent: number
  readonly sentAt: number
  /** When the search was over. */
  readonly foundAt: number
}

export const newSearch = (fails: number = mostMtu + 1): Search => ({
  known: 0,
  passes: 0,
  fails,
  size: leastMtu,
  sent: 0,
  sentAt: 0,
  foundAt: Number.NEGATIVE_INFINITY,
})

/** A search that is over begins again, with what was found. */
export const renewed = (search: Search): Search =>
  search.size === undefined ? { ...search, size: search.passes || leastMtu, sent: 0 } : search

/** The link may be another one by now: a search begins as soon as it may, and with what passed before. */
export const doubted = (search: Search): Search => ({
  ...search,
  ...{ fails: search.passes > 0 ? search.passes + 1 : mostMtu + 1, size: undefined, sent: 0 },
  foundAt: Number.NEGATIVE_INFINITY,
})

/** The padded probe leaves. */
export const padded = (search: Search, now: number): Search => ({ ...search, sent: search.sent + 1, sentAt: now })

/** A probe of this size arrives: that one passes is believed at any time, also when it was given up already. */
export function passed(search: Search, size: number, now: number): Search {
  if (size > mostMtu || size < search.passes) return search
  if (size === search.passes) {
    if (search.size !== size) return search
    return size < mostMtu ? { ...search, size: size + 1, sent: 0 } : over(search, now)
  }
  return next({ ...search, passes: size, fails: search.fails > size ? search.fails : mostMtu + 1 }, now)
}

/** The probe that was sent last has had its time. */
export function missed(search: Search, now: number): Search {
  const { size, sent, passes } = search
  if (size === undefined || sent < tries) return search
  // What passed before does not any more: all is to be found out again.
  if (size === passes) return newSearch(size)
  return next({ ...search, fails: size }, now)
}

const over = (search: Search, now: number): Search => ({
  ...search,
  known: search.passes,
  size: undefined,
  sent: 0,
  foundAt: now,
})

function next(search: Search, now: number): Search {
  const { passes, fails } = search
  if (fails - passes <= 1 || fails <= leastMtu) return over(search, now)
  return { ...search, size: between(passes, fails), sent: 0 }
}

/** Usual sizes first; where one passes and the next does not, most often the very next byte does not; then by halves. */
function between(passes: number, fails: number): number {
  const larger = usual.find(size => size > passes)
  if (larger !== undefined && larger < fails) return larger
  if (usual.includes(passes)) return passes + 1
  return passes + Math.ceil((fails - passes) / 2)
}
