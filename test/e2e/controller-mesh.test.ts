// Meshes that are not full, on real switches: a broadcast comes to each member once, and a frame to one comes to that one.
import t, { type Test } from 'tap'
import { needs } from '../../lab/install.ts'
import type { Pod } from '../../lab/pod.ts'
import { apart, hearing, makeStage, type Stage } from '../ovs/stage.ts'

type Edge = readonly [number, number]
const line = (n: number): Edge[] => Array.from({ length: n - 1 }, (_, i) => [i + 1, i + 2])
const ring = (n: number): Edge[] => [...line(n), [1, n]]

/** The same each time: a tree over all, and some links more. */
function random(n: number, more: number): Edge[] {
  let state = 20261125
  const below = (limit: number) => {
    state = (state * 1103515245 + 12345) % 2147483648
    return state % limit
  }
  const edges = new Map<string, Edge>()
  const add = (a: number, b: number) => void edges.set(`${Math.min(a, b)} ${Math.max(a, b)}`, [a, b])
  for (let i = 2; i <= n; i++) add(i, 1 + below(i - 1))
  while (edges.size < n - 1 + more) {
    const [a, b] = [1 + below(n), 1 + below(n)]
    if (a !== b) add(a, b)
  }
  return [...edges.values()]
}

const shapes: readonly { readonly name: string; readonly nodes: number; readonly links: readonly Edge[] }[] = [
  { name: 'a line', nodes: 4, links: line(4) },
  { name: 'a ring', nodes: 5, links: ring(5) },
  { name: 'a star', nodes: 5, links: [2, 3, 4, 5].map(n => [1, n] as const) },
  {
    name: 'a tree',
    nodes: 6,
    links: [
      [1, 2],
      [1, 3],
      [2, 4],
      [2, 5],
      [3, 6],
    ],
  },
  {
    name: 'a grid',
    nodes: 9,
    links: [1, 2, 3, 4, 5, 6, 7, 8, 9].flatMap((n): Edge[] => [
      ...(n % 3 !== 0 ? [[n, n + 1] as const] : []),
      ...(n <= 6 ? [[n, n + 3] as const] : []),
    ]),
  },
  { name: 'twenty switches at random', nodes: 20, links: random(20, 12) },
]

/** Nobody of `pods` misses a frame to it, and nobody else gets it. */
async function reachEachOther(t: Test, stage: Stage, pods: readonly Pod[]): Promise<void> {
  const { times, strays } = await stage.frames.reach(pods, { kind: 'unicast' })
  const missed = pods.flatMap(a => pods.filter(b => a !== b && times(a, b) !== 1).map(b => `${a.name} to ${b.name}`))
  t.strictSame(missed, [])
  t.strictSame(strays, [])
}

if (needs(t))
  for (const { name, nodes, links } of shapes)
    t.test(name, async t => {
      const stage = await makeStage(t, { nodes, podsPerNode: 2, links })
      const all = stage.mesh.pods()
      // Red is on the odd nodes, green on all: so some only pass red's frames on.
      const red = all.filter(pod => pod.port === 1 && pod.node % 2 === 1)
      const green = all.filter(pod => pod.port === 2)
      await stage.join('red', red)
      await stage.join('green', green, 'learn')
      await reachEachOther(t, stage, red)
      t.strictSame(await hearing(stage, all), apart(all, red, green))
      await Promise.all(green.map((pod, i) => stage.ping(pod, green[(i + 1) % green.length]!)))
      t.strictSame(await hearing(stage, all), apart(all, red, green), 'with what was learned, too')
      const [first, last] = [red[0]!, red.at(-1)!]
      await stage.leave('red', [last])
      t.strictSame(await hearing(stage, all), apart(all, red.slice(0, -1), green))
      await stage.join('red', [last])
      await reachEachOther(t, stage, [first, last])
    })
