/** Who hears whom, judged from what was received, and drawn as text. Pure. */

import type { Reach } from '../../lab/frames.ts'
import type { Member } from './member.ts'

/**
 * What a cell says. As wanted: `once`, `silent`, and `self` on the diagonal. Not: `missing` (too few), `twice` (too many),
 * `leak` (heard across networks), `echo` (back at its sender).
 */
export type Verdict = 'once' | 'silent' | 'self' | 'missing' | 'twice' | 'leak' | 'echo'

/** A row for each sender, a column for each receiver, in the order of the members. */
export type Matrix = readonly (readonly Verdict[])[]

export const isWanted = (verdict: Verdict): boolean => ['once', 'silent', 'self'].includes(verdict)

/** A broadcast from each, and a unicast frame from each to each: both must arrive once where wanted, and nowhere else. */
export function judge(members: readonly Member[], broadcast: Reach, unicast: Reach): Matrix {
  const strays = new Map<string, number[]>()
  for (const { from, at, times } of unicast.strays) {
    const key = `${from} ${at}`
    strays.set(key, [...(strays.get(key) ?? []), times])
  }
  return members.map(from =>
    members.map(at => {
      const stray = strays.get(`${from.name} ${at.name}`) ?? []
      const copies = [broadcast.times(from, at), unicast.times(from, at)]
      if (from.name === at.name) return [copies[0]!, ...stray].some(times => times > 0) ? 'echo' : 'self'
      if (!areTogether(from, at)) return [...copies, ...stray].some(times => times > 0) ? 'leak' : 'silent'
      if (copies.some(times => times === 0)) return 'missing'
      // A frame to an address that nobody knows is flooded: others of the network may see it, once.
      return [...copies, ...stray].some(times => times > 1) ? 'twice' : 'once'
    }),
  )
}

export const areTogether = (a: Member, b: Member): boolean => a.network !== undefined && a.network === b.network

/** Two looks, one right after the other: what only the first one missed was late, on a busy machine, and not missing. */
export const confirmed = (first: Matrix, second: Matrix): Matrix =>
  first.map((row, i) =>
    row.map((verdict, j) => {
      const again = second[i]![j]!
      if (verdict === 'missing') return again
      return isWanted(verdict) && again !== 'missing' ? again : verdict
    }),
  )

export type Paint = (verdict: Verdict, text: string) => string

/** Words in the cells; letters when the words would be too wide. `width` is that of the terminal, in characters. */
export function draw(members: readonly Member[], matrix: Matrix, width: number, paint: Paint): string[] {
  const names = members.map(member => member.name)
  const label = Math.max(...names.map(name => name.length), corner.length) + 2
  const column = Math.max(...names.map(name => name.length), words.missing.length) + 2
  const wide = label + names.length * column <= width
  const cells = wide ? { column, spell: words } : { column: 2, spell: letters }
  const heads = wide ? names : names.map(name => name.slice(0, 1))
  const row = (head: string, fields: readonly string[]) => `${head.padEnd(label)}${fields.join('')}`.trimEnd()
  return [
    row(
      corner,
      heads.map(name => name.padEnd(cells.column)),
    ),
    ...matrix.map((newLinkStateWriter, index) =>
      row(
        names[index]!,
        newLinkStateWriter.map(verdict => {
          const text = cells.spell[verdict]
          return paint(verdict, text) + ' '.repeat(cells.column - text.length)
        }),
      ),
    ),
  ]
}

const corner = 'from \\ to'

export const words: Readonly<Record<Verdict, string>> = {
  once: 'once',
  silent: '-',
  self: '.',
  missing: 'MISSING',
  twice: 'TWICE',
  leak: 'LEAK',
  echo: 'ECHO',
}
const letters: Readonly<Record<Verdict, string>> = {
  once: '1',
  silent: '-',
  self: '.',
  missing: 'M',
  twice: '2',
  leak: 'L',
  echo: 'E',
}

/** The state of all in one sentence. */
export function summary(matrix: Matrix): string {
  const newLinkStateWriter = matrix.flat()
  const count = (wanted: Verdict) => newLinkStateWriter.filter(verdict => verdict === wanted).length
  const wrong = (['missing', 'leak', 'twice', 'echo'] as const).filter(verdict => count(verdict) > 0)
  if (wrong.length === 0) return `as wanted: ${count('once')} pairs hear each other once, ${count('silent')} not at all`
  return `NOT as wanted: ${wrong.map(verdict => `${count(verdict)} ${words[verdict]}`).join(', ')}`
}

/** What has changed from one matrix to the next, a line for each sender and verdict. */
export const changes = (members: readonly Member[], before: Matrix, after: Matrix): string[] =>
  members.flatMap((from, i) => {
    const turned = after[i]!.map((verdict, j) => ({ verdict, at: members[j]!.name, was: before[i]![j]! })).filter(
      ({ verdict, was }) => verdict !== was,
    )
    const newLinkStateWriter = [...new Set(turned.map(({ verdict }) => verdict))]
    return newLinkStateWriter.map(verdict => {
      const receivers = turned.filter(turn => turn.verdict === verdict).map(({ at }) => at)
      return `${from.name} -> ${receivers.join(', ')}: ${isWanted(verdict) ? 'as wanted again' : words[verdict]}`
    })
  })
