// A port that moves from one network to another, on reference switches: never in both, also not in a cache.
import t, { type Test } from 'tap'
import { attachmentKey } from '../../store/attachments.ts'
import { attach, deleteNetwork, detach, putNetwork } from '../../store/desired.ts'
import type { Draft } from '../../store/draft.ts'
import { broadcast, ethernet } from '../reference/frames.ts'
import { openVSwitch, plainHardware } from '../reference/index.ts'
import { dpidOf, macOf, makePeers, type Peers } from './peers.ts'

const port = { dpid: dpidOf(1), port: 1 }
const frame = (n: number, port: number) => ethernet({ dst: broadcast, src: macOf(n, port) }, 0x88b5, Buffer.alloc(46))
const heardBy = (world: Peers, n: number, port: number) =>
  [...world.send(n, port, frame(n, port)).counts].map(([at]) => at).sort()
/** Where the moving port is: who hears it, and whom it hears. */
const isIn = (world: Peers) => {
  const at = `${port.dpid}/1`
  const hears = (network: string, n: number, from: number) =>
    heardBy(world, n, from).includes(at) ? [`hears ${network}`] : []
  const is = heardBy(world, 1, 1).map(other => (other.endsWith('/2') ? 'is heard by red' : 'is heard by blue'))
  return [...new Set([...is, ...hears('red', 2, 2), ...hears('blue', 2, 3)])].sort().join(', ')
}

async function redAndBlue(t: Test, kind: Partial<typeof openVSwitch>): Promise<Peers> {
  const world = await makePeers(t, { switches: 2, kind })
  await world.live()
  await world.join('blue', [2, 3, macOf(2, 3)])
  const revision = await world.join('red', [1, 1, macOf(1, 1)], [2, 2, macOf(2, 2)])
  t.match(await world.controller.settled('red', revision, 5000), { state: 'programmed' })
  t.match(await world.controller.settled('blue', 0, 5000), { state: 'programmed' })
  return world
}
const toBlue = (draft: Draft) => attach(draft, { network: 'blue', ...port, mac: macOf(1, 1) }, { move: true })

/** Follows the port message by message, and by the clock, until it is in blue. */
async function follow(world: Peers): Promise<readonly { readonly is: string; readonly at: number }[]> {
  const seen: { is: string; at: number }[] = []
  const look = () => {
    const is = isIn(world)
    if (seen.at(-1)?.is !== is) seen.push({ is, at: world.clock.now() })
    return is
  }
  for (const peer of world.peers)
    peer.whim = () => {
      look()
      return undefined
    }
  await world.until('it is in blue', () => look() === 'hears blue, is heard by blue', { ms: 10_000 })
  for (const peer of world.peers) peer.whim = () => undefined
  return seen
}

for (const [name, kind] of [
  ['Open vSwitch', openVSwitch],
  ['plain OpenFlow 1.3', plainHardware],
] as const) {
  t.test(`a port that moves is in one network, in none for half a second, then in the other (${name})`, async t => {
    const world = await redAndBlue(t, kind)
    await world.ask(toBlue)
    t.match(world.controller.attachment(attachmentKey(port)), { state: 'pending' })
    const seen = await follow(world)
    for (const { is } of seen) t.notOk(/red/.test(is) && /blue/.test(is), is || 'nowhere')
    const left = seen.findIndex(({ is }) => is === '')
    t.ok(left >= 0, 'it was in none')
    t.ok(
      seen.slice(left).every(({ is }) => !/red/.test(is)),
      'and never in red again',
    )
    const entered = seen.slice(left).find(({ is }) => is !== '')!
    t.ok(entered.at - seen[left]!.at >= 500, `${entered.at - seen[left]!.at} ms`)
    t.match(await world.controller.settled('blue', world.store.state().revision, 5000), { state: 'programmed' })
  })

  t.test(
    `so is one that is detached and attached elsewhere at once, and one whose network is deleted (${name})`,
    async t => {
      const world = await redAndBlue(t, kind)
      await world.ask(draft => detach(draft, 'red', port.dpid, port.port))
      await world.ask(draft => attach(draft, { network: 'blue', ...port, mac: macOf(1, 1) }))
      for (const { is } of await follow(world)) t.notOk(/red/.test(is) && /blue/.test(is), is || 'nowhere')
      const again = await redAndBlue(t, kind)
      await again.ask(draft => {
        deleteNetwork(draft, 'red')
        putNetwork(draft, 'red')
        return attach(draft, { network: 'blue', ...port, mac: macOf(1, 1) })
      })
      for (const { is } of await follow(again)) t.notOk(/red/.test(is) && /blue/.test(is), is || 'nowhere')
    },
  )

  t.test(`a move that a restart of the controller falls into is none in between either (${name})`, async t => {
    const world = await redAndBlue(t, kind)
    for (const peer of world.peers) peer.drop()
    await world.ask(toBlue)
    const restarted = world.restart()
    const seen = await follow(world)
    await restarted
    for (const { is } of seen) t.notOk(/red/.test(is) && /blue/.test(is), is || 'nowhere')
    const left = seen.findIndex(({ is }) => is === '')
    const entered = seen.slice(left).find(({ is }) => is !== '')!
    t.ok(left >= 0 && entered.at - seen[left]!.at >= 500, 'it was in none for a while')
  })
}

t.test('a port that comes back to the network that it left need not wait', async t => {
  const world = await redAndBlue(t, openVSwitch)
  await world.ask(toBlue)
  await world.ask(draft => attach(draft, { network: 'red', ...port, mac: macOf(1, 1) }, { move: true }))
  const before = world.clock.now()
  t.match(await world.controller.settled('red', world.store.state().revision, 5000), { state: 'programmed' })
  t.ok(world.clock.now() - before < 500)
})
