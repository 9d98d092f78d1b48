// Switches that refuse, leave out or forget what they need not know: they work, or say what is missing, and are left in peace.
import t from 'tap'
import type { Message } from '../../../openflow/index.ts'
import { broadcast, ethernet } from '../../reference/frames.ts'
import { apply, plainHardware, portDesc, putPort } from '../../reference/index.ts'
import { macOf, makePeers, type Peers, type Whim } from '../peers.ts'
import { changesSent } from '../watching.ts'

t.setTimeout(120_000)

const heardBy = (world: Peers, port: number) =>
  [...world.send(1, port, ethernet({ dst: broadcast, src: macOf(1, port) }, 0x88b5, Buffer.alloc(46))).counts]
    .map(([at]) => at)
    .sort()
const isAsked = (message: Message, what: string) => message.type === 'multipart_request' && message.body.type === what
const refused = ({ xid }: Message): Message[] => [
  { type: 'error', xid, errorType: 1, errorCode: 2, payload: Buffer.alloc(0) },
]
const refuses =
  (...what: readonly string[]): Whim =>
  message =>
    what.some(it => isAsked(message, it)) ? refused(message) : undefined
const ignores =
  (...what: readonly string[]): Whim =>
  message =>
    what.some(it => isAsked(message, it)) ? [] : undefined

const kinds: Readonly<Record<string, Whim>> = {
  'announces meters and refuses to list them': refuses('meter_config'),
  'announces meters and never lists them': ignores('meter_config'),
  'refuses to list its groups': refuses('group_desc'),
  'refuses to say what its tables, groups and meters can do, and what it is': refuses(
    ...['table_features', 'group_features', 'meter_features', 'desc'],
  ),
  'never says what its tables, groups and meters can do, nor what it is': ignores(
    ...['table_features', 'group_features', 'meter_features', 'desc'],
  ),
  'does not count what its tables hold': refuses('table', 'aggregate'),
}
for (const [name, whim] of Object.entries(kinds))
  t.test(`a switch that ${name} works, and is looked at in silence`, async t => {
    const world = await makePeers(t, { kind: plainHardware })
    world.peer(1).whim = whim
    await world.live()
    await world.join('red', [1, 1, macOf(1, 1)], [1, 2, macOf(1, 2)])
    await world.until('it has the network', () => world.controller.network('red')?.state === 'programmed', {
      ms: 30_000,
    })
    t.strictSame(heardBy(world, 1), ['0000000000000001/2'])
    const [changes, lines] = [changesSent(world.counts), world.log.length]
    await world.clock.pass(180_000)
    t.equal(changesSent(world.counts), changes, 'nothing is sent again')
    t.equal(world.controller.switches()[0]?.state, 'live')
    const since = world.log.slice(lines).filter(({ level }) => level !== 'debug')
    t.ok(since.length <= 1, JSON.stringify(since.slice(0, 3)))
  })

t.test('a switch that never counts what its tables hold is asked no more, and that is said once', async t => {
  const world = await makePeers(t, { kind: plainHardware, limits: { request: 300, tick: 20 } })
  world.peer(1).whim = ignores('table', 'aggregate')
  await world.live()
  await world.join('red', [1, 1, macOf(1, 1)], [1, 2, macOf(1, 2)])
  await world.until('it has the network', () => world.controller.network('red')?.state === 'programmed')
  const told = (kind: string) => world.events.filter(event => event.kind === kind).length
  await world.until('it is not asked any more', () => told('switch-limit') > 0, { ms: 600_000 })
  const asked = () => world.peer(1).received.filter(message => isAsked(message, 'table')).length
  const before = asked()
  await world.clock.pass(60_000)
  t.ok(asked() - before <= 3, 'but by a full reading, once a minute')
  t.equal(told('switch-limit'), 1)
  t.equal(told('switch-unreadable'), 0)
  t.strictSame(heardBy(world, 1), ['0000000000000001/2'])
})

t.test('that a switch has meters comes out while it is read: those that it holds are not made anew', async t => {
  const world = await makePeers(t)
  await world.live()
  await world.join('red', [1, 1, macOf(1, 1)], [1, 2, macOf(1, 2)])
  await world.until('it has the network', () => world.controller.network('red')?.state === 'programmed')
  await world.restart(undefined, [])
  const peer = world.peer(1)
  const before = peer.received.length
  const held: Message[] = []
  peer.whim = message => {
    if (!isAsked(message, 'meter_features') && !isAsked(message, 'group_desc')) return undefined
    held.push(message)
    return []
  }
  const answer = (what: string) => {
    const asked = held.find(message => isAsked(message, what))!
    peer.say(...apply(peer.sw, asked))
  }
  await peer.connect()
  await world.until('it is read', () => held.some(message => isAsked(message, 'group_desc')), { ms: 10_000 })
  peer.whim = () => undefined
  answer('meter_features')
  const asked = () => peer.received.slice(before).some(message => isAsked(message, 'meter_config'))
  await world.until('it is asked for its meters', asked)
  await world.clock.pass(100)
  answer('group_desc')
  await world.until('it has the network', () => world.controller.network('red')?.state === 'programmed')
  t.strictSame(
    world.events.filter(({ kind }) => kind === 'network-refused'),
    [],
  )
})

t.test('what a switch did not say is shown', async t => {
  const world = await makePeers(t, { kind: plainHardware })
  world.peer(1).whim = refuses('meter_config')
  await world.live()
  t.match(world.controller.switches()[0]?.unknown?.join(), /meter/)
})

t.test('metadata of 56 bits is enough for a switch that takes no wider mask', async t => {
  const bits = (1n << 56n) - 1n
  const world = await makePeers(t, { kind: plainHardware, switches: 2 })
  for (const peer of world.peers)
    peer.whim = message => {
      const isWide = (mask: bigint) => mask > bits
      if (isAsked(message, 'table_features'))
        return apply(peer.sw, message).map(reply => {
          if (reply.type !== 'multipart_reply' || reply.body.type !== 'table_features') return reply
          const tables = reply.body.tables.map(table => ({ ...table, metadataMatch: bits, metadataWrite: bits }))
          return { ...reply, body: { ...reply.body, tables } }
        })
      if (message.type !== 'flow_mod' || message.command !== 'add') return undefined
      const { metadata } = message.match
      const wide =
        message.instructions.some(i => i.type === 'write_metadata' && isWide(i.metadataMask)) ||
        (metadata !== undefined && (typeof metadata === 'bigint' || isWide(metadata.mask)))
      return wide
        ? [{ type: 'error', xid: message.xid, errorType: 3, errorCode: 4, payload: Buffer.alloc(0) }]
        : undefined
    }
  await world.live()
  await world.join('red', [1, 1, macOf(1, 1)], [1, 2], [2, 1])
  t.match(await world.controller.settled('red', 0, 5000), { state: 'programmed' })
})

t.test('a port that came or went without a word is found by the audit', async t => {
  const world = await makePeers(t, { kind: plainHardware, ports: 2 })
  await world.live()
  await world.join('red', [1, 1, macOf(1, 1)], [1, 7, macOf(1, 7)])
  const has = (port: number) => world.controller.switches()[0]?.ports.some(({ number }) => number === port)
  putPort(world.peer(1).sw, 7, { desc: portDesc(7) })
  await world.until('it is found', () => has(7) === true, { ms: 180_000 })
  t.match(await world.controller.settled('red', 0, 5000), { state: 'programmed' })
  putPort(world.peer(1).sw, 7, undefined)
  await world.until('it is missed', () => has(7) === false, { ms: 180_000 })
})

t.test('a switch that once said that it lacks something is asked again', async t => {
  const world = await makePeers(t, { kind: plainHardware })
  const { sw } = world.peer(1)
  let lacks = true
  world.peer(1).whim = message => {
    if (!lacks || !isAsked(message, 'group_features')) return undefined
    return apply(sw, message).map(reply =>
      reply.type === 'multipart_reply' && reply.body.type === 'group_features'
        ? { ...reply, body: { ...reply.body, types: 0 } }
        : reply,
    )
  }
  await world.peer(1).connect()
  await world.until('it is unsupported', () => world.controller.switches()[0]?.state === 'unsupported')
  lacks = false
  await world.until('it is not any more', () => world.controller.switches()[0]?.state === 'live', { ms: 180_000 })
  await world.join('red', [1, 1, macOf(1, 1)], [1, 2, macOf(1, 2)])
  t.match(await world.controller.settled('red', 0, 5000), { state: 'programmed' })
})
