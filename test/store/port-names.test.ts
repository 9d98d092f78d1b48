// Attachments by the name of their port go where the name goes.
import fc from 'fast-check'
import t from 'tap'
import { attach, putDeclaredLink, putNetwork } from '../../store/desired.ts'
import { openMemory } from '../../store/memory.ts'
import { followNames } from '../../store/port-names.ts'
import { isRefusal } from '../../store/refusals.ts'
import type { Draft } from '../../store/store.ts'
import { dpid } from './backends.ts'

const world = async () => {
  const store = openMemory()
  await store.write(draft => {
    putNetwork(draft, 'red')
    putNetwork(draft, 'blue')
  })
  const put = (network: string, port: number, portName?: string, vlan?: number) =>
    store.write(draft =>
      attach(draft, { network, dpid: dpid(1), port, portName, vlan, name: `${network} ${portName}` }),
    )
  const follow = (ports: Readonly<Record<string, number>>) =>
    store.write(draft => followNames(draft, dpid(1), new Map(Object.entries(ports))))
  /** `red eth1 at 5`, by key. */
  const places = () =>
    [...store.state().attachments]
      .map(([key, a]) => `${a.network} ${a.portName ?? 'by number'} at ${key.slice(17)}`)
      .sort()
  return { store, put, follow, places }
}

t.test('a port with another number takes its attachment with it, as it was', async t => {
  const { store, put, follow, places } = await world()
  await put('red', 5, 'eth1')
  const { revision: _, ...before } = store.state().attachments.get(`${dpid(1)}/5`)!
  await follow({ eth1: 7 })
  t.strictSame(places(), ['red eth1 at 7'])
  t.match(store.state().attachments.get(`${dpid(1)}/7`), { ...before, port: 7 })
  t.ok(store.state().accessPorts.has(`${dpid(1)}/5`), 'the port that it left is still never a link')
  const { revision } = store.state()
  await follow({ eth1: 7 })
  t.equal(store.state().revision, revision, 'the second time nothing changes')
})

t.test('a port that is gone leaves its attachment where it was', async t => {
  const { put, follow, places } = await world()
  await put('red', 5, 'eth1')
  await follow({ eth2: 5 })
  t.strictSame(places(), ['red eth1 at 5'])
})

t.test('two ports may change places, and each tag goes with its port', async t => {
  const { put, follow, places } = await world()
  await put('red', 1, 'eth1')
  await put('blue', 1, 'eth1', 30)
  await put('blue', 2, 'eth2')
  await follow({ eth1: 2, eth2: 1 })
  t.strictSame(places(), ['blue eth1 at 2/30', 'blue eth2 at 1', 'red eth1 at 2'])
})

t.test('a number that is asked for otherwise is nobody else’s', async t => {
  const { store, put, follow, places } = await world()
  await put('red', 1, 'eth1')
  await put('blue', 2, 'eth2')
  await put('blue', 3)
  await store.write(draft =>
    putDeclaredLink(draft, { from: { dpid: dpid(1), port: 4 }, to: { dpid: dpid(2), port: 4 } }),
  )
  await follow({ eth1: 3, eth2: 1 })
  t.strictSame(places(), ['blue by number at 3', 'blue eth2 at 2', 'red eth1 at 1'], 'nor is one that waits for it')
  await follow({ eth1: 4 })
  t.strictSame(places(), ['blue by number at 3', 'blue eth2 at 2', 'red eth1 at 1'])
})

t.test('whatever numbers a switch gives, no attachment is lost, doubled, or in another network', async t => {
  const names = ['a', 'b', 'c', 'd']
  const numbers = fc.shuffledSubarray([1, 2, 3, 4, 5, 6], { minLength: 4, maxLength: 4 })
  const run = async (asked: number[], byNumber: number[], given: number[][]) => {
    const { store, follow } = await world()
    await store.write((draft: Draft) => {
      names.forEach((portName, i) => {
        attach(draft, { network: i % 2 ? 'red' : 'blue', dpid: dpid(1), port: asked[i]!, portName })
      })
      for (const port of byNumber) {
        const answer =
          draft.attachments.has(`${dpid(1)}/${port}`) || attach(draft, { network: 'red', dpid: dpid(1), port })
        if (isRefusal(answer)) throw new Error(answer.detail)
      }
    })
    const whose = () =>
      [...store.state().attachments.values()]
        .map(a => `${a.network} ${a.portName ?? a.port}`)
        .sort()
        .join()
    const before = whose()
    for (const ports of given) {
      await follow(Object.fromEntries(names.map((name, i) => [name, ports[i]!])))
      if (whose() !== before) throw new Error(`${before} became ${whose()}`)
    }
    // With every number free, all are where their names are.
    if (byNumber.some(port => !asked.includes(port))) return
    for (const [i, name] of names.entries())
      if (given.length > 0 && store.state().attachments.get(`${dpid(1)}/${given.at(-1)![i]}`)?.portName !== name)
        throw new Error(`${name} is not at ${given.at(-1)![i]}`)
  }
  const subset = fc.subarray([1, 2, 3, 4, 5, 6], { maxLength: 2 })
  await fc.assert(fc.asyncProperty(numbers, subset, fc.array(numbers, { maxLength: 4 }), run), { numRuns: 300 })
  t.pass()
})
