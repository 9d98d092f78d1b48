/**
 * Raw frames in and out of pods, through one Python process (frames.py) that has a packet socket in each of them. What is
 * counted was received by a pod's interface: nobody's word is taken for it.
 */

import { randomInt } from 'node:crypto'
import { broadcast, type Probe, probe } from './frame.ts'
import { type Ask, type Listener, numbersFrom, type Received, startPython } from './python.ts'

export type { Received }

/** Where frames are sent and received; a Pod is one. */
export type Station = {
  readonly name: string
  readonly netns: string
  readonly device: string
  readonly mac: string
  readonly vlan?: number | undefined
}

/** What one station received of one stream. */
export type Count = {
  /** How many of the frames arrived at least once. */
  readonly received: number
  readonly lost: number
  /** Copies beyond the first. */
  readonly duplicated: number
  /** Frames that arrived after one that was sent later. */
  readonly reordered: number
  /** Milliseconds between two arrivals, at most. */
  readonly longestGap: number
  /** Frames that the station's socket lost because they were not read in time: not the network's fault. */
  readonly overflow: number
  /** How often each frame arrived, by its sequence number; empty unless `finish` was asked for `each`. */
  readonly times: readonly number[]
}

export type Counts = {
  /** The number by which its probes are told from others. */
  readonly stream: number
  readonly sent: number
  /** Milliseconds of CLOCK_MONOTONIC when it began: frame n was sent n / pps seconds later. */
  readonly began: number
  /** How many copies came back to the sender. */
  readonly reflected: number
  /** For any open station but the sender. */
  at(station: Station): Count
}

export type Stream = {
  /** Resolves when all is sent and nothing of it has arrived for `quiet` milliseconds (default 300). */
  finish(how?: { readonly quiet?: number; readonly each?: boolean }): Promise<Counts>
  /** Sends no more; then `finish` counts against what was sent. */
  stop(): Promise<void>
}

export type SendOptions = {
  /** Default 1. */
  readonly count?: number
  /** Packets per second. Default 1,000. */
  readonly pps?: number
}

export type ReachOptions = {
  /** `broadcast`: one frame from each. `unicast`: one from each to each other. */
  readonly kind?: 'broadcast' | 'unicast'
  /** Makes the frame; it must hold the probe's payload. Default: `probe`, with the sender's MAC and VLAN. */
  readonly frame?: (from: Station, to: Station | undefined, counted: Probe) => Buffer
  /** Milliseconds without any arrival after which it is over. Default 200. */
  readonly quiet?: number
}

export type Reach = {
  /** How many times `at` received what `from` sent: to all or, with `unicast`, to `at`. */
  times(from: Station, at: Station): number
  /** With `unicast`: who received what was addressed to another, as with flooding. */
  readonly strays: readonly {
    readonly from: string
    readonly to: string
    readonly at: string
    readonly times: number
  }[]
}

export type Frames = {
  open(station: Station): Promise<void>
  shut(station: Station): Promise<void>
  /** The station's kernel joins a multicast group, or leaves one that it joined so, and says so by IGMP or MLD. */
  join(station: Station, group: string): Promise<void>
  leave(station: Station, group: string): Promise<void>
  /** Resolves when all copies are sent. */
  send(from: Station, frame: Buffer, options?: SendOptions): Promise<void>
  /** Calls back for each frame that arrives, probes only if asked for, until the function it resolves with is called. */
  capture(
    at: readonly Station[],
    each: (received: Received) => void,
    how?: { readonly probes: boolean },
  ): Promise<() => Promise<void>>
  /** Sends numbered frames; `template` must hold a probe's payload, else they can't be told apart. */
  stream(
    from: Station,
    template: (stream: Probe) => Buffer,
    pace: { readonly pps: number; readonly seconds: number },
  ): Promise<Stream>
  /** Who receives whose frames, now. */
  reach(stations: readonly Station[], options?: ReachOptions): Promise<Reach>
  close(): Promise<void>
}

type Tally = Omit<Count, 'received' | 'lost' | 'duplicated'> & {
  readonly frames: number
  readonly distinct: number
}

/** Starts the process and opens these stations. */
export async function openFrames(stations: readonly Station[]): Promise<Frames> {
  const remote = startPython()
  const { ask, listeners } = remote
  // Whoever else counts probes in the same pods has other numbers.
  const streams = numbersFrom(randomInt(1, 2 ** 31))

  const open = async ({ name, netns, device }: Station) => {
    await ask('open', { pod: name, netns, device })
  }
  const frames: Frames = {
    open,
    shut: async ({ name }) => {
      await ask('close', { pod: name })
    },
    join: async ({ name }, group) => {
      await ask('join', { pod: name, group })
    },
    leave: async ({ name }, group) => {
      await ask('leave', { pod: name, group })
    },
    send: async (from, frame, { count = 1, pps = 1000 } = {}) => {
      await ask('send', { pod: from.name, frame: frame.toString('hex'), count, pps })
    },
    capture: async (at, each, { probes } = { probes: false }) => {
      const names = new Set(at.map(station => station.name))
      const listener: Listener = (received, isProbe) => {
        if (names.has(received.pod) && (probes || !isProbe)) each(received)
      }
      const turn = (on: boolean) => Promise.all([...names].map(pod => ask('capture', { pod, on, probes })))
      listeners.add(listener)
      await turn(true)
      return async () => {
        await turn(false)
        listeners.delete(listener)
      }
    },
    stream: async (from, template, { pps, seconds }) => {
      const stream = streams.next().value!
      const frame = template({ stream, sequence: 0 }).toString('hex')
      return startStream(ask, from, stream, { frame, count: Math.round(pps * seconds), pps })
    },
    reach: (pods, options) => reach(ask, streams.next().value!, pods, options),
    close: remote.close,
  }
  try {
    await Promise.all(stations.map(open))
    return frames
  } catch (error) {
    await remote.close()
    throw error
  }
}

function startStream(
  ask: Ask,
  from: Station,
  stream: number,
  run: { frame: string; count: number; pps: number },
): Stream {
  const sending = ask<{ sent: number; began: number }>('send', { pod: from.name, ...run })
  sending.catch(() => {}) // Whoever calls finish() hears of it.
  return {
    stop: async () => {
      await ask('stop', { request: sending.id })
    },
    finish: async ({ quiet = 300, each = false } = {}) => {
      const { sent, began } = await sending
      await ask('quiet', { stream, seconds: quiet / 1000 })
      const tallies = await ask<Record<string, Tally>>('count', { stream, each: each ? sent : 0 })
      await ask('forget', { stream })
      const tallyOf = (station: Station) => {
        const tally = tallies[station.name]
        if (tally === undefined) throw new Error(`station ${station.name} was not open when the stream was counted`)
        return tally
      }
      return {
        ...{ stream, sent, began },
        reflected: tallyOf(from).frames,
        at: station => {
          const { frames, distinct, reordered, longestGap, overflow, times } = tallyOf(station)
          return {
            received: distinct,
            lost: sent - distinct,
            duplicated: frames - distinct,
            reordered,
            longestGap,
            overflow,
            times,
          }
        },
      }
    },
  }
}

async function reach(
  ask: Ask,
  stream: number,
  stations: readonly Station[],
  options: ReachOptions = {},
): Promise<Reach> {
  const { kind = 'broadcast', frame = plainProbe, quiet = 200 } = options
  const targets = (from: Station) => (kind === 'broadcast' ? [undefined] : stations.filter(to => to.name !== from.name))
  const probes = stations
    .flatMap(from => targets(from).map(to => ({ from, to })))
    .map((sent, sequence) => ({ ...sent, bytes: frame(sent.from, sent.to, { stream, sequence }) }))
  // Not faster: the kernel's queues between pods and a userspace switch hold a few hundred frames.
  await ask('each', { frames: probes.map(({ from, bytes }) => [from.name, bytes.toString('hex')]), pps: 2000 })
  await ask('quiet', { stream, seconds: quiet / 1000 })
  const tallies = await ask<Record<string, Tally>>('count', { stream, each: probes.length })
  await ask('forget', { stream })
  const arrivals = probes.flatMap(({ from, to }, sequence) =>
    stations.map(at => ({ from: from.name, to: to?.name, at: at.name, times: tallies[at.name]?.times[sequence] ?? 0 })),
  )
  const meant = arrivals.filter(({ to, at }) => to === undefined || to === at)
  const cells = new Map(meant.map(({ from, at, times }) => [`${from} ${at}`, times]))
  return {
    times: (from, at) => cells.get(`${from.name} ${at.name}`) ?? 0,
    strays: arrivals.flatMap(({ to, ...rest }) =>
      to !== undefined && to !== rest.at && rest.times > 0 ? [{ to, ...rest }] : [],
    ),
  }
}

const plainProbe = (from: Station, to: Station | undefined, counted: Probe): Buffer =>
  probe(
    { dst: to?.mac ?? broadcast, src: from.mac, ...(from.vlan === undefined ? {} : { tags: [from.vlan] }) },
    counted,
  )
