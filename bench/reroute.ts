// From the moment that a link goes silent, without a word from any port, until frames go round it: in a ring of five nodes, told by
// the frames themselves. And what the way back costs, when the link is there again.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Count, Stream } from '../lab/frames.ts'
import type { Pod } from '../lab/pod.ts'
import { until } from '../test/controller/watching.ts'
import { type Stage, streamTo } from '../test/ovs/stage.ts'
import type { Bench } from './bench.ts'
import { onStage } from './lab.ts'
import { load, median, print } from './machine.ts'

const nodes = 5
const after = (n: number) => (n % nodes) + 1
const ring = Array.from({ length: nodes }, (_, i) => [i + 1, after(i + 1)] as const)
const network = 'bench'

/** One failure and its end. */
type Seen = {
  /** Milliseconds until the controller has left the link, at most: looked at every 20, and the loss itself begins some later. */
  readonly noticed: number
  /** Frames of 1,000 a second, so also milliseconds, that did not arrive. */
  readonly lost: number
  /** Milliseconds between two arrivals, at most. */
  readonly gap: number
  /** Of the same stream, while its way goes back over the link. */
  readonly lostBack: number
  /** Of that, and of a broadcast, at all pods: copies beyond the first. */
  readonly twice: number
}

export const reroute: Bench = {
  about: 'a link goes silent: until frames go another way, and what they lose; in a ring of five',
  async run({ folder, small }) {
    const failures = small ? 3 : 21
    const seen: Seen[] = []
    await onStage(folder, { nodes, podsPerNode: 1, links: ring }, async stage => {
      await stage.join(network, stage.mesh.pods())
      // Each link in turn: one that fails often is not believed again so soon.
      for (let i = 0; i < failures; i++) seen.push(await fail(stage, 1 + (i % nodes), i))
    })
    const row = (title: string, of: keyof Seen) => {
      const values = seen.map(one => one[of])
      return [title, ...[median(values), Math.max(...values)].map(value => value.toFixed(0))]
    }
    print(`a link goes silent, ${failures} times`, [
      ['', 'median', 'most'],
      row('ms until it is out of the mesh', 'noticed'),
      row('frames lost, at 1,000 a second', 'lost'),
      row('longest gap, ms', 'gap'),
      row('frames lost when it is used again', 'lostBack'),
      row('frames that came twice, broadcasts included', 'twice'),
    ])
    console.log(`  load at the end: ${load()}`)
  },
}

/** The link between node `n` and the next one fails and comes back, under a stream over it. */
async function fail(stage: Stage, n: number, turn: number): Promise<Seen> {
  const { mesh } = stage
  const [from, to] = [stage.pod(n, 1), stage.pod(after(n), 1)]
  await whole(stage)
  const [unicast, flood] = [await endless(stage, from, to, 1000), await endless(stage, from, undefined, 200)]
  // At another moment between two probes each time.
  await sleep(500 + 37 * (turn % 7))
  const began = performance.now()
  await mesh.lose(n, after(n), 1)
  await until('the link is out of the mesh', () => stage.store.state().deadLinks.size > 0)
  const noticed = performance.now() - began
  // Until well after the last flow has changed.
  await sleep(1500)
  const unreachable = await finished(unicast, to)
  const back = await endless(stage, from, to, 1000)
  await mesh.lose(n, after(n), 0)
  await whole(stage)
  // The old way drains, and goes.
  await sleep(1500)
  const home = await finished(back, to)
  await flood.stop()
  const counts = await flood.finish()
  const others = mesh.pods().filter(pod => pod !== from)
  const doubled = others.reduce((sum, pod) => sum + counts.at(pod).duplicated, 0)
  return {
    noticed,
    lost: unreachable.lost,
    gap: unreachable.longestGap,
    lostBack: home.lost,
    twice: unreachable.duplicated + home.duplicated + doubled,
  }
}

/** Goes on until it is finished. */
const endless = (stage: Stage, from: Pod, to: Pod | undefined, pps: number): Promise<Stream> =>
  streamTo(stage, from, to, 120, pps)

async function finished(stream: Stream, at: Pod): Promise<Count> {
  await stream.stop()
  return (await stream.finish()).at(at)
}

/** Every link is used, and every switch has all of the network. */
const whole = (stage: Stage): Promise<void> =>
  until(
    'the ring is whole',
    () => {
      const { discoveredLinks, deadLinks } = stage.store.state()
      const all = discoveredLinks.size === 2 * nodes && deadLinks.size === 0
      return all && stage.controller.network(network)?.state === 'programmed'
    },
    { ms: 60_000 },
  )
