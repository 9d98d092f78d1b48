// A server of ours, and real Open vSwitch that connects to it.
import { execFile } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { bucket, flowMod, groupMod, meterMod, type PacketIn, packetOut, ports } from '../../openflow/index.ts'
import type { Change, Session } from '../../openflow/session/session.ts'
import { failure, type Listening, listening } from '../openflow/listening.ts'
import { type DummyOvs, missingOvs, startDummyOvs } from './dummy-ovs.ts'

const run = promisify(execFile)

type Stage = {
  readonly c: Listening
  readonly ovs: DummyOvs
  readonly vsctl: (...args: string[]) => Promise<unknown>
  readonly pid: number
  /** The live session of the bridge br0. */
  session(): Promise<Session>
}

const dpid = '00000000000000aa'

/** Open vSwitch with access ports 1 and 2 on br0, connected to a server with the limits and events given. */
async function stage(t: Test, given: Parameters<typeof listening>[1] = {}): Promise<Stage> {
  const ovs = await startDummyOvs([1, 2], [])
  t.teardown(() => ovs.close())
  const vsctl = (...args: string[]) =>
    run('ovs-vsctl', [`--db=unix:${join(ovs.directory, 'db.sock')}`, '--timeout=20', ...args])
  const pid = Number(await readFile(join(ovs.directory, 'ovs-vswitchd.pid'), 'utf8'))
  const c = await listening(t, given)
  await vsctl('set', 'bridge', 'br0', `other_config:datapath-id=${dpid}`)
  await vsctl('set-controller', 'br0', `tcp:127.0.0.1:${c.address.port}`)
  const session = async (): Promise<Session> => {
    await c.until(() => c.server.sessions().has(dpid))
    return c.server.sessions().get(dpid)!
  }
  return { c, ovs, vsctl, pid, session }
}

const flowsOf = (count: number, cookie: bigint): Change[] =>
  Array.from({ length: count }, (_, i) =>
    flowMod({
      ...{ cookie, tableId: 1, priority: 100, match: { in_port: 1, metadata: BigInt(i) } },
      instructions: [{ type: 'apply_actions', actions: [{ type: 'output', port: 2, maxLen: 0 }] }],
    }),
  )
/** A table that goes back to another: refused when it arrives. */
const backwards = flowMod({ tableId: 3, instructions: [{ type: 'goto_table', tableId: 1 }] })
const everything = flowMod({ command: 'delete', tableId: 0xff })
const numbers = (session: Session): number[] => [...session.ports().keys()].sort((a, b) => a - b)

const missing = await missingOvs()
if (missing !== undefined && process.env['CI']) t.fail(`real Open vSwitch is needed in CI: ${missing}`)
else if (missing !== undefined) t.plan(0, `SKIPPED: ${missing}`)
else {
  t.test('Open vSwitch goes live, and what it can do is known', async t => {
    const { session, c } = await stage(t)
    const live = await session()
    t.match(live.description, { mfrDesc: 'Nicira, Inc.', hwDesc: 'Open vSwitch' })
    t.match(live.can, { bundles: true, nicira: true })
    t.ok(live.can.maxMeter > 0)
    t.equal(live.features.datapathId, 0xaan)
    t.same(numbers(live), [1, 2])
    t.equal(live.ports().get(1)?.name, 'a1')
    t.same(c.endings, ['up'])
    t.same(c.errors, [], 'and no question was refused')
  })

  t.test('its ports are followed as they come, go and change their number', async t => {
    const seen: string[] = []
    const { session, vsctl, c } = await stage(t, {
      events: { portStatus: live => void seen.push(numbers(live).join()) },
    })
    const live = await session()
    const add = (name: string, ofport: number) =>
      vsctl('add-port', 'br0', name, '--', 'set', 'interface', name, 'type=dummy', `ofport_request=${ofport}`)
    await add('a7', 7)
    await c.until(() => seen.includes('1,2,7'))
    t.equal(live.ports().get(7)?.name, 'a7')
    await vsctl('del-port', 'br0', 'a7')
    await c.until(() => seen.at(-1) === '1,2')
    await add('a7', 9)
    await c.until(() => seen.includes('1,2,9'))
    t.same(numbers(live), [1, 2, 9])
  })

  t.test('a bundle with a change that it refuses leaves nothing, whenever it refuses it', async t => {
    const { session } = await stage(t)
    const live = await session()
    const early = await live.bundle([...flowsOf(10, 1n), backwards, ...flowsOf(10, 2n)])
    t.match(early, [{ index: 10, words: 'BAD_INSTRUCTION/BAD_TABLE_ID' }])
    t.same(await live.flows(), [])
    const late = await live.bundle([groupMod({ groupId: 1 }), ...flowsOf(10, 1n), groupMod({ groupId: 1 })])
    t.match(late, [{ index: 11, words: 'GROUP_MOD_FAILED/GROUP_EXISTS' }])
    t.same(await live.flows(), [])
    t.same(await live.groups(), [])
    t.same(await live.bundle(flowsOf(10, 1n)), [])
    t.equal((await live.flows()).length, 10, 'and the next one works')
  })

  t.test('apply does what it does not refuse, and names the rest', async t => {
    const { session } = await stage(t)
    const live = await session()
    const failures = await live.apply([
      ...flowsOf(3, 1n),
      backwards,
      ...flowsOf(5, 1n),
      groupMod({ groupId: 0xffffffff }),
    ])
    t.match(failures, [
      { index: 3, words: 'BAD_INSTRUCTION/BAD_TABLE_ID' },
      { index: 9, words: 'GROUP_MOD_FAILED/INVALID_GROUP' },
    ])
    t.equal((await live.flows()).length, 5)
  })

  t.test('10,000 flows go in one by one and in a bundle, and are read back as they are', async t => {
    const { session } = await stage(t)
    const live = await session()
    t.same(await live.apply(flowsOf(10_000, 5n)), [])
    const read = await live.flows()
    t.equal(read.length, 10_000)
    t.equal(new Set(read.map(flow => flow.match.metadata)).size, 10_000)
    t.match(read[0], {
      ...{ cookie: 5n, tableId: 1, priority: 100 },
      instructions: [{ type: 'apply_actions', actions: [{ type: 'output', port: 2 }] }],
    })
    t.same(await live.bundle([everything, ...flowsOf(10_000, 6n)]), [])
    t.equal((await live.flows({ cookie: 6n, cookieMask: 0xffn })).length, 10_000)
    t.equal((await live.flows({ cookie: 5n, cookieMask: 0xffn })).length, 0)
    t.equal((await live.flows({ tableId: 2 })).length, 0)
  })

  t.test('groups and meters are read back', async t => {
    const { session } = await stage(t)
    const live = await session()
    const actions = [{ type: 'output', port: 1, maxLen: 0 } as const]
    t.same(
      await live.apply([
        meterMod({ meterId: 3, flags: 2, bands: [{ type: 'drop', rate: 100, burstSize: 10 }] }),
        groupMod({ groupId: 4, buckets: [bucket({ actions })] }),
      ]),
      [],
    )
    t.match(await live.groups(), [{ groupId: 4, groupType: 'all', buckets: [{ actions }] }])
    t.match(await live.meters(), [{ meterId: 3, bands: [{ type: 'drop', rate: 100 }] }])
  })

  t.test('frames come in by packet-in and go out by packet-out', async t => {
    const got: PacketIn[] = []
    const { session, ovs, c } = await stage(t, {
      events: { packetIn: (_session, packetIn) => void got.push(packetIn) },
    })
    const live = await session()
    const actions = [{ type: 'output', port: ports.controller, maxLen: 0xffff } as const]
    await live.apply([flowMod({ cookie: 8n, instructions: [{ type: 'apply_actions', actions }] })])
    const frame = Buffer.concat([Buffer.from('02000000000202000000000188b5', 'hex'), Buffer.alloc(50, 7)])
    await ovs.ask('netdev-dummy/receive', 'a1', frame.toString('hex'))
    await c.until(() => got.length === 1)
    t.match(got[0], { cookie: 8n, match: { in_port: 1 }, bufferId: 0xffffffff })
    t.same(got[0]?.payload, frame)
    live.send(packetOut({ payload: frame, actions: [{ type: 'output', port: 2, maxLen: 0 }] }))
    await live.request({ type: 'barrier_request' })
    let sent: Buffer[] = []
    while (sent.length === 0) sent = await ovs.sent('a2')
    t.same(sent, [frame])
  })

  t.test('a role with an old generation is refused in its words', async t => {
    const { session } = await stage(t)
    const live = await session()
    await live.request({ type: 'role_request', role: 'master', generationId: 5n })
    t.match(await failure(live.request({ type: 'role_request', role: 'master', generationId: 4n })), {
      why: 'refused',
      refusal: { words: 'ROLE_REQUEST_FAILED/STALE' },
    })
    // Generations are counted in a circle: half of it away is older, too.
    t.match(await failure(live.request({ type: 'role_request', role: 'master', generationId: 5n + 2n ** 63n })), {
      refusal: { words: 'ROLE_REQUEST_FAILED/STALE' },
    })
    await live.request({ type: 'role_request', role: 'slave', generationId: 6n })
    t.match(await live.apply(flowsOf(1, 1n)), [{ index: 0, words: 'BAD_REQUEST/IS_SLAVE' }])
  })

  t.test('of two leaders the later one writes, and the one before it is stopped by the switch', async t => {
    let mine = 5n
    const first = await stage(t, { generation: () => mine })
    const old = await first.session()
    t.equal(old.role(), 'master')
    t.same(await old.apply(flowsOf(3, 1n)), [])
    const second = await listening(t, { generation: () => 6n })
    const both = [first.c, second].map(({ address }) => `tcp:127.0.0.1:${address.port}`)
    await first.vsctl('set-controller', 'br0', ...both)
    await second.until(() => second.server.sessions().has(dpid))
    const leader = second.server.sessions().get(dpid)!
    t.equal(leader.role(), 'master')
    await first.c.until(() => first.c.downs.length === 1)
    t.match(first.c.downs, [/has another master/], 'told by Open vSwitch, before it wrote anything')
    t.match(await failure(old.apply(flowsOf(9, 2n))), { why: 'closed' })
    // It comes back by itself, is claimed with the old generation, and refuses.
    await first.c.until(() => first.c.endings.filter(each => each === 'not_master').length >= 2)
    t.ok(first.c.errors.includes('ROLE_REQUEST_FAILED/STALE'))
    t.same(await leader.apply(flowsOf(4, 3n)), [])
    t.same([...new Set((await leader.flows()).map(flow => flow.cookie))], [3n], 'of one cookie: none was written late')
    // Elected again, with a generation of its own.
    mine = 7n
    await second.until(() => second.downs.length === 1)
    t.equal((await first.session()).role(), 'master')
  })

  t.test('beside a leader an equal can still write: so whoever may not lead must not be an equal', async t => {
    const { session, vsctl, c } = await stage(t)
    await session()
    const leading = await listening(t, { generation: () => 1n })
    const both = [c, leading].map(({ address }) => `tcp:127.0.0.1:${address.port}`)
    await vsctl('set-controller', 'br0', ...both)
    await leading.until(() => leading.server.sessions().has(dpid))
    // Only a master before it is made a slave.
    t.same(await (await session()).apply(flowsOf(1, 1n)), [])
    t.same(c.downs, [])
  })

  t.test('a switch that was told to go comes back, with its flows', async t => {
    const { session, c } = await stage(t)
    const live = await session()
    await live.apply(flowsOf(5, 1n))
    live.close('for a test')
    await c.until(() => c.ups.length === 2)
    t.equal((await (await session()).flows()).length, 5)
    t.match(c.downs, [/for a test/])
  })

  t.test('a switch that stands still is dead in time, and live again when it goes on', async t => {
    const { pid, session, c } = await stage(t, { limits: { echo: 100, silence: 500 } })
    const live = await session()
    process.kill(pid, 'SIGSTOP')
    const waiting = failure(live.request({ type: 'barrier_request' }))
    try {
      await c.until(() => c.downs.length === 1)
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    t.match(c.downs, [/no byte for 500 ms/])
    t.match(await waiting, { why: 'closed' })
    await c.until(() => c.ups.length === 2)
    t.equal(c.server.sessions().size, 1)
  })

  t.test('a switch that is killed is gone at once', async t => {
    const { ovs, pid, session, c } = await stage(t)
    await session()
    // Without its pid file nobody takes whoever has that number next for it.
    await rm(join(ovs.directory, 'ovs-vswitchd.pid'))
    process.kill(pid, 'SIGKILL')
    await c.until(() => c.downs.length === 1)
    t.equal(c.server.sessions().size, 0)
  })

  t.test('a switch that connects twice is live once', async t => {
    const { vsctl, session, c } = await stage(t)
    const live = await session()
    const { port } = c.address
    await vsctl('set-controller', 'br0', `tcp:127.0.0.1:${port}`, `tcp:localhost:${port}`)
    await c.until(() => c.endings.includes('duplicate'))
    t.equal(c.server.sessions().get(dpid), live)
    t.same(await live.apply(flowsOf(5, 1n)), [])
    t.same(c.downs, [])
  })
}
