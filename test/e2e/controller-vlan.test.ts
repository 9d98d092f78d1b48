// Ports with VLANs, on a plain switch and on Open vSwitch: each tag is its network's, and no other frame gets anywhere.
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { broadcast, ethernet, ethertypes, type Tag } from '../../lab/frame.ts'
import { needs } from '../../lab/install.ts'
import type { Pod } from '../../lab/pod.ts'
import { putNetwork } from '../../store/desired.ts'
import { until } from '../controller/watching.ts'
import { tagsOf } from '../controller/world.ts'
import { makeStage, wish } from '../ovs/stage.ts'

if (needs(t)) {
  const stage = await makeStage(t, { nodes: 2, podsPerNode: 4, plain: { 1: {} } })
  const { mesh, frames } = stage
  const pods = mesh.pods()
  const [p1, p2, p3, p4, o1, o2, o3, o4] = pods as [Pod, Pod, Pod, Pod, Pod, Pod, Pod, Pod]
  const how = (network: string, pod: Pod, given: object = {}) =>
    stage.attach({ ...wish(mesh, network, pod, 'learn'), ...given })
  for (const id of ['red', 'blue', 'green', 'white', 'black']) await stage.ask(draft => putNetwork(draft, id))
  await how('red', p1, { vlan: 5 })
  await how('red', o1, { vlan: 6 })
  await how('red', p4)
  await how('blue', p1, { vlan: 7, mac: p1.mac })
  await how('blue', o1, { vlan: 8, mac: o1.mac })
  await how('green', p1)
  await how('green', o2)
  await how('white', p2, { trunk: true })
  await how('white', o3, { trunk: true })
  await how('black', p3, { mac: p3.mac })
  await how('black', o4, { mac: o4.mac })
  for (const id of ['red', 'blue', 'green', 'white', 'black']) await stage.programmed(id)

  const mark = Buffer.from('a frame of this test')
  const framed = (from: Pod, tags: readonly (number | Tag)[], to = broadcast) =>
    ethernet({ dst: to, src: from.mac, tags }, ethertypes.experimental, mark)
  /** Who received a frame from this pod with these tags, and with which; in order of name. */
  const arrives = async (from: Pod, tags: readonly (number | Tag)[], to = broadcast) => {
    const received: string[] = []
    const release = await frames.capture(pods, ({ pod, frame }) => {
      if (frame.includes(mark)) received.push([pod, ...tagsOf(frame)].join(' '))
    })
    await frames.send(from, framed(from, tags, to))
    await sleep(150)
    await release()
    return received.sort()
  }

  t.test('a frame comes out with the tag of its network at each port, or without', async t => {
    t.strictSame(await arrives(p1, [5]), [`${p4.name}`, `${o1.name} 6`].sort())
    t.strictSame(await arrives(o1, [6]), [`${p1.name} 5`, `${p4.name}`].sort())
    t.strictSame(await arrives(p4, []), [`${o1.name} 6`, `${p1.name} 5`].sort())
    t.strictSame(await arrives(p1, [7]), [`${o1.name} 8`])
    t.strictSame(await arrives(o1, [8]), [`${p1.name} 7`])
    t.strictSame(await arrives(p1, []), [`${o2.name}`])
    t.strictSame(await arrives(p1, [0]), [`${o2.name}`], 'a priority tag is none')
    t.strictSame(await arrives(o2, []), [`${p1.name}`])
  })

  t.test('a learned address is reached by its tag, in its network', async t => {
    const known = async () => {
      const flows = await Promise.all(mesh.nodes.map(node => node.dumpFlows()))
      return flows.every(all => all.some(flow => flow.includes('table=2') && flow.includes(`dl_dst=${p4.mac} `)))
    }
    await until('it is learned', known)
    t.strictSame(await arrives(o1, [6], p4.mac), [p4.name])
    t.strictSame(await arrives(p4, [], p1.mac), [`${p1.name} 5`])
    t.strictSame(await arrives(o1, [8], p1.mac), [`${p1.name} 7`], 'the same address, in another network')
    t.strictSame(await arrives(o2, [], p1.mac), [`${p1.name}`], 'and in a third')
  })

  t.test('tags pass a trunk untouched', async t => {
    for (const tags of [[], [0], [5], [7], [4094], [5, 7], [{ vid: 9, tpid: 0x88a8 }, 5]]) {
      const before = framed(p2, tags)
      const received: { pod: string; frame: Buffer }[] = []
      const release = await frames.capture(pods, each => {
        if (each.frame.includes(mark)) received.push(each)
      })
      await frames.send(p2, before)
      await sleep(150)
      await release()
      t.strictSame(
        received.map(({ pod }) => pod),
        [o3.name],
      )
      t.ok(received[0]?.frame.subarray(0, before.length).equals(before), `with tags ${JSON.stringify(tags)}`)
    }
  })

  t.test(
    'all 4094 tags reach what they should, and nothing else; nor do tags behind tags',
    { timeout: 120_000 },
    async t => {
      for (const [from, own] of [
        [p1, { 5: [`${p4.name}`, `${o1.name} 6`].sort(), 7: [`${o1.name} 8`] }],
        [o1, { 6: [`${p1.name} 5`, `${p4.name}`].sort(), 8: [`${p1.name} 7`] }],
        [p3, {}],
        [o2, {}],
      ] as const) {
        const received = new Map<string, string[]>()
        const release = await frames.capture(pods, ({ pod, frame }) => {
          const at = frame.indexOf(mark)
          if (at < 0) return
          const sent = frame.subarray(at + mark.length, at + mark.length + 12).toString()
          received.set(sent, [...(received.get(sent) ?? []), [pod, ...tagsOf(frame)].join(' ')])
        })
        const sends: [string, number[]][] = Array.from({ length: 4094 }, (_, i) => [`${i + 1}`.padEnd(12), [i + 1]])
        for (const outer of [0, 5, 6, 7, 8, 9])
          for (const inner of [0, 5, 6, 7, 8]) sends.push([`${outer},${inner}`.padEnd(12), [outer, inner]])
        for (let i = 0; i < sends.length; i += 64) {
          await Promise.all(
            sends
              .slice(i, i + 64)
              .map(([name, tags]) =>
                frames.send(
                  from,
                  ethernet(
                    { dst: broadcast, src: from.mac, tags },
                    ethertypes.experimental,
                    Buffer.concat([mark, Buffer.from(name)]),
                  ),
                ),
              ),
          )
          await sleep(20)
        }
        await until('the last own one has come', () => Object.keys(own).every(tag => received.has(tag.padEnd(12))))
        await sleep(500)
        await release()
        const found = Object.fromEntries([...received].map(([sent, at]) => [sent.trim(), at.sort()]))
        t.strictSame(found, own, `from ${from.name}`)
      }
    },
  )

  t.test('a tag that leaves its network is heard no more, and the others of its port stay', async t => {
    await stage.ask(draft => draft.deleteAttachment(`${mesh.node(1).dpid}/1/5`))
    await stage.programmed('red')
    t.strictSame(await arrives(p4, []), [`${o1.name} 6`])
    t.strictSame(await arrives(p1, [5]), [])
    t.strictSame(await arrives(p1, [7]), [`${o1.name} 8`])
    t.strictSame(await arrives(p1, []), [`${o2.name}`])
  })
}
