/** Frames from everybody at once, and what came of them: how often each member received what each other one had sent. */

import type { Probe } from '../../lab/frame.ts'
import type { Frames, Reach } from '../../lab/frames.ts'
import { areTogether } from './matrix.ts'
import type { Member } from './member.ts'
import type { Fault } from './report.ts'

export type Volley = {
  /** What is sent, as a reader would call it: 'broadcast'. */
  readonly what: string
  readonly kind: 'broadcast' | 'unicast'
  readonly rounds: number
  /** `to` is the one that it is addressed to; with `broadcast` there is none. */
  readonly frame: (from: Member, to: Member | undefined, counted: Probe, round: number) => Buffer
  /** Who is to receive it once. Everybody else never, nor the sender, who is not asked about. */
  readonly wanted: (from: Member, at: Member) => boolean
}

export type Landed = { readonly sent: number; readonly arrived: number; readonly faults: readonly Fault[] }

/** Volleys of one call run side by side, their rounds one after the other. */
export async function fire(
  { frames, members }: { readonly frames: Frames; readonly members: readonly Member[] },
  ...volleys: readonly Volley[]
): Promise<Landed> {
  const landed = await Promise.all(
    volleys.map(async volley => {
      const reaches: Reach[] = []
      for (let round = 0; round < volley.rounds; round++)
        reaches.push(
          await frames.reach(members, { kind: volley.kind, frame: named(members, volley, round), quiet: 300 }),
        )
      return judgeVolley(members, volley, reaches)
    }),
  )
  return together(landed)
}

export const together = (landed: readonly Landed[]): Landed => ({
  sent: landed.reduce((sum, { sent }) => sum + sent, 0),
  arrived: landed.reduce((sum, { arrived }) => sum + arrived, 0),
  faults: landed.flatMap(({ faults }) => faults),
})

/** `reach` knows stations; our frames are made for members. */
const named = (members: readonly Member[], { frame }: Volley, round: number) => {
  const byName = new Map(members.map(member => [member.name, member]))
  return (from: { name: string }, to: { name: string } | undefined, counted: Probe) =>
    frame(byName.get(from.name)!, to && byName.get(to.name), counted, round)
}

export function judgeVolley(members: readonly Member[], volley: Volley, reaches: readonly Reach[]): Landed {
  const { what, kind, wanted } = volley
  const faults: Fault[] = []
  let sent = 0
  let arrived = 0
  for (const from of members) {
    const others = members.length - 1
    sent += reaches.length * (kind === 'broadcast' ? 1 : others)
    for (const at of members) {
      if (kind === 'unicast' && at.name === from.name) continue
      const times = reaches.map(reach => reach.times(from, at))
      const expected = at.name !== from.name && wanted(from, at) ? 1 : 0
      if (expected === 1) arrived += times.filter(time => time > 0).length
      if (times.some(time => time !== expected))
        faults.push({
          what: `${what}, ${from.name} -> ${at.name}`,
          expected: `${expected === 1 ? 'each' : 'none'} of ${times.length}${expected === 1 ? ' once' : ''}`,
          got: inWords(times),
        })
    }
  }
  return { sent, arrived, faults: [...faults, ...strayed(members, volley, reaches)] }
}

const inWords = (times: readonly number[]): string => {
  const counts = [
    [times.filter(time => time === 1).length, 'once'],
    [times.filter(time => time > 1).length, 'more than once'],
    [times.filter(time => time === 0).length, 'not at all'],
  ] as const
  return counts.flatMap(([count, words]) => (count > 0 ? [`${count} ${words}`] : [])).join(', ')
}

/** A unicast frame may be flooded, to others of its own network and once. Anywhere else it is a leak. */
function strayed(members: readonly Member[], { what }: Volley, reaches: readonly Reach[]): Fault[] {
  const byName = new Map(members.map(member => [member.name, member]))
  const wrong = reaches
    .flatMap(reach => reach.strays)
    .filter(({ from, at, times }) => from === at || times > 1 || !areTogether(byName.get(from)!, byName.get(at)!))
  return wrong.map(({ from, to, at, times }) => ({
    what: `${what}, ${from} -> ${to}`,
    expected: `nothing of it at ${at}`,
    got: times === 1 ? 'a copy' : `${times} copies`,
  }))
}
