// What Open vSwitch answers about the entries that we compile is, less durations and counters, what flow-entry.ts calls canonical:
// so reading them back and comparing decodes none of them.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t, { type Test } from 'tap'
import { base } from '../../controller/compile/default-flows.ts'
import type { FlowItem, Item } from '../../controller/compile/item.ts'
import {
  changeBatch,
  type EncodedChanges,
  eachEntry,
  encodeEntry,
  flowMod,
  flowSet,
  groupMod,
  type Match,
  meterMod,
  parseFlow,
  sameEntry,
} from '../../openflow/index.ts'
import type { Session } from '../../openflow/session/session.ts'
import { examples } from '../golden/examples.ts'
import { flows as golden } from '../openflow/golden.ts'
import { listening } from '../openflow/listening.ts'
import { missingOvs, startDummyOvs } from './dummy-ovs.ts'

const dpid = '00000000000000aa'

async function stage(t: Test): Promise<Session> {
  const ovs = await startDummyOvs([1, 2], [101])
  t.teardown(() => ovs.close())
  const c = await listening(t)
  const vsctl = (...args: string[]) =>
    promisify(execFile)('ovs-vsctl', [`--db=unix:${join(ovs.directory, 'db.sock')}`, '--timeout=20', ...args])
  await vsctl('set', 'bridge', 'br0', `other_config:datapath-id=${dpid}`)
  await vsctl('set-controller', 'br0', `tcp:127.0.0.1:${c.address.port}`)
  await c.until(() => c.server.sessions().has(dpid))
  return c.server.sessions().get(dpid)!
}

const wipe = [flowMod({ command: 'delete', tableId: 0xff }), groupMod({ command: 'delete', groupId: 0xffff_fffc })]

const groupsAndMeters = (items: readonly Item[]): EncodedChanges => {
  const batch = changeBatch()
  for (const item of items) {
    const { kind } = item
    if (kind === 'group')
      batch.message(groupMod({ groupId: item.id, groupType: item.groupType, buckets: item.buckets }))
    if (kind === 'meter') batch.message(meterMod({ meterId: item.id, flags: item.flags, bands: item.bands }))
  }
  return batch.take()
}

const missing = await missingOvs()
if (missing !== undefined && process.env['CI']) t.fail(`real Open vSwitch is needed in CI: ${missing}`)
else if (missing !== undefined) t.plan(0, `SKIPPED: ${missing}`)
else {
  t.test('every entry that we compile is answered in its canonical bytes', async t => {
    const session = await stage(t)
    let entries = 0
    for (const [name, { switches }] of Object.entries(examples))
      for (const [of, compiled] of switches) {
        // A meter may be needed by several entries.
        const items = [...new Map([...base('0123456789'), ...compiled].map(item => [item.key, item])).values()]
        const flows = items.filter((item): item is FlowItem => item.kind === 'flow')
        t.same(await session.apply([...wipe, meterMod({ command: 'delete', meterId: 0xffff_ffff })]), [])
        t.same(await session.apply(groupsAndMeters(items)), [], `groups and meters of ${name}`)
        const batch = changeBatch()
        const set = flowSet()
        for (const flow of flows) {
          const bytes = encodeEntry(flow)
          set.put(bytes)
          batch.flow('add', bytes)
        }
        t.same(await session.bundle(batch.take()), [], `flows of ${name}`)
        const reading = await session.readFlows()
        t.equal(reading.count, set.size(), `${name}, switch ${of}`)
        t.same(reading.missing, [])
        // Not by the set's own comparison, which would turn what is not canonical into it.
        for (const body of reading.bodies)
          eachEntry(body, (bytes, at, length) => {
            entries++
            const slot = set.find(bytes, at, length)
            if (slot === -1) return t.fail(`${name}: not as canonical: ${bytes.toString('hex', at, at + length)}`)
            set.read(slot, (own, ownAt, ownLength) => {
              if (!sameEntry(own, ownAt, ownLength, bytes, at, length))
                t.fail(`${name}: ${bytes.toString('hex', at, at + length)}`)
            })
          })
        const comparison = set.compare()
        for (const body of reading.bodies) comparison.take(body)
        t.equal(comparison.same(), set.size())
      }
    t.ok(entries > 300, `${entries} entries`)
  })

  t.test('flows of all kinds that ovs-ofctl knows are the same when they are read back', async t => {
    const session = await stage(t)
    const odd: string[] = []
    for (const [i, [given]] of golden.entries()) {
      const flow = { ...parseFlow(given), priority: 1_000 + i, flags: 0 }
      if ((await session.apply([...wipe, flow])).length > 0) continue
      const set = flowSet()
      set.put(encodeEntry(flow))
      const comparison = set.compare()
      for (const body of (await session.readFlows({ cookie: flow.cookie, cookieMask: flow.cookie })).bodies)
        comparison.take(body)
      if (comparison.same() !== 1) odd.push(given)
    }
    // What one can write in two ways comes back in one: none of it is ours. All else is the same.
    const twoWays =
      /xreg|xxreg|vlan_tci|load:|set_field:.*\/|learn|resubmit|enqueue|nat|ct\(|note|encap|in_port=|0x|mod_/
    t.same(
      odd.filter(line => !twoWays.test(line)),
      [],
    )
  })

  t.test('entries are changed and deleted by their bytes, and others are left alone', async t => {
    const session = await stage(t)
    const of = (port: number, cookie: bigint, match: Match = { in_port: port }) =>
      encodeEntry(
        flowMod({
          ...{ match, cookie, priority: 5 },
          instructions: [{ type: 'apply_actions', actions: [{ type: 'output', port, maxLen: 0 }] }],
        }),
      )
    const batch = changeBatch()
    for (const port of [1, 2, 3]) batch.flow('add', of(port, 7n))
    t.same(await session.apply(batch.take()), [])
    batch.flow('modify_strict', of(2, 7n, { in_port: 1 }))
    batch.flow('delete_strict', of(2, 7n))
    batch.flow('delete_strict', of(3, 8n))
    t.same(await session.bundle(batch.take()), [])
    const left = await session.flows()
    t.same(left.map(({ match, instructions }) => [match.in_port, JSON.stringify(instructions)]).sort(), [
      [1, JSON.stringify([{ type: 'apply_actions', actions: [{ type: 'output', port: 2, maxLen: 0 }] }])],
      [3, JSON.stringify([{ type: 'apply_actions', actions: [{ type: 'output', port: 3, maxLen: 0 }] }])],
    ])
  })

  t.test('a bad change among bytes is named by its number, in a bundle and in order', async t => {
    const session = await stage(t)
    const batch = () => {
      const made = changeBatch()
      for (let i = 0; i < 2_000; i++) made.flow('add', encodeEntry(flowMod({ priority: i, tableId: 1 })))
      made.message(flowMod({ tableId: 3, instructions: [{ type: 'goto_table', tableId: 1 }] }))
      for (let i = 0; i < 2_000; i++) made.flow('add', encodeEntry(flowMod({ priority: i, tableId: 2 })))
      return made.take()
    }
    t.match(await session.bundle(batch()), [{ index: 2_000, words: 'BAD_INSTRUCTION/BAD_TABLE_ID' }])
    t.equal((await session.flows()).length, 0)
    t.match(await session.apply(batch()), [{ index: 2_000, words: 'BAD_INSTRUCTION/BAD_TABLE_ID' }])
    t.equal((await session.flows()).length, 4_000)
  })
}
