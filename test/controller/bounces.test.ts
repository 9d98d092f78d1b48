// A switch that does not answer us: its neighbours tell whether frames still pass through it.
import t from 'tap'
import { tickMs } from '../../controller/links/discovery.ts'
import { linkKey } from '../../topology/topology.ts'
import { type Probed, probed } from './probed.ts'

const numbers = [1, 2, 3, 4]
/** It ends without a word: no frame comes through, and it neither hears us nor answers; its connection stands. */
function kill(world: Probed, n: number, dead = true): void {
  world.mute(n, dead)
  for (const other of numbers)
    if (other !== n)
      for (const [a, b] of [
        [n, other],
        [other, n],
      ] as const)
        world.lose(a, b, () => dead)
}
const linksOf = (world: Probed, ...switches: readonly number[]) =>
  numbers
    .flatMap(a =>
      numbers.flatMap(b => (a < b && (switches.includes(a) || switches.includes(b)) ? world.link(a, b) : [])),
    )
    .map(linkKey)
    .sort()
async function until(world: Probed, condition: () => boolean, mostMs: number): Promise<void> {
  for (const began = world.now(); !condition(); await world.pass(tickMs))
    if (world.now() - began > mostMs) throw new Error(`not within ${mostMs} ms: ${world.dead()}`)
}

t.test('a node that dies without a word is left within a second, and used again when it is back', async t => {
  for (let phase = 0; phase < 250; phase += 50) {
    const world = probed({ switches: 4 })
    await world.pass(4000 + phase)
    kill(world, 2)
    await until(world, () => world.dead().length === 6, 1000)
    t.strictSame(world.dead(), linksOf(world, 2), 'all of its links, and no other')
    await world.pass(5000)
    t.strictSame(world.dead(), linksOf(world, 2), 'and it stays so')
    world.connect(2, false)
    await world.pass(20_000)
    t.strictSame(world.dead(), linksOf(world, 2), 'when its connection ends, too')
    kill(world, 2, false)
    world.connect(2, true)
    await until(world, () => world.dead().length === 0, 3000)
  }
})

t.test('of two neighbours that die at once, the links to those that live are dead', async t => {
  const world = probed({ switches: 4 })
  await world.pass(4000)
  kill(world, 2)
  kill(world, 3)
  await until(world, () => world.dead().length === 8, 1000)
  const between = world.link(2, 3).map(linkKey)
  t.strictSame(
    world.dead(),
    linksOf(world, 2, 3).filter(key => !between.includes(key)),
    'of the one between them nobody can tell anything',
  )
})

t.test(
  'a switch that only we do not reach is left alone, however long, and its links are found dead when they are',
  async t => {
    const world = probed({ switches: 4 })
    await world.pass(4000)
    world.mute(2, true)
    await world.pass(10_000)
    t.strictSame(world.dead(), [])
    // 1 and 2 do not hear each other any more; 3 and 4 go on.
    for (const [a, b] of [
      [1, 2],
      [2, 1],
    ] as const)
      world.lose(a, b, () => true)
    await until(world, () => world.dead().length === 2, 1500)
    t.strictSame(world.dead(), world.link(1, 2).map(linkKey).sort())
  },
)

t.test(
  'nothing is proved by a neighbour that does not answer us either, nor by bounces that never came back',
  async t => {
    const world = probed({ switches: 4 })
    await world.pass(4000)
    for (const n of numbers) kill(world, n)
    await world.pass(5000)
    t.strictSame(world.dead(), [], 'it may be us')
    const plain = probed({ switches: 4, bounces: false })
    await plain.pass(4000)
    kill(plain, 2)
    await plain.pass(10_000)
    t.strictSame(plain.dead(), [], 'its neighbours may not be sent any')
  },
)

t.test('frames that are lost now and then are no proof', async t => {
  const world = probed({ switches: 4 })
  await world.pass(4000)
  world.mute(2, true)
  for (const n of [1, 3, 4]) {
    let frame = 0
    world.lose(n, 2, () => frame++ % 3 === 0)
  }
  await world.pass(10_000)
  t.strictSame(world.dead(), [])
})
