// A port that moves under streams, on real switches: no frame crosses, and it is in both at no time.
import t from 'tap'
import { needs } from '../../lab/install.ts'
import type { Pod } from '../../lab/pod.ts'
import { attach } from '../../store/desired.ts'
import { makeStage, streamTo } from '../ovs/stage.ts'

if (needs(t)) {
  t.setTimeout(240_000)
  for (const [name, plain] of [
    ['Open vSwitch', {}],
    ['a switch without bundles', { 1: {} }],
  ] as const)
    t.test(`a port that moves under streams (${name})`, async t => {
      const stage = await makeStage(t, { nodes: 2, podsPerNode: 3, plain })
      const { mesh } = stage
      const [moving, a1, b1] = [stage.pod(1, 1), stage.pod(1, 2), stage.pod(1, 3)]
      const [a2, b2] = [stage.pod(2, 2), stage.pod(2, 3)]
      await stage.join('alpha', [moving, a1, a2])
      await stage.join('beta', [b1, b2])
      const move = async (network: string) => {
        const port = { dpid: mesh.node(1).dpid, port: moving.port, mac: moving.mac }
        await stage.ask(draft => attach(draft, { network, ...port }, { move: true }))
        await stage.programmed(network)
      }
      // Known unicast and broadcasts, out of it and into it, in both networks: all of them cached.
      const streams = await Promise.all([
        streamTo(stage, moving, undefined, 8, 200),
        streamTo(stage, a1, moving, 8, 500),
        streamTo(stage, a2, undefined, 8, 200),
        streamTo(stage, b1, undefined, 8, 200),
        streamTo(stage, b2, moving, 8, 500),
      ])
      for (const network of ['beta', 'alpha', 'beta']) await move(network)
      const [own, intoA, toAllA, toAllB] = await Promise.all(streams.map(stream => stream.finish({ each: true })))
      const got = (counts: typeof own, pod: Pod) => counts!.at(pod).received
      for (const pod of [b1, b2])
        t.strictSame([got(intoA, pod), got(toAllA, pod)], [0, 0], `${pod.name} of beta hears nothing of alpha`)
      for (const pod of [a1, a2]) t.strictSame([got(toAllB, pod)], [0], `${pod.name} of alpha hears nothing of beta`)
      // Each frame of it was heard in one network, or in none.
      const heard = (pod: Pod) => own!.at(pod).times
      const both = heard(a2).flatMap((times, i) => (times > 0 && (heard(b1)[i] ?? 0) > 0 ? [i] : []))
      t.strictSame(both, [], 'no frame of it was heard in both')
      // And of what it hears there is a gap between the one network and the other.
      t.ok(got(toAllA, moving) > 0 && got(toAllB, moving) > 0, 'it was in both, one after the other')
      for (const pod of [a1, a2, b1, b2])
        for (const counts of [own, toAllA, toAllB]) t.equal(counts!.at(pod).duplicated, 0)
      t.strictSame([toAllA!.at(a1).lost, toAllB!.at(b2).lost], [0, 0], 'who does not move loses nothing')
    })
}
