// Pins every lost frame to the hop where it was lost, and says which of the losses an event explains. Pure.
import type { Leg } from './hops.ts'
import type { Pair } from './plan.ts'

/** A frame that a member should have received. Times are milliseconds of one clock. */
export type Loss = {
  /** Of which network, and whether it was sent to all. */
  readonly what: string
  readonly from: number
  readonly to: number
  readonly sentAt: number
  /** Where it was seen, and where the last frame of the same sender was that arrived. */
  readonly legs: readonly Leg[]
  readonly before: readonly Leg[]
}

/** Where a frame was lost: on a link, or in the switch of a node, which it reached and did not leave. */
export type Pin = { readonly is: 'link'; readonly link: Pair } | { readonly is: 'switch'; readonly node: number }

/** Frames that were sent within this time, and were lost there, are an event's due. */
export type Window = {
  readonly why: string
  /** `member`: whatever comes from this node's members or goes to them, wherever it was lost. */
  readonly where: Pin | { readonly is: 'member'; readonly node: number }
  readonly from: number
  readonly until: number
}

const same = (x: Pin, y: Pin): boolean =>
  x.is === 'switch'
    ? y.is === 'switch' && x.node === y.node
    : y.is === 'link' && Math.min(...x.link) === Math.min(...y.link) && Math.max(...x.link) === Math.max(...y.link)

/** Nodes that a frame reached, its sender's first. */
function reached(from: number, legs: readonly Leg[]): Set<number> {
  const nodes = new Set([from])
  for (let before = 0; before < nodes.size; ) {
    before = nodes.size
    for (const [a, b, arrived] of legs) if (arrived && nodes.has(a)) nodes.add(b)
  }
  return nodes
}

/** The nodes on the way from one to another, ends included, over legs on which a frame arrived; empty when there is none. */
export function wayOf(from: number, to: number, legs: readonly Leg[]): readonly number[] {
  const came = new Map<number, number>([[from, from]])
  for (let before = 0; before < came.size; ) {
    before = came.size
    for (const [a, b, arrived] of legs) if (arrived && came.has(a) && !came.has(b)) came.set(b, a)
  }
  if (!came.has(to)) return []
  const way = [to]
  while (way[0] !== from) way.unshift(came.get(way[0]!)!)
  return way
}

export function pinOf({ from, to, legs, before }: Pick<Loss, 'from' | 'to' | 'legs' | 'before'>): Pin {
  const there = reached(from, legs)
  if (there.has(to)) return { is: 'switch', node: to }
  const stuck = legs.filter(([a, b, arrived]) => !arrived && there.has(a) && !there.has(b))
  const way = wayOf(from, to, before)
  const onWay = stuck.find(([a, b]) => way.includes(a) && way.includes(b)) ?? stuck[0]
  if (onWay) return { is: 'link', link: [onWay[0], onWay[1]] }
  // It left no switch towards its target: the last one on the way of before that it reached kept it.
  return { is: 'switch', node: way.findLast(node => there.has(node)) ?? from }
}

export const explainedBy = (loss: Loss, windows: readonly Window[]): Window | undefined => {
  const pin = pinOf(loss)
  const isThere = ({ where }: Window) =>
    where.is === 'member' ? where.node === loss.from || where.node === loss.to : same(where, pin)
  return windows.find(w => isThere(w) && loss.sentAt >= w.from && loss.sentAt <= w.until)
}

export type Explained = { readonly count: number; readonly lastMs: number }
export type Verdict = {
  /** By the words of each event: how many losses it explains, and when (milliseconds from the beginning of its time) the last was sent. */
  readonly explained: ReadonlyMap<string, Explained>
  /** Losses without an explanation, those alike in one line. */
  readonly faults: readonly string[]
}

/** @param began When the round began: faults are told by seconds from there. */
export function judge(losses: readonly Loss[], windows: readonly Window[], began: number): Verdict {
  const explained = new Map<string, Explained>()
  const left = losses.filter(loss => {
    const window = explainedBy(loss, windows)
    if (window) {
      const { count, lastMs } = explained.get(window.why) ?? { count: 0, lastMs: 0 }
      explained.set(window.why, { count: count + 1, lastMs: Math.max(lastMs, loss.sentAt - window.from) })
    }
    return window === undefined
  })
  const alike = Map.groupBy(left, loss => `${loss.what} from ${loss.from}, lost ${spellPin(pinOf(loss))}`)
  const seconds = (at: number) => ((at - began) / 1000).toFixed(2)
  const faults = [...alike].map(([words, group]) => {
    const times = group.map(loss => loss.sentAt)
    const targets = [...new Set(group.map(loss => loss.to))].join(' ')
    const way = wayOf(group[0]!.from, group[0]!.to, group[0]!.before)
    const before = way.length > 0 ? `; before, frames to ${group[0]!.to} took ${way.join('-')}` : ''
    return `${group.length} copies ${words}, on the way to ${targets}, sent ${seconds(Math.min(...times))} to ${seconds(Math.max(...times))} s${before}`
  })
  return { explained, faults }
}

export const spellPin = (pin: Pin): string =>
  pin.is === 'link' ? `on link ${pin.link[0]}-${pin.link[1]}` : `in the switch of node ${pin.node}`
