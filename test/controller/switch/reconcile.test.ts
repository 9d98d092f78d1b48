// Only what a switch has confirmed is programmed; what it refuses is said, and holds up nobody else.
import t from 'tap'
import type { EventOf, Kind } from '../../../controller/view/event.ts'
import type { Recorded } from '../../../controller/view/recorded.ts'
import { flowMod, type Message } from '../../../openflow/index.ts'
import { openMemory } from '../../../store/memory.ts'
import { broadcast, ethernet } from '../../reference/frames.ts'
import { apply, entriesOf, openVSwitch, plainHardware } from '../../reference/index.ts'
import { macOf, makePeers, type Peer, type Peers } from '../peers.ts'
import { changesSent } from '../watching.ts'

t.setTimeout(120_000)

const kinds = { 'Open vSwitch': openVSwitch, 'plain OpenFlow 1.3': plainHardware }
const call = (n: number, port: number): Buffer =>
  ethernet({ dst: broadcast, src: macOf(n, port) }, 0x88b5, Buffer.alloc(46))
const heardBy = (world: Peers, n: number, port: number) =>
  [...world.send(n, port, call(n, port)).counts].map(([at]) => at)

/** Looks every few ms, for so long, that nothing says programmed. */
async function neverProgrammed(world: Peers, id: string, ms: number): Promise<number> {
  let looks = 0
  for (const end = world.clock.now() + ms; world.clock.now() < end; looks++) {
    const { revision } = world.store.state().networks.get(id)!
    const written = [...world.store.state().members.get(id)!].filter(([, member]) => member.revision === revision)
    const said = [
      world.controller.network(id)?.state,
      ...written.map(([key]) => world.controller.attachment(key)?.state),
    ]
    if (said.includes('programmed')) throw new Error(`${id} is said to be programmed after ${looks} looks`)
    for (const sw of world.controller.switches())
      if (sw.programmedRevision >= revision) throw new Error(`switch ${sw.dpid} is said to hold revision ${revision}`)
    await world.clock.pass(5)
  }
  return looks
}

/** Keeps the answers to barriers back until told. */
function holdBarriers(peer: Peer): () => void {
  const held: Message[] = []
  peer.whim = message => {
    if (message.type !== 'barrier_request') return undefined
    held.push({ type: 'barrier_reply', xid: message.xid })
    return []
  }
  return () => {
    peer.whim = () => undefined
    peer.say(...held)
  }
}

for (const [name, kind] of Object.entries(kinds)) {
  t.test(`nothing is programmed before the barrier's answer, though it comes 3 s late (${name})`, async t => {
    const world = await makePeers(t, { kind })
    await world.live()
    await world.join('red', [1, 1, macOf(1, 1)])
    await world.controller.settled('red', 0, 5000)
    const programmed = world.counts.programmed.length
    const release = holdBarriers(world.peer(1))
    const revision = await world.join('red', [1, 2, macOf(1, 2)])
    const settled = world.controller.settled('red', revision, 10_000)
    let answered = false
    settled.then(() => {
      answered = true
    })
    t.ok((await neverProgrammed(world, 'red', 3000)) > 50)
    t.equal(answered, false, 'nor is who waits for it told')
    t.equal(world.counts.programmed.length, programmed)
    t.match(world.controller.network('red')?.reason, 'has not confirmed revision')
    release()
    t.match(await settled, { state: 'programmed', revision })
    t.strictSame(heardBy(world, 1, 1), ['0000000000000001/2'])
  })

  t.test(`nothing is programmed when an error follows a hundred successes (${name})`, async t => {
    const world = await makePeers(t, { kind, ports: 99 })
    await world.live()
    await world.join('blue', [1, 98, '02:00:00:00:01:98'], [1, 99, '02:00:00:00:01:99'])
    await world.controller.settled('blue', 0, 5000)
    const peer = world.peer(1)
    let taken = 0
    peer.whim = message => {
      if (message.type !== 'flow_mod' && message.type !== 'bundle_add') return undefined
      return ++taken > 100 ? [tableFull(message.xid)] : undefined
    }
    const ports = Array.from({ length: 90 }, (_, i) => i + 1)
    await world.join('red', ...ports.map(port => [1, port, `02:00:00:00:01:${String(port).padStart(2, '0')}`] as const))
    await world.until('it is refused', () => world.controller.network('red')?.state === 'degraded')
    t.ok(taken > 100)
    await neverProgrammed(world, 'red', 1000)
    t.match(
      world.controller.network('red')?.reason,
      'switch 0000000000000001 refused its flows: FLOW_MOD_FAILED/TABLE_FULL',
    )
    t.equal(world.controller.network('blue')?.state, 'programmed', 'the others stay as they are')
    t.equal(world.controller.switches()[0]?.state, 'failing')
    peer.whim = () => undefined
    await world.until('it heals', () => world.controller.network('red')?.state === 'programmed', { ms: 20_000 })
    t.equal(heardBy(world, 1, 1).length, 89)
    t.equal(world.controller.switches()[0]?.state, 'live')
  })

  t.test(`a network that the switch refuses does not hold up the others (${name})`, async t => {
    const world = await makePeers(t, { kind })
    await world.live()
    await world.ask(draft => {
      for (const id of ['red', 'blue', 'green']) draft.putNetwork({ id, number: draft.nextNumber()! })
      return undefined
    })
    const number = world.store.state().networks.get('blue')!.number
    const peer = world.peer(1)
    peer.whim = message => {
      const inner = message.type === 'bundle_add' ? message.message : message
      const isBlue = inner.type === 'flow_mod' && (inner.cookie & 0xffffffffn) === BigInt(number)
      return isBlue && inner.command === 'add' ? [tableFull(message.xid)] : undefined
    }
    await world.ask(draft => {
      for (const [port, network] of [
        [1, 'red'],
        [2, 'red'],
        [3, 'blue'],
        [4, 'green'],
      ] as const)
        draft.putAttachment({ network, dpid: peer.dpid, port, mac: macOf(1, port), guard: 'mac' })
      return undefined
    })
    for (const id of ['red', 'green']) t.equal((await world.controller.settled(id, 0, 5000)).state, 'programmed')
    t.match(world.controller.network('blue'), {
      state: 'degraded',
      reason: /0000000000000001 refused its flows: .*TABLE_FULL/,
    })
    t.strictSame(heardBy(world, 1, 1), ['0000000000000001/2'])
    peer.whim = () => undefined
    await world.until('it heals', () => world.controller.network('blue')?.state === 'programmed', { ms: 20_000 })
    t.equal(world.controller.switches()[0]?.state, 'live')
  })

  t.test(`a restarted controller sends nothing to a switch that is right (${name})`, async t => {
    const world = await makePeers(t, { kind, switches: 3 })
    await world.live()
    await world.join('red', [1, 1, macOf(1, 1)], [2, 1], [3, 1, macOf(3, 1)], [3, 2])
    t.equal((await world.controller.settled('red', 0, 5000)).state, 'programmed')
    world.send(2, 1, call(2, 1))
    world.send(3, 2, call(3, 2))
    const learned = () => world.peers.every(({ sw }) => (sw.tables.get(2)?.size ?? 0) >= 6)
    await world.until('all addresses are known everywhere', learned)
    await world.restart()
    t.equal((await world.controller.settled('red', 0, 5000)).state, 'programmed')
    await world.until('it is ready', () => world.controller.ready().ready)
    t.equal(changesSent(world.counts), 0)
    t.strictSame(heardBy(world, 2, 1).sort(), ['0000000000000001/1', '0000000000000003/1', '0000000000000003/2'])
  })
}

t.test('a port that appears, or a switch that is adopted, is not programmed before the answer either', async t => {
  const world = await makePeers(t, { ports: 2 })
  await world.live()
  await world.join('red', [1, 1, macOf(1, 1)], [1, 7, macOf(1, 7)])
  await world.until('the port is missing', () => /port 7/.test(world.controller.network('red')?.reason ?? ''))
  const release = holdBarriers(world.peer(1))
  world.peer(1).port(7, true)
  await world.until('it is there', () => world.controller.switch(world.peer(1).dpid)?.ports.length === 3)
  await neverProgrammed(world, 'red', 500)
  release()
  t.match(await world.controller.settled('red', 0, 5000), { state: 'programmed' })
  t.strictSame(heardBy(world, 1, 1), ['0000000000000001/7'])

  await world.restart(openMemory())
  await world.until('it is read', () => world.controller.switches()[0]?.state === 'unadopted')
  await world.join('thief', [1, 1, macOf(1, 1)], [1, 2, macOf(1, 2)])
  await world.until('it is pending', () => /another store/.test(world.controller.network('thief')?.reason ?? ''))
  const releaseAgain = holdBarriers(world.peer(1))
  await world.ask(draft => draft.setComplete(true))
  await neverProgrammed(world, 'thief', 500)
  t.equal(world.controller.ready().ready, false)
  releaseAgain()
  t.match(await world.controller.settled('thief', 0, 5000), { state: 'programmed' })
  t.equal(world.controller.ready().ready, true)
  t.strictSame(heardBy(world, 1, 1), ['0000000000000001/2'])
})

t.test('a plain switch gets the same networks as one with bundles and extensions', async t => {
  const worlds = await Promise.all(Object.values(kinds).map(kind => makePeers(t, { kind, switches: 2 })))
  for (const world of worlds) {
    await world.live()
    await world.join('red', [1, 1, macOf(1, 1)], [1, 2], [2, 1])
    await world.join('blue', [1, 3], [2, 2, macOf(2, 2)])
    for (const id of ['red', 'blue']) t.equal((await world.controller.settled(id, 0, 5000)).state, 'programmed')
  }
  const heard = worlds.map(world =>
    [1, 2].flatMap(n => [1, 2, 3, 4].map(port => [n, port, heardBy(world, n, port).sort().join()] as const)),
  )
  t.strictSame(heard[1], heard[0])
  t.equal(heard[0]![0]![2], '0000000000000001/2,0000000000000002/1')
})

t.test("a barrier's answer that gets lost is no reason to believe anything, nor to send all again", async t => {
  const world = await makePeers(t, { kind: plainHardware })
  await world.live()
  const peer = world.peer(1)
  let lost = 0
  peer.whim = message => (message.type === 'barrier_request' && lost++ === 0 ? [] : undefined)
  await world.join('red', [1, 1, macOf(1, 1)], [1, 2, macOf(1, 2)])
  await neverProgrammed(world, 'red', 3000)
  await world.until('it is read again', () => world.controller.network('red')?.state === 'programmed', { ms: 20_000 })
  const adds = peer.received.filter(message => message.type === 'flow_mod' && message.cookie >> 40n === 0x6c3202n)
  t.equal(
    adds.length,
    new Set(
      adds.map(message => JSON.stringify(message, (k, v) => (k === 'xid' ? 0 : typeof v === 'bigint' ? `${v}` : v))),
    ).size,
  )
  t.strictSame(heardBy(world, 1, 1), ['0000000000000001/2'])
})

t.test('a connection that ends in the middle of a change leaves nothing half done', async t => {
  const world = await makePeers(t)
  await world.live()
  const peer = world.peer(1)
  peer.whim = message => {
    if (message.type !== 'bundle_control' || message.ctrlType !== 'commit_request') return undefined
    peer.drop()
    return []
  }
  await world.join('red', [1, 1, macOf(1, 1)], [1, 2, macOf(1, 2)])
  await world.until('it is gone', () => world.controller.switches()[0]?.state === 'disconnected')
  t.match(world.controller.network('red'), { state: 'pending', reason: /is not connected/ })
  peer.whim = () => undefined
  peer.sw.bundles.clear()
  await peer.connect()
  t.equal((await world.controller.settled('red', 0, 5000)).state, 'programmed')
  t.strictSame(heardBy(world, 1, 1), ['0000000000000001/2'])
})

t.test('a switch that refuses everything is left in peace, and does not fill the log', async t => {
  const world = await makePeers(t, { ports: 200 })
  const peer = world.peer(1)
  peer.whim = message =>
    message.type === 'flow_mod' || message.type === 'bundle_add' ? [tableFull(message.xid)] : undefined
  await world.ask(draft => {
    for (let port = 1; port <= 200; port++) {
      const id = `network-${port}`
      draft.putNetwork({ id, number: draft.nextNumber()! })
      draft.putAttachment({ network: id, dpid: peer.dpid, port, guard: 'learn' })
    }
    return undefined
  })
  await peer.connect()
  await world.until('it is refused', () => world.controller.network('network-200')?.state === 'degraded')
  const seconds = [0, 0, 0, 0, 0, 0]
  const sent = seconds.map(() => 0)
  const troubles = () => world.log.filter(({ level }) => level === 'warn' || level === 'error')
  for (let second = 0; second < seconds.length; second++) {
    const [lines, changes] = [troubles().length, changesSent(world.counts)]
    await world.clock.pass(1000)
    seconds[second] = troubles().length - lines
    sent[second] = changesSent(world.counts) - changes
  }
  t.ok(troubles().length <= 10 * (seconds.length + 1), `${troubles().length} lines in all`)
  t.ok(Math.max(...seconds) <= 10, `lines a second: ${seconds}`)
  t.ok(sent.filter(n => n > 0).length <= 3, `changes a second: ${sent}`)
  t.equal(world.controller.network('network-1')?.state, 'degraded')
  t.strictSame(world.controller.ready(), { ready: true, reasons: [], concerns: [] })
})

t.test('a network that a switch refuses is no drift: audits neither repair it nor ask for it again', async t => {
  const world = await makePeers(t)
  await world.live()
  await world.join('blue', [1, 3, macOf(1, 3)], [1, 4, macOf(1, 4)])
  t.equal((await world.controller.settled('blue', 0, 5000)).state, 'programmed')
  const { number } = await world.ask(draft => {
    draft.putNetwork({ id: 'red', number: draft.nextNumber()! })
    return draft.networks.get('red')!
  })
  const peer = world.peer(1)
  let asked = 0
  peer.whim = message => {
    const inner = message.type === 'bundle_add' ? message.message : message
    const isRed = inner.type === 'flow_mod' && (inner.cookie & 0xffffffffn) === BigInt(number)
    if (!isRed || inner.command !== 'add') return undefined
    asked += 1
    return [tableFull(message.xid)]
  }
  await world.join('red', [1, 1, macOf(1, 1)], [1, 2, macOf(1, 2)])
  await world.until('it is refused', () => world.controller.network('red')?.state === 'degraded')
  // Its pause grows to a minute; an audit reads the switch about as often.
  await world.clock.pass(240_000)
  const before = asked
  const once = new Set([...world.store.state().members.get('red')!]).size * 4
  await world.clock.pass(120_000)
  t.ok(asked - before <= 4 * once * 2, `${asked - before} times in two minutes`)
  t.equal(world.counts.repaired, 0)
  t.notOk(world.log.some(({ words }) => words.includes('drifted')))
  t.match(world.controller.network('red')?.reason, 'refused its flows: FLOW_MOD_FAILED/TABLE_FULL')
  peer.whim = () => undefined
  await world.until('it heals', () => world.controller.network('red')?.state === 'programmed', { ms: 90_000 })
})

t.test('drift is put right, counted once, and then there is none', async t => {
  const world = await makePeers(t)
  await world.live()
  await world.join('red', [1, 1, macOf(1, 1)], [1, 2, macOf(1, 2)])
  t.equal((await world.controller.settled('red', 0, 5000)).state, 'programmed')
  world.peer(1).sw.tables.delete(2)
  await world.until('it is repaired', () => world.counts.repaired > 0)
  t.equal(world.counts.repaired, 6)
  const [drift] = eventsOf(world, 'switch-drift')
  t.match(drift, { dpid: '0000000000000001', count: 6, severity: 'warn' })
  t.match(drift!.items, Array(6).fill({ after: /^cookie=0x\w+, table=2, priority=\d+,.*actions=/ }))
  t.ok(
    drift!.items.every(item => !('before' in item)),
    'they were missing',
  )
  await world.until('none is left', () => world.controller.switches()[0]!.flows.drift === 0)
  t.strictSame(heardBy(world, 1, 1), ['0000000000000001/2'])
})

t.test('a flow that somebody changed or added is told as it was and as it is, as ovs-ofctl prints it', async t => {
  const world = await makePeers(t)
  await world.live()
  await world.join('red', [1, 1, macOf(1, 1)], [1, 2, macOf(1, 2)])
  t.equal((await world.controller.settled('red', 0, 5000)).state, 'programmed')
  const { sw } = world.peer(1)
  const other = flowMod({
    ...{ command: 'modify_strict', tableId: 2, priority: 0, match: {}, cookie: 0n },
    instructions: [{ type: 'apply_actions', actions: [{ type: 'output', port: 3, maxLen: 0 }] }],
  })
  const [entry] = entriesOf(sw.tables.get(2)!).filter(({ match }) => match.eth_dst !== undefined)
  apply(sw, { ...other, xid: 1, priority: entry!.priority, match: entry!.match })
  apply(sw, { ...other, xid: 2, command: 'add', tableId: 0, priority: 9, match: { in_port: 4 } })
  await world.until('it is repaired', () => world.counts.repaired > 0)
  const [drift] = eventsOf(world, 'switch-drift')
  const mac = `${entry!.match.eth_dst}`
  t.match(drift!.items, [
    {
      before: new RegExp(`dl_dst=${mac}.*actions=output:3$`),
      after: new RegExp(`dl_dst=${mac}.*actions=output:[12]$`),
    },
    { before: /^priority=9,in_port=4 actions=output:3$/ },
  ])
  t.notOk('after' in drift!.items[1]!, 'it goes')
})

t.test('a switch that comes back without its flows is told loudly, and programmed', async t => {
  const world = await makePeers(t)
  await world.live()
  await world.join('red', [1, 1, macOf(1, 1)], [1, 2, macOf(1, 2)])
  t.equal((await world.controller.settled('red', 0, 5000)).state, 'programmed')
  const held = world.controller.switches()[0]!.flows.actual
  t.same(eventsOf(world, 'switch-emptied'), [], 'a switch that is new has lost nothing')
  const peer = world.peer(1)
  peer.drop()
  await world.until('it is gone', () => !world.controller.switches()[0]!.connected)
  peer.sw.tables.clear()
  peer.sw.groups.clear()
  await peer.connect()
  await world.until('it is live', () => world.controller.network('red')?.state === 'programmed')
  t.match(eventsOf(world, 'switch-emptied'), [{ severity: 'error', dpid: peer.dpid, flows: held }])
  t.strictSame(heardBy(world, 1, 1), ['0000000000000001/2'])

  peer.drop()
  await world.until('it is gone again', () => !world.controller.switches()[0]!.connected)
  await peer.connect()
  await world.until('it is live again', () => world.controller.switches()[0]!.state === 'live')
  t.equal(eventsOf(world, 'switch-emptied').length, 1, 'one that kept them is not')
})

t.test('how far a switch has come is told, phase by phase', async t => {
  const world = await makePeers(t)
  await world.live()
  world.peer(1).drop()
  await world.until('it is gone', () => !world.controller.switches()[0]!.connected)
  const about = world.events.filter(({ kind }) => kind.startsWith('switch-'))
  t.match(about, [
    { kind: 'switch-connected', dpid: '0000000000000001' },
    { kind: 'switch-phase', from: 'comparing', to: 'live' },
    { kind: 'switch-disconnected', severity: 'warn' },
  ])
})

const eventsOf = <K extends Kind>(world: Peers, kind: K) =>
  world.events.filter(event => event.kind === kind) as unknown as (EventOf<K> & Recorded)[]

const tableFull = (xid: number): Message => ({
  type: 'error',
  xid,
  errorType: 5,
  errorCode: 1,
  payload: Buffer.alloc(0),
})
