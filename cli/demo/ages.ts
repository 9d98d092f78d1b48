/** How old each flow, group and meter of the switches is, and whether any of them was touched. Pure, but for `readAges`. */

import type { Mesh } from '../../lab/mesh.ts'
import type { Node } from '../../lab/node.ts'
import type { Fault } from './report.ts'

export type Kind = 'flow' | 'group' | 'meter'

/** Seconds by what it is, such as 'n1 flow cookie=..., table=0, priority=100,in_port=1 actions=...'. */
export type Ages = {
  /** Milliseconds, of performance.now(). The ages were read between these two. */
  readonly began: number
  readonly ended: number
  readonly entries: ReadonlyMap<string, { readonly kind: Kind; readonly age: number }>
}

/** What is told of a flow besides what it is; and how old a line of each kind says that it is. */
const spelling: Readonly<Record<Kind, { readonly command: string; readonly line: RegExp; readonly counters: RegExp }>> =
  {
    flow: {
      command: 'dump-flows',
      line: /^ cookie=.*? duration=([\d.]+)s/,
      counters: / (duration|n_packets|n_bytes)=[^,]*,/g,
    },
    group: { command: 'dump-group-stats', line: /^ group_id=.*?duration=([\d.]+)s/, counters: /,.*$/g },
    meter: { command: 'meter-stats', line: /^meter:.*?duration:([\d.]+)s/, counters: / .*$/g },
  }

export async function readAges({ nodes }: Mesh): Promise<Ages> {
  const began = performance.now()
  const kinds = Object.keys(spelling) as Kind[]
  const dumps = await Promise.all(nodes.flatMap(node => kinds.map(kind => readDump(node, kind))))
  return { began, ended: performance.now(), entries: new Map(dumps.flat()) }
}

const readDump = async ({ ovs, bridge, name }: Node, kind: Kind) =>
  parseDump(name, kind, await ovs.ofctl(bridge, spelling[kind].command))

export function parseDump(node: string, kind: Kind, text: string): [string, { kind: Kind; age: number }][] {
  const { line: pattern, counters } = spelling[kind]
  return text.split('\n').flatMap(line => {
    const age = pattern.exec(line)?.[1]
    if (age === undefined) return []
    return [[`${node} ${kind} ${line.replace(counters, '').trim()}`, { kind, age: Number(age) }]]
  })
}

/** What is gone, new, or younger than it must be after the time that has passed. */
export function touched(before: Ages, after: Ages): Fault[] {
  const passed = (after.began - before.ended) / 1000
  const faults: Fault[] = []
  for (const [what, { age }] of before.entries) {
    const now = after.entries.get(what)?.age
    const least = age + passed
    // Switches tell milliseconds, rounded down.
    if (now === undefined) faults.push({ what, expected: `to be ${least.toFixed(1)} s old`, got: 'it is gone' })
    else if (now < least - 0.01)
      faults.push({ what, expected: `to be ${least.toFixed(1)} s old`, got: `it is ${now.toFixed(1)} s old` })
  }
  for (const [what, { age }] of after.entries)
    if (!before.entries.has(what))
      faults.push({ what, expected: 'not to be there', got: `it is ${age.toFixed(1)} s old` })
  return faults
}

export const countOf = ({ entries }: Ages, kind: Kind): number =>
  [...entries.values()].filter(entry => entry.kind === kind).length
