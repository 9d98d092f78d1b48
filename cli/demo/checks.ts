/** What `--check` proves, in this order. To add a check: a row here. */

import { CommandFailed, run } from '../../lab/command.ts'
import {
  lldpFromPods,
  type Proof,
  plainFrames,
  priorityTags,
  spoofedSources,
  taggedFrames,
  unattachedPort,
} from './attacks.ts'
import { areTogether } from './matrix.ts'
import type { Member } from './member.ts'
import type { Fault, Outcome } from './report.ts'
import { restart } from './restart.ts'

export type Check = { readonly name: string; readonly run: (proof: Proof) => Promise<Outcome> }

export const checks: readonly Check[] = [
  { name: 'pings', run: pings },
  { name: 'plain frames', run: plainFrames },
  { name: 'controller killed', run: restart },
  { name: 'spoofed sources', run: spoofedSources },
  { name: 'VLAN tags', run: taggedFrames },
  { name: 'priority tags', run: priorityTags },
  { name: 'LLDP from pods', run: lldpFromPods },
  { name: 'after all that', run: plainFrames },
  { name: 'unattached port', run: unattachedPort },
]

const pingsPerPair = 3

/** All pods are in one IP subnet: only the switches keep them apart. These are the first frames of the mesh. */
async function pings({ mesh, members }: Proof): Promise<Outcome> {
  const pairs = members.flatMap(from => members.filter(to => to !== from).map(to => ({ from, to })))
  const results = await inTurns(pairs, 16, async ({ from, to }) => {
    const together = areTogether(from, to)
    const sent = together ? pingsPerPair : 1
    return {
      from,
      to,
      together,
      sent,
      answered: together ? await ping(from, to, sent) : await mesh.ping(from, to, sent),
    }
  })
  const faults = results.flatMap(({ from, to, together, sent, answered }): Fault[] => {
    const expected = together ? sent : 0
    if (answered === expected) return []
    return [{ what: `${from.name} pings ${to.name}`, expected: `${expected} of ${sent} answered`, got: `${answered}` }]
  })
  const inside = results.filter(({ together }) => together)
  const answered = inside.reduce((sum, result) => sum + result.answered, 0)
  return {
    faults,
    proved:
      `${inside.length} of ${inside.length} pairs in a network: all ${answered} answered, from the first on;\n` +
      `none of the ${results.length - inside.length} pairs across networks`,
  }
}

/**
 * How many of `count` were answered. Once it has an answer, ping(8) waits no longer for another than its interval, or two
 * round trips: half a second is enough on a busy machine, the usual hundredths of the lab are not.
 */
async function ping(from: Member, to: Member, count: number): Promise<number> {
  const target = to.ips[0]!.split('/')[0]!
  const args = ['-n', '-q', '-c', String(count), '-i', '0.5', '-W', '2', target]
  const answer = await run('ping', args, { netns: from.netns }).catch(error => {
    if (error instanceof CommandFailed && error.code === 1) return error.stdout
    throw error
  })
  return Number(/(\d+) received/.exec(answer)?.[1] ?? 0)
}

/** As many at a time as `width`. */
async function inTurns<T, R>(items: readonly T[], width: number, act: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  const queue = items.entries()
  const worker = async () => {
    for (const [index, item] of queue) results[index] = await act(item)
  }
  await Promise.all(Array.from({ length: width }, worker))
  return results
}
