// What a run of chaos does, worked out from its seed before anything is done. Pure.
import { type Random, randomOf } from './random.ts'

/** A link between two nodes, by their numbers, the lower one first. */
export type Pair = readonly [a: number, b: number]

/** What happens, `at` so many milliseconds into a round; what is undone is undone `lasts` milliseconds later. */
export type Event = { readonly at: number } & (
  | { readonly is: 'kill' | 'terminate'; readonly lasts: number }
  | { readonly is: 'cost'; readonly link: Pair; readonly cost: number }
  /** Frames on the link are lost; no port goes down. */
  | { readonly is: 'silence'; readonly link: Pair; readonly lasts: number }
  /** The port of its first node goes down. */
  | { readonly is: 'cut'; readonly link: Pair; readonly lasts: number }
  /** kill -9 of ovs-vswitchd; it is started again at once. */
  | { readonly is: 'crash'; readonly node: number }
  /** A switch and the controller do not reach each other. */
  | { readonly is: 'away'; readonly node: number; readonly lasts: number }
  /** The node dies without a word: its switch is emptied and does not reach the controller. */
  | { readonly is: 'die'; readonly node: number; readonly lasts: number }
  /** A further port of the node enters the first network, and leaves it again. */
  | { readonly is: 'attach'; readonly node: number; readonly lasts: number }
)

export type Round = { readonly events: readonly Event[] }
export type NetworkPlan = {
  readonly id: string
  /** The port of each member's pod, the same on every node. */
  readonly port: number
  readonly nodes: readonly number[]
  readonly how: 'pinned' | 'learn'
}
export type Plan = {
  readonly seed: number
  readonly nodes: number
  readonly links: readonly Pair[]
  readonly networks: readonly NetworkPlan[]
  /** Without end; the same for each index. */
  round(index: number): Round
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)
const pair = (a: number, b: number): Pair => (a < b ? [a, b] : [b, a])
const key = ([a, b]: Pair): string => `${a}-${b}`

/** Do these links join all these nodes? */
export function isJoined(nodes: readonly number[], links: readonly Pair[]): boolean {
  const seen = new Set(nodes.slice(0, 1))
  for (let before = 0; before < seen.size; ) {
    before = seen.size
    for (const [a, b] of links) {
      if (!nodes.includes(a) || !nodes.includes(b)) continue
      if (seen.has(a)) seen.add(b)
      else if (seen.has(b)) seen.add(a)
    }
  }
  return seen.size === nodes.length
}

/** A mesh of 5 to 9 nodes: a random tree, and some links more. With `deaths` nodes die, too; without, seeds of before mean what they did. */
export function planOf(seed: number, deaths = false): Plan {
  const random = randomOf(seed)
  const nodes = random.between(5, 9)
  const order = random.shuffled(range(nodes))
  const tree = order.slice(1).map((node, i) => pair(node, random.pick(order.slice(0, i + 1))))
  const others = range(nodes)
    .flatMap(a => range(nodes).flatMap(b => (a < b ? [pair(a, b)] : [])))
    .filter(link => !tree.some(one => key(one) === key(link)))
  const links = [...tree, ...random.shuffled(others).slice(0, random.between(2, nodes))]
  const some = random.shuffled(range(nodes)).slice(0, random.between(3, nodes))
  const networks: NetworkPlan[] = [
    { id: 'red', port: 1, nodes: range(nodes), how: random.pick(['pinned', 'learn'] as const) },
    { id: 'blue', port: 2, nodes: some.sort((a, b) => a - b), how: random.pick(['pinned', 'learn'] as const) },
  ]
  return { seed, nodes, links, networks, round: index => roundOf(randomOf(seed * 1000 + index), nodes, links, deaths) }
}

function roundOf(random: Random, nodes: number, links: readonly Pair[], deaths: boolean): Round {
  const events: Event[] = []
  const count = random.between(1, 4)
  for (let tries = 0; events.length < count && tries < 50; tries++) {
    const event = eventOf(random, nodes, links, deaths)
    if (isPossible([...events, event], nodes, links)) events.push(event)
  }
  return { events: events.sort((a, b) => a.at - b.at) }
}

function eventOf(random: Random, nodes: number, links: readonly Pair[], deaths: boolean): Event {
  const at = random.between(0, 3000)
  const lasts = random.between(200, 6000)
  const node = random.between(1, nodes)
  const link = random.pick(links)
  const is = random.pick([
    'kill',
    'kill',
    'terminate',
    'cost',
    'cost',
    'silence',
    'cut',
    'crash',
    'away',
    'attach',
    ...(deaths ? (['die'] as const) : []),
  ] as const)
  switch (is) {
    case 'kill':
    case 'terminate':
      return { at, is, lasts: random.between(50, 3000) }
    case 'cost':
      return { at, is, link, cost: random.pick([1, 2, 5, 10, 20, 50, 100]) }
    case 'silence':
    case 'cut':
      return { at, is, link, lasts }
    case 'crash':
      return { at, is, node }
    case 'away':
    case 'die':
    case 'attach':
      return { at, is, node, lasts }
  }
}

/** One controller dies once a round; and what is broken, taken together, leaves the rest of the mesh in one piece. */
export function isPossible(events: readonly Event[], nodes: number, links: readonly Pair[]): boolean {
  const times = (is: (event: Event) => boolean) => events.filter(is).length
  if (times(e => e.is === 'kill' || e.is === 'terminate') > 1 || times(e => e.is === 'attach') > 1) return false
  const down = new Set(events.flatMap(e => (e.is === 'silence' || e.is === 'cut' ? [key(e.link)] : [])))
  if (down.size < times(e => e.is === 'silence' || e.is === 'cut')) return false
  const crashed = new Set(events.flatMap(e => (e.is === 'crash' || e.is === 'die' ? [e.node] : [])))
  if (crashed.size < times(e => e.is === 'crash' || e.is === 'die')) return false
  const away = new Set(events.flatMap(e => (e.is === 'away' || e.is === 'die' ? [e.node] : [])))
  if (away.size < times(e => e.is === 'away' || e.is === 'die')) return false
  const left = links.filter(link => !down.has(key(link)))
  return (
    isJoined(range(nodes), left) &&
    isJoined(
      range(nodes).filter(n => !crashed.has(n)),
      left,
    )
  )
}

/** An event in words. */
export function spell(event: Event): string {
  const when = `${(event.at / 1000).toFixed(2)} s: `
  switch (event.is) {
    case 'kill':
      return `${when}controller kill -9, back after ${event.lasts} ms`
    case 'terminate':
      return `${when}controller SIGTERM, back after ${event.lasts} ms`
    case 'cost':
      return `${when}link ${key(event.link)} costs ${event.cost}`
    case 'silence':
      return `${when}link ${key(event.link)} silent for ${event.lasts} ms`
    case 'cut':
      return `${when}link ${key(event.link)} cut for ${event.lasts} ms`
    case 'crash':
      return `${when}ovs-vswitchd of node ${event.node} kill -9`
    case 'away':
      return `${when}switch of node ${event.node} without the controller for ${event.lasts} ms`
    case 'die':
      return `${when}node ${event.node} dies without a word, back after ${event.lasts} ms`
    case 'attach':
      return `${when}a port of node ${event.node} enters red, leaves after ${event.lasts} ms`
  }
}
