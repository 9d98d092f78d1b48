// What frames gain or lose by our pipeline: the same pods on the same bridges, once programmed by our controller, once with one
// NORMAL flow on each switch. The rounds go A B, B A, A B, ...: neither is always first, and what the machine does besides hits both.
import type { Stage } from '../test/ovs/stage.ts'
import type { Bench } from './bench.ts'
import { onStage } from './lab.ts'
import { load, median, print, quantile } from './machine.ts'
import {
  bytes,
  datagrams,
  during,
  iperfInstall,
  iperfIsThere,
  microseconds,
  type Pair,
  type Passed,
  roundTrips,
  serve,
} from './traffic.ts'

/** UDP payload of a frame of 64 bytes, its checksum included. */
const payload = 18
/** So many a second lose none, so that what a packet costs is not blurred by what is thrown away. */
const paced = 20_000

const contenders = ['l2sm', 'NORMAL'] as const
type Contender = (typeof contenders)[number]

const measures = {
  tcp: 'TCP, Mbit/s',
  tcpCost: '  switches, µs of processor a packet',
  rate: '64-byte frames, thousands a second',
  rateCost: '  switches, µs of processor a packet',
  pacedCost: `64-byte frames at ${paced.toLocaleString('en')}/s, µs a packet`,
  roundTrip: 'ping, median, µs',
  slowest: 'ping, 99 of 100, µs',
  idle: 'switches without frames, ms of processor a second',
} as const
type LinkStatistics = Readonly<Record<keyof typeof measures, number>>
type Case = Pair & { readonly name: string }
/** What was measured, in the order of the rounds. */
type Round = Readonly<Record<Contender, LinkStatistics>>

export const dataplane: Bench = {
  about: 'TCP, small packets, latency and what a packet costs the switches, through our pipeline and through NORMAL',
  async run({ folder, small }) {
    if (!iperfIsThere()) return console.log(`  iperf3 is missing: ${iperfInstall}`)
    const [rounds, seconds, pings] = small ? [2, 1, 100] : [7, 2, 1000]
    // A line, so that NORMAL makes no loop.
    const options = { nodes: 3, podsPerNode: 3, links: [[1, 2] as const, [2, 3] as const] }
    const results = await onStage(folder, options, stage => measured(stage, { rounds, seconds, pings }))
    for (const [{ name }, of] of results) report(name, of)
    console.log(
      `\n  ${rounds} rounds of ${seconds} s each; in parentheses the middle half of the ratios of single rounds, and`,
    )
    console.log(`  of each contender with itself in the next round. Load at the end: ${load()}`)
  },
}

type Extent = { readonly rounds: number; readonly seconds: number; readonly pings: number }

async function measured(stage: Stage, extent: Extent): Promise<ReadonlyMap<Case, readonly Round[]>> {
  const { pod } = stage
  const cases: readonly Case[] = [
    { name: 'on one bridge', from: pod(1, 1), to: pod(1, 2), by: [1] },
    { name: 'over VXLAN, between two nodes', from: pod(2, 1), to: pod(3, 1), by: [2, 3] },
    { name: 'over VXLAN, three nodes in a line', from: pod(1, 3), to: pod(3, 3), by: [1, 2, 3] },
  ]
  // What counts probes reads every frame of the pods, and takes processor time for it.
  for (const pod of stage.mesh.pods()) await stage.frames.shut(pod)
  for (const [i, { from, to }] of cases.entries()) {
    await stage.join(networkOf(i), [from, to])
    await serve(stage, to)
  }
  const results = new Map(cases.map(c => [c, [] as Round[]]))
  for (let round = 0; round < extent.rounds; round++) {
    const linkStatistics = new Map<Contender, readonly LinkStatistics[]>()
    for (const contender of round % 2 === 0 ? contenders : contenders.toReversed()) {
      await become(stage, contender, cases)
      const each: LinkStatistics[] = []
      for (const one of cases) each.push(await measure(stage, one, extent))
      linkStatistics.set(contender, each)
    }
    for (const [i, one] of cases.entries())
      results.get(one)!.push({ l2sm: linkStatistics.get('l2sm')![i]!, NORMAL: linkStatistics.get('NORMAL')![i]! })
  }
  return results
}

const networkOf = (i: number) => `bench.n${i}`

async function measure(stage: Stage, pair: Pair, { seconds, pings }: Extent): Promise<LinkStatistics> {
  const quiet = await during(stage, pair, seconds)
  const [roundTrip, slowest] = microseconds(await roundTrips(stage, pair, pings))
  const tcp = await bytes(stage, pair, seconds)
  const most = await datagrams(stage, pair, { seconds, pps: 'most', payload })
  const some = await datagrams(stage, pair, { seconds, pps: paced, payload })
  return {
    tcp: tcp.bits / 1e6,
    tcpCost: cost(tcp),
    rate: most.packets / most.seconds / 1000,
    rateCost: cost(most),
    pacedCost: cost(some),
    roundTrip,
    slowest,
    idle: (quiet.cpu / quiet.seconds) * 1000,
  }
}

const cost = ({ cpu, packets }: Passed): number => (cpu / packets) * 1e6

/** The switches hold what they are to be measured with, and have seen the pods. */
async function become(stage: Stage, contender: Contender, cases: readonly Case[]): Promise<void> {
  const { nodes } = stage.mesh
  const isNormal = async () => {
    const flows = await Promise.all(nodes.map(node => node.dumpFlows()))
    return flows.every(of => of.length === 1 && of[0]!.endsWith('actions=NORMAL'))
  }
  if (contender === 'NORMAL' && !(await isNormal())) {
    // It would take the flow for drift.
    await stage.stop()
    await Promise.all(
      nodes.map(async ({ ovs, bridge, settle }) => {
        await ovs.ofctl(bridge, 'replace-flows', ['-'], 'actions=NORMAL\n')
        await ovs.ofctl(bridge, 'del-groups')
        await settle()
      }),
    )
    if (!(await isNormal())) throw new Error('the switches do not have one NORMAL flow each')
  }
  if (contender === 'l2sm') {
    if (await isNormal()) await stage.start({ takeover: true })
    for (const i of cases.keys()) await stage.programmed(networkOf(i))
    if (await isNormal()) throw new Error('the switches still have their NORMAL flow')
  }
  for (const { from, to } of cases) await stage.ping(from, to)
}

function report(name: string, rounds: readonly Round[]): void {
  const rows = Object.entries(measures).map(([key, title]) => {
    const of = (contender: Contender) => rounds.map(round => round[contender][key as keyof LinkStatistics])
    const [ours, theirs] = [of('l2sm'), of('NORMAL')]
    const ratios = ours.map((value, i) => value / theirs[i]!)
    const selves = [ours, theirs].flatMap(values => values.slice(1).map((value, i) => value / values[i]!))
    return [
      title,
      digits(median(ours)),
      digits(median(theirs)),
      `${digits(median(ratios))} ${spread(ratios)}`,
      spread(selves),
    ]
  })
  print(name, [['', 'l2sm', 'NORMAL', 'ratio', 'itself'], ...rows])
}

const digits = (value: number): string => value.toPrecision(value >= 100 ? Math.ceil(Math.log10(value)) : 3)
const spread = (ratios: readonly number[]): string =>
  `(${quantile(ratios, 0.25).toFixed(2)}-${quantile(ratios, 0.75).toFixed(2)})`
