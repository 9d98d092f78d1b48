// Loops on real switches: a Linux bridge between two interfaces of one pod.
import t from 'tap'
import { bridge } from '../../lab/bridge.ts'
import { broadcast, probe } from '../../lab/frame.ts'
import { needs } from '../../lab/install.ts'
import type { Pod } from '../../lab/pod.ts'
import { until } from '../controller/watching.ts'
import { makeStage, streamTo } from '../ovs/stage.ts'

if (needs(t)) {
  const stage = await makeStage(t, { nodes: 2, podsPerNode: 4 })
  const { mesh, frames } = stage
  const [looping, other, host, far] = [stage.pod(1, 1), stage.pod(2, 1), stage.pod(1, 2), stage.pod(2, 2)]
  const [calm, peace] = [stage.pod(1, 3), stage.pod(2, 3)]
  const keyOf = (pod: Pod) => `${mesh.node(pod.node).dpid}/${pod.port}`
  const isCut = (pod: Pod) => /is cut off/.test(stage.controller.attachment(keyOf(pod))?.reason ?? '')
  const cutOnes = () => [looping, other, host, far, calm, peace].filter(isCut)
  const shout = (from: Pod) => frames.send(from, probe({ dst: broadcast, src: from.mac }))
  const times = (kind: string) => stage.log.filter(line => JSON.stringify(line).includes(kind)).length

  t.test('a bridge between two interfaces of one network: cut off, told, and let in again when it is gone', async t => {
    await stage.join('red', [looping, other, host, far], 'learn')
    await stage.join('calm', [calm, peace])
    for (const pod of [host, far]) await shout(pod)
    const talk = await streamTo(stage, calm, peace, 8)
    const unbridge = await bridge(looping, other)
    const began = performance.now()
    await until('a port of it is cut off', async () => {
      await shout(host)
      return cutOnes().length > 0
    })
    t.comment(`${Math.round(performance.now() - began)} ms`)
    t.equal(cutOnes().length, 1)
    t.ok(isCut(looping) || isCut(other), 'and nobody else')
    await stage.programmed('calm')
    await until('it is quiet', async () => {
      const before = await heard(far)
      return before <= 1
    })
    const counts = await talk.finish()
    t.strictSame([counts.at(peace).lost, counts.at(peace).duplicated], [0, 0], 'the other network lost nothing')
    t.match(stage.log.map(line => JSON.stringify(line)).join('\n'), /came back in at port/)
    t.equal(await heard(far), 1, 'the rest of the network hears, once')
    await unbridge()
    await until('it is let in again', async () => cutOnes().length === 0, { ms: 30_000 })
    t.equal(times('is cut off'), 1)
  })

  /** How often this pod hears one broadcast of the host. */
  async function heard(at: Pod): Promise<number> {
    const reach = await frames.reach([host, at])
    return reach.times(host, at)
  }

  t.test('a bridge between interfaces of two networks is let be', async t => {
    const [c, d] = [stage.pod(1, 4), stage.pod(2, 4)]
    await stage.join('one', [c, host].slice(0, 1), 'learn')
    await stage.join('two', [d], 'learn')
    await stage.leave('red', [host, far])
    await stage.join('one', [host], 'learn')
    await stage.join('two', [far], 'learn')
    const unbridge = await bridge(c, d)
    await until('they hear each other', async () => (await heard(far)) === 1)
    const talk = await streamTo(stage, host, undefined, 4, 100)
    const counts = await talk.finish()
    t.strictSame([counts.at(far).lost, counts.at(far).duplicated], [0, 0])
    t.strictSame(
      [c, d, host, far].filter(isCut).map(({ name }) => name),
      [],
    )
    await unbridge()
  })
}
