// What one pod sends to another, and what that costs the switches on the way: iperf3 and ping, in the pods.
import { setTimeout as sleep } from 'node:timers/promises'
import { pathOf } from '../lab/install.ts'
import { bridge } from '../lab/node.ts'
import type { Pod } from '../lab/pod.ts'
import type { Stage } from '../test/ovs/stage.ts'
import { cpuOfThreads, quantile } from './machine.ts'

export const iperfIsThere = (): boolean => pathOf('iperf3') !== undefined
export const iperfInstall = 'apt-get install iperf3'

/** Two pods, and the nodes whose switches their frames pass. `to` serves iperf3. */
export type Pair = { readonly from: Pod; readonly to: Pod; readonly by: readonly number[] }

/** Ends with the pod. */
export const serve = (stage: Stage, to: Pod): Promise<string> => stage.mesh.exec(to, 'iperf3', '--server', '--daemon')

/** Milliseconds there and back, each of `count` pings 2 ms apart. Rejects when one is lost. */
export async function roundTrips(stage: Stage, { from, to }: Pair, count: number): Promise<readonly number[]> {
  const said = await stage.mesh.exec(from, 'ping', '-n', '-c', String(count), '-i', '0.002', addressOf(to))
  const times = [...said.matchAll(/time=([\d.]+) ms/g)].map(([, ms]) => Number(ms))
  if (times.length !== count) throw new Error(`${from.name} to ${to.name}: ${times.length} of ${count} pings answered`)
  return times
}

/** What the switches did in a while: `packets` that they gave to the two pods, and their processor seconds, all threads. */
export type Passed = { readonly packets: number; readonly cpu: number; readonly seconds: number }

/** UDP to `to` for `seconds` (whole ones, as iperf3 has them) and a little before and after, so many a second, or as many as go. */
export async function datagrams(
  stage: Stage,
  pair: Pair,
  { seconds, pps, payload }: { readonly seconds: number; readonly pps: number | 'most'; readonly payload: number },
): Promise<Passed> {
  const rate = pps === 'most' ? '0' : String(pps * payload * 8)
  const sending = client(stage, pair, seconds, ['--udp', '--length', String(payload), '--bitrate', rate])
  const [passed] = await Promise.all([later(stage, pair, seconds), sending])
  return passed
}

/** One TCP connection to `to`. */
export async function bytes(stage: Stage, pair: Pair, seconds: number): Promise<Passed & { readonly bits: number }> {
  const sending = client(stage, pair, seconds, ['--omit', String(lead)])
  const [passed, said] = await Promise.all([later(stage, pair, seconds), sending])
  return { ...passed, bits: said.end.sum_received.bits_per_second }
}

/** Seconds that traffic runs before it is measured. */
const lead = 1

type Said = { readonly end: { readonly sum_received: { readonly bits_per_second: number } }; readonly error?: string }

async function client(stage: Stage, { from, to }: Pair, seconds: number, flags: readonly string[]): Promise<Said> {
  const long = flags.includes('--omit') ? seconds : seconds + 2 * lead
  const said = await stage.mesh.exec(from, 'iperf3', '--client', addressOf(to), '--json', '-t', String(long), ...flags)
  const answer: Said = JSON.parse(said)
  if (answer.error !== undefined) throw new Error(`iperf3 from ${from.name} to ${to.name}: ${answer.error}`)
  return answer
}

/** Whatever goes on, in `seconds` from now. */
export async function during(stage: Stage, pair: Pair, seconds: number): Promise<Passed> {
  const before = await sight(stage, pair)
  await sleep(seconds * 1000)
  const after = await sight(stage, pair)
  return {
    packets: after.packets - before.packets,
    cpu: after.cpu - before.cpu,
    seconds: (after.at - before.at) / 1000,
  }
}

async function later(stage: Stage, pair: Pair, seconds: number): Promise<Passed> {
  await sleep(lead * 1000)
  return during(stage, pair, seconds)
}

async function sight(stage: Stage, { from, to, by }: Pair) {
  const given = await Promise.all([from, to].map(pod => givenTo(stage, pod)))
  const pids = await Promise.all(by.map(number => stage.mesh.node(number).ovs.pid()))
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0)
  return { at: performance.now(), packets: sum(given), cpu: sum(pids.map(cpuOfThreads)) }
}

/** How many frames the switch has sent out of the port of a pod. */
async function givenTo(stage: Stage, { node, port }: Pod): Promise<number> {
  const text = await stage.mesh.node(node).ovs.ofctl(bridge, 'dump-ports', [String(port)])
  return Number(/tx pkts=(\d+)/.exec(text)![1])
}

const addressOf = ({ ips }: Pod): string => ips[0]!.split('/')[0]!

/** Median and 99 of 100, both in microseconds. */
export const microseconds = (ms: readonly number[]): readonly [median: number, p99: number] => [
  quantile(ms, 0.5) * 1000,
  quantile(ms, 0.99) * 1000,
]
