/** The controller is killed and started again, while frames flow. */

import { setTimeout as sleep } from 'node:timers/promises'
import { broadcast, type Probe, probe } from '../../lab/frame.ts'
import type { Counts, Stream } from '../../lab/frames.ts'
import { countOf, readAges, touched } from './ages.ts'
import type { Proof } from './attacks.ts'
import type { Member } from './member.ts'
import type { Fault, Outcome } from './report.ts'

const pps = 1000
/** The streams are stopped when the controller is back; this is only where they would end by themselves. */
const longest = 300

type Flow = { readonly what: string; readonly from: Member; readonly to: readonly Member[]; readonly dst: string }

export async function restart(proof: Proof): Promise<Outcome> {
  const { members, mesh, frames, controller } = proof
  const of = (network: Member['network']) => members.filter(member => member.network === network)
  const [red, other] = of('red')
  const [blue, ...others] = of('blue')
  const flows: readonly Flow[] = [
    { what: `unicast ${red!.name} -> ${other!.name}`, from: red!, to: [other!], dst: other!.mac },
    { what: `broadcast of ${blue!.name}`, from: blue!, to: others, dst: broadcast },
  ]
  // Whoever was silent for a minute would be forgotten, which is right, and not what is looked at here.
  await frames.reach(members)
  const before = await readAges(mesh)
  const streams = await Promise.all(flows.map(flow => stream(proof, flow)))
  let away = 0
  try {
    await sleep(1000)
    await controller.kill('SIGKILL')
    const killed = performance.now()
    await sleep(2000)
    await controller.start()
    away = (performance.now() - killed) / 1000
    await sleep(2000)
  } finally {
    await Promise.all(streams.map(({ stop }) => stop()))
  }
  const counts = await Promise.all(streams.map(({ finish }) => finish()))
  const after = await readAges(mesh)
  const [unicast, broadcasts] = counts.map(({ sent }) => sent.toLocaleString('en-US'))
  return {
    faults: [...flows.flatMap((flow, index) => judgeStream(members, flow, counts[index]!)), ...touched(before, after)],
    proved:
      `${away.toFixed(1)} s from kill -9 until every switch was confirmed again; meanwhile,\n` +
      `${unicast} frames ${red!.name} -> ${other!.name} and ${broadcasts} broadcasts of ${blue!.name}, at 1,000/s:\n` +
      `none lost, none twice; ${countOf(after, 'flow')} flows, ${countOf(after, 'group')} groups, ${countOf(after, 'meter')} meters: none added,\n` +
      'none removed, no duration reset',
  }
}

const stream = ({ frames }: Proof, { from, dst }: Flow): Promise<Stream> =>
  frames.stream(from, (counted: Probe) => probe({ dst, src: from.mac }, counted), { pps, seconds: longest })

export function judgeStream(members: readonly Member[], { what, from, to }: Flow, counts: Counts): Fault[] {
  const receivers = new Set(to.map(({ name }) => name))
  const faults: Fault[] = []
  const add = (at: string, expected: string, got: string) => faults.push({ what: `${what}, at ${at}`, expected, got })
  for (const at of members) {
    if (at.name === from.name) continue
    const { received, duplicated, overflow } = counts.at(at)
    const expected = receivers.has(at.name) ? counts.sent : 0
    // What the machine was too busy to count proves nothing, in either direction.
    if (overflow > 0) add(at.name, 'every frame to be counted', `${overflow} were lost in our own socket: run it again`)
    else if (received !== expected || duplicated > 0)
      add(at.name, `${expected} of ${counts.sent}, none twice`, `${received}, ${duplicated} twice`)
  }
  if (counts.reflected > 0) add(from.name, 'nothing back at the sender', `${counts.reflected}`)
  if (counts.sent === 0) add(from.name, 'frames to be sent', 'none')
  return faults
}
