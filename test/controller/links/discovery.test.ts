// Links are found by probes that only we can make, and that come back where only a link can bring them.
import t from 'tap'
import { cookie } from '../../../controller/compile/cookie.ts'
import { probeVni } from '../../../controller/compile/pipeline.ts'
import { type Message, noBuffer } from '../../../openflow/index.ts'
import { probeFrame } from '../../../topology/lldp.ts'
import { portDesc, putPort } from '../../reference/index.ts'
import { dpidOf, makePeers, type Peer, type Peers } from '../peers.ts'

t.setTimeout(120_000)

const linksOf = (world: Peers) => [...world.store.state().discoveredLinks.keys()].sort()
const states = (world: Peers) => world.controller.links().map(({ state }) => state)
const probes = ({ received }: Peer) => received.filter(message => message.type === 'packet_out')
/** A probe that this switch was told to send out of this port. */
function probeOut(peer: Peer, port: number): Buffer {
  const outOf = (message: Message) =>
    message.type === 'packet_out' && message.actions.some(action => action.type === 'output' && action.port === port)
  const found = peer.received.findLast(outOf)
  if (found?.type !== 'packet_out') throw new Error(`no probe left port ${port} of switch ${peer.dpid}`)
  return found.payload
}
/** What a switch says when this frame came in by this port, and met our probe entry. */
const heard = (inPort: number, payload: Buffer): Message => ({
  type: 'packet_in',
  xid: 0,
  bufferId: noBuffer,
  totalLen: payload.length,
  reason: 'action',
  tableId: 0,
  cookie: cookie('base'),
  match: { in_port: inPort, tunnel_id: probeVni },
  payload,
})
const quiet = (world: Peers) => world.clock.pass(200)

t.test(
  'links are found in both directions, and a restarted controller knows them before any switch is there',
  async t => {
    const world = await makePeers(t, { switches: 3 })
    await world.live()
    const [a, b, c] = [1, 2, 3].map(dpidOf)
    const found = [
      `${a}/102/${b}/101`,
      `${a}/103/${c}/101`,
      `${b}/101/${a}/102`,
      `${b}/103/${c}/102`,
      `${c}/101/${a}/103`,
      `${c}/102/${b}/103`,
    ]
    t.strictSame(linksOf(world), found)
    t.ok(states(world).every(state => state === 'up'))
    await world.restart(undefined, [])
    t.strictSame(linksOf(world), found)
    t.ok(
      world.controller.links().every(({ state, reason }) => state === 'pending' && /not connected/.test(reason ?? '')),
    )
  },
)

t.test('a link over which probes no longer come is down, and up when they come again', async t => {
  const world = await makePeers(t, { switches: 2 })
  await world.live()
  world.peer(1).whim = message => (message.type === 'packet_out' ? [] : undefined) // Lost on its way.
  await world.until('one direction is down', () => states(world).includes('down'))
  t.match(
    world.controller.links().find(({ state }) => state === 'down'),
    { from: { dpid: dpidOf(1), port: 102 }, reason: `do not arrive at ${dpidOf(2)}/101` },
  )
  const say = (given: { config?: number; state?: number }) =>
    world.peer(2).say(...putPort(world.peer(2).sw, 101, { desc: { ...portDesc(101), ...given }, tunnel: {} }))
  const reasonIs = (words: string) => () => world.controller.links().some(({ reason }) => reason?.endsWith(words))
  say({ state: 1 })
  await world.until('the true reason is said', reasonIs(`port 101 of switch ${dpidOf(2)} has no carrier`))
  say({ config: 1 })
  await world.until('and who did it', reasonIs(`port 101 of switch ${dpidOf(2)} is switched off`))
  say({})
  world.peer(1).whim = () => undefined
  await world.until('both are up', () => states(world).every(state => state === 'up'))
})

t.test('a pod is never the end of a link, whatever comes in by its port', async t => {
  const world = await makePeers(t, { switches: 2 })
  await world.live()
  await world.join('red', [1, 1], [2, 1])
  await world.controller.settled('red', 0, 5000)
  const before = linksOf(world)
  const real = probeOut(world.peer(1), 102)
  t.strictSame(world.send(2, 1, real).packetIns, [], 'the switch does not even show it to us')
  world.peer(2).say(heard(1, real))
  await world.ask(draft => draft.deleteAttachment(`${dpidOf(2)}/1`))
  await world.controller.settled('red', 0, 5000)
  world.peer(2).say(heard(1, probeOut(world.peer(1), 102)))
  await quiet(world)
  t.strictSame(linksOf(world), before, "nor a port that was a pod's")
})

t.test("a port that becomes a pod's is an end of no link any more", async t => {
  const world = await makePeers(t, { switches: 2 })
  await world.live()
  await world.join('red', [1, 1], [2, 1])
  t.equal((await world.controller.settled('red', 0, 5000)).state, 'programmed')
  await world.join('blue', [1, 102])
  await world.until('the switches are apart', () => world.controller.network('red')?.state === 'degraded')
  t.match(world.controller.network('red')?.reason, 'no way between switches')
})

t.test('probes that are forged, altered, old or of another controller make no link', async t => {
  const world = await makePeers(t, { switches: 2, ports: 6 })
  await world.live()
  const before = linksOf(world)
  const old = probeOut(world.peer(1), 4)
  const from = { dpid: dpidOf(1), port: 3 }
  const forged = probeFrame(Buffer.alloc(32), { from, sequence: 1, sentAt: 1, mtu: 0 }, '02:00:00:00:00:01')
  const altered = Buffer.from(probeOut(world.peer(1), 5))
  altered.writeUInt8(6, altered.lastIndexOf(5))
  for (const payload of [forged, altered, Buffer.alloc(0), Buffer.alloc(14), old.subarray(0, 40)])
    world.peer(2).say(heard(6, payload))
  await quiet(world)
  t.strictSame(linksOf(world), before)
  await world.clock.pass(3100)
  world.peer(2).say(heard(6, old))
  await quiet(world)
  t.strictSame(linksOf(world), before, 'three seconds are too long for a probe on its way')
  world.peer(2).say(heard(6, probeOut(world.peer(1), 102)))
  await quiet(world)
  t.strictSame(linksOf(world), before, 'a link that answers has not moved')
  world.peer(1).whim = message => (message.type === 'packet_out' ? [] : undefined) // No other one arrives.
  await world.until('a fresh one is believed', () => {
    world.peer(2).say(heard(6, probeOut(world.peer(1), 102)))
    return linksOf(world).includes(`${dpidOf(1)}/102/${dpidOf(2)}/6`)
  })
})

t.test('ports that come, go and flap cost few probes', async t => {
  const world = await makePeers(t, { switches: 1, ports: 200 })
  const peer = world.peer(1)
  await world.live()
  await world.until('each port was asked once', () => probes(peer).length >= 200)
  const before = probes(peer).length
  const began = world.clock.now()
  for (let i = 0; i < 100; i++) {
    const { desc } = peer.sw.ports.get(7)!
    peer.say({ type: 'port_status', xid: 0, reason: 'modify', port: { ...desc, state: i % 2 === 0 ? 1 : 4 } })
    peer.port(8, i % 2 === 1)
    await world.clock.pass(10)
  }
  const during = probes(peer).length - before
  const seconds = (world.clock.now() - began) / 1000
  // The budget is 1,000 a second, and one round of it may be ahead.
  t.ok(during < 1000 * (seconds + 1), `${during} probes for 200 flaps in ${seconds} s`)
  t.ok(world.counts.compiled < 40, `${world.counts.compiled} compiles`)
})

t.test('a port of a link that flaps 100 times a second is worked out a few times, and ends right', async t => {
  const world = await makePeers(t, { switches: 2 })
  await world.live()
  await world.join('red', [1, 1], [2, 1])
  t.equal((await world.controller.settled('red', 0, 5000)).state, 'programmed')
  const peer = world.peer(1)
  const { desc } = peer.sw.ports.get(102)!
  const carrier = (there: boolean) =>
    peer.say({ type: 'port_status', xid: 0, reason: 'modify', port: { ...desc, state: there ? 4 : 1 } })
  const compiled = world.counts.compiled
  const began = world.clock.now()
  for (let i = 0; i < 200; i++) {
    carrier(i % 2 === 1)
    await world.clock.pass(5)
  }
  const seconds = (world.clock.now() - began) / 1000
  const compiles = world.counts.compiled - compiled
  t.ok(compiles <= 10 * seconds, `${compiles} compiles in ${seconds} s`)
  carrier(false)
  await world.until('the switches are apart', () => world.controller.network('red')?.state === 'degraded')
  t.ok(states(world).every(state => state === 'down'))
  carrier(true)
  await world.until('they are joined again', () => world.controller.network('red')?.state === 'programmed')
  t.ok(states(world).every(state => state === 'up'))
})
