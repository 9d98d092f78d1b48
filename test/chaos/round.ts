// One round: frames flow, events happen, everything heals; then it is counted.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Counts } from '../../lab/frames.ts'
import type { Pod } from '../../lab/pod.ts'
import { type Absence, carryOut, type Happened, isBusy, windowsOf } from './events.ts'
import { type Explained, judge, type Loss } from './judge.ts'
import type { Event, Plan } from './plan.ts'
import { randomOf } from './random.ts'
import { type Flow, now, type Stage } from './stage.ts'

export type RoundResult = {
  readonly frames: number
  /** Frames that should have arrived, each member counted. */
  readonly deliveries: number
  readonly explained: ReadonlyMap<string, Explained>
  readonly faults: readonly string[]
  /** Warnings and more of the controllers' logs, in this round. */
  readonly log: readonly string[]
  readonly healed: boolean
  /** Others kept the machine busy. */
  readonly busy: boolean
}

/** Frames a second of each sender: to all, and to one other member. */
const [toAll, toOne] = [20, 25]
/** The longest time (milliseconds) until all is as it was, when the last event is over. */
const patience = 40_000
/** A sequence number is a time only about so well (milliseconds): a busy machine sends late. */
const slack = 300

export async function playRound(stage: Stage, plan: Plan, events: readonly Event[]): Promise<RoundResult> {
  const before = stage.log().length
  const extra = await extraPort(stage, events)
  await stage.hops.forget()
  const flows = await startFlows(stage, plan)
  await sleep(500)
  const began = now()
  const absent: Absence[] = []
  const happened = await Promise.all(
    events.map(async event => {
      await sleep(event.at)
      return carryOut(stage, event, plan.networks[0]!, absent)
    }),
  )
  const wound = await healing(stage)
  await sleep(500)
  await Promise.all(flows.map(({ stream }) => stream.stop()))
  const counted = await Promise.all(
    flows.map(async flow => ({ flow, counts: await flow.stream.finish({ each: true, quiet: 500 }) })),
  )
  const losses = (await Promise.all(counted.map(each => lossesOf(stage, each.flow, each.counts)))).flat()
  const busy = isBusy()
  const windows = windowsOf(happened, absent, now(), busy).map(w => ({
    ...w,
    from: w.from - slack,
    until: w.until + slack,
  }))
  const { explained, faults } = judge(losses, windows, began)
  const odd = counted.flatMap(each => oddities(stage, each.flow, each.counts, happened, extra))
  const late = await stage.hops.forget()
  return {
    frames: counted.reduce((sum, { counts }) => sum + counts.sent, 0),
    deliveries: counted.reduce((sum, { flow, counts }) => sum + counts.sent * targets(stage, flow).length, 0),
    explained,
    busy,
    faults: [
      ...(wound.length > 0 ? [`not healed ${patience / 1000} s after the last event: ${wound.join('; ')}`] : []),
      ...faults,
      ...odd,
      ...(late > 0 ? [`${late} frames on the underlay were not read in time: pins may be wrong`] : []),
    ],
    log: stage
      .log()
      .slice(before)
      .filter(line => line.level >= 30)
      .slice(0, 60)
      .map(({ level, time, msg, ...fields }) => `${time} ${level} ${msg} ${JSON.stringify(fields)}`.slice(0, 300)),
    healed: wound.length === 0,
  }
}

async function startFlows(stage: Stage, plan: Plan): Promise<readonly Flow[]> {
  const random = randomOf(plan.seed)
  const flows: Promise<Flow>[] = []
  for (const { id } of plan.networks) {
    const pods = random.shuffled(stage.members(id))
    for (const [i, pod] of pods.entries())
      flows.push(stage.flow(id, pod, undefined, toAll), stage.flow(id, pod, pods[(i + 1) % pods.length], toOne))
  }
  return Promise.all(flows)
}

/** The pod that enters and leaves, if one does. It is there before frames flow: Open vSwitch loses some when a port is made. */
async function extraPort(stage: Stage, events: readonly Event[]): Promise<Pod | undefined> {
  const attach = events.find(event => event.is === 'attach')
  if (attach?.is !== 'attach') return undefined
  const there = stage.mesh.pods().find(pod => pod.node === attach.node && pod.port === 3)
  if (there) return there
  const pod = await stage.mesh.addPod(attach.node, { port: 3 })
  await stage.frames.open(pod)
  await sleep(500)
  return pod
}

/** Waits until all is as it was; else says what is not. */
async function healing(stage: Stage): Promise<readonly string[]> {
  let wound: readonly string[] = ['nobody looked']
  for (const end = now() + patience; now() < end; await sleep(200)) {
    const calm = await stage.isCalm().catch(error => String(error))
    wound = calm === undefined ? await stage.hears() : [calm]
    if (wound.length === 0) return []
  }
  return wound.slice(0, 5)
}

const targets = (stage: Stage, { network, from, to }: Flow): readonly Pod[] =>
  to ? [to] : stage.members(network).filter(pod => pod !== from)

/** Every frame that a member should have received and did not, with where it was seen. */
async function lossesOf(stage: Stage, flow: Flow, counts: Counts): Promise<Loss[]> {
  const losses: Loss[] = []
  for (const to of targets(stage, flow)) {
    const { times } = counts.at(to)
    const lost = [...times.keys()].filter(sequence => times[sequence] === 0)
    if (lost.length === 0) continue
    const arrived = lost.map(sequence => times.slice(0, sequence).findLastIndex(n => n > 0))
    const [legs, before] = await Promise.all([
      stage.hops.legs(counts.stream, lost),
      stage.hops.legs(counts.stream, arrived),
    ])
    for (const [i, sequence] of lost.entries())
      losses.push({
        what: `${flow.network} ${flow.to ? 'to one' : 'to all'}`,
        ...{ from: flow.from.node, to: to.node, legs: legs[i]!, before: before[i]! },
        sentAt: counts.began + (sequence / flow.pps) * 1000,
      })
  }
  return losses
}

/** What came twice, to another network, or back to its sender; and what a port got while it was no member. */
function oddities(
  stage: Stage,
  flow: Flow,
  counts: Counts,
  happened: readonly Happened[],
  extra: Pod | undefined,
): string[] {
  const name = `${flow.network} ${flow.to ? 'to one' : 'to all'} from ${flow.from.node}`
  const found: string[] = []
  if (counts.reflected > 0) found.push(`${counts.reflected} frames ${name} came back to their sender`)
  const attached = happened.find(({ event }) => event.is === 'attach')
  for (const pod of stage.mesh.pods()) {
    if (pod === flow.from) continue
    const { received, duplicated, overflow, times } = counts.at(pod)
    if (duplicated > 0) found.push(`${duplicated} frames ${name} came twice to port ${pod.port} of node ${pod.node}`)
    if (overflow > 0) found.push(`${overflow} frames to port ${pod.port} of node ${pod.node} were not read in time`)
    const isMember = stage.members(flow.network).includes(pod)
    if (isMember) continue
    // It may get frames from the moment it was asked for until its leaving was said to be programmed.
    const at = (sequence: number) => counts.began + (sequence / flow.pps) * 1000
    const isOpen = (sequence: number) =>
      pod === extra &&
      flow.network === 'red' &&
      attached !== undefined &&
      at(sequence) > attached.at - slack &&
      at(sequence) < (attached.ended ?? Number.POSITIVE_INFINITY) + slack
    const crossed = received === 0 ? 0 : [...times.keys()].filter(s => times[s]! > 0 && !isOpen(s)).length
    if (crossed > 0)
      found.push(`${crossed} frames ${name} came to port ${pod.port} of node ${pod.node}, which is not in it`)
  }
  return found
}
