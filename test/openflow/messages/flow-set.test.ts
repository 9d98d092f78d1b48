import fc from 'fast-check'
import t from 'tap'
import {
  canonical,
  changeBatch,
  decode,
  decodeEntry,
  eachEntry,
  encodeEntry,
  entryHash,
  type FlowMod,
  type FlowSpec,
  flowMod,
  flowSet,
  parseFlow,
  sameEntry,
  WireError,
} from '../../../openflow/index.ts'
import { FlowStats } from '../../../openflow/messages/statistics.ts'
import { cursorOf } from '../../../openflow/wire/wire.ts'
import { flows as golden } from '../golden.ts'

const spec = (given: Partial<FlowSpec> = {}): FlowSpec => flowMod(given)
const identityOf = (bytes: Buffer): string => {
  const { tableId, priority, match } = decodeEntry(bytes)
  return JSON.stringify([tableId, priority, match], (_, v) => (typeof v === 'bigint' ? `${v}n` : v))
}
/** A switch's answer about a flow: counters and durations run. */
function answered(flow: FlowSpec, counted = 7n): Buffer {
  const c = cursorOf(Buffer.alloc(4096))
  FlowStats.write(c, { ...flow, durationSec: 9, durationNsec: 8, packetCount: counted, byteCount: counted * 60n })
  return c.bytes.subarray(0, c.at)
}

/** Few of each, so that entries meet. */
const flow: fc.Arbitrary<FlowSpec> = fc.record({
  tableId: fc.nat(1),
  priority: fc.nat(2),
  cookie: fc.bigInt({ min: 0n, max: 3n }),
  idleTimeout: fc.constantFrom(0, 60),
  hardTimeout: fc.constant(0),
  flags: fc.constantFrom(0, 1),
  match: fc.constantFrom<FlowSpec['match']>(
    {},
    { in_port: 1 },
    { in_port: 2 },
    { in_port: 1, metadata: 5n },
    { eth_dst: '02:00:00:00:00:01', metadata: { value: 5n, mask: 0xffn } },
  ),
  instructions: fc.constantFrom<FlowSpec['instructions']>(
    [],
    [{ type: 'apply_actions', actions: [{ type: 'output', port: 2, maxLen: 0 }] }],
    [{ type: 'goto_table', tableId: 2 }],
  ),
})

t.test(
  'a set holds what a map by table, priority and match would, whatever is put in, replaced and removed',
  async () => {
    const step = fc.record({ does: fc.constantFrom('put' as const, 'put' as const, 'remove' as const), flow })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), fc.nat(), (steps, seed) => {
        const set = flowSet(seed)
        const model = new Map<string, Buffer>()
        for (const { does, flow } of steps) {
          const bytes = encodeEntry(flow)
          if (does === 'put') {
            set.put(bytes)
            model.set(identityOf(bytes), bytes)
          } else {
            const slot = set.find(bytes)
            if ((slot !== -1) !== model.has(identityOf(bytes))) return false
            if (slot !== -1) set.remove(slot)
            model.delete(identityOf(bytes))
          }
          if (set.size() !== model.size) return false
        }
        const held: string[] = []
        for (const slot of set.slots())
          set.read(slot, (bytes, at, length) => held.push(bytes.toString('hex', at, at + length)))
        const expected = [...model.values()].map(bytes => bytes.toString('hex'))
        return held.sort().join() === expected.sort().join()
      }),
    )
  },
)

t.test('10,000 entries are found, and their room is used again', async t => {
  const set = flowSet(1)
  const of = (i: number, port: number) =>
    encodeEntry(
      spec({
        match: { metadata: BigInt(i) },
        instructions: [{ type: 'apply_actions', actions: [{ type: 'output', port, maxLen: 0 }] }],
      }),
    )
  for (let i = 0; i < 10_000; i++) set.put(of(i, 1))
  for (let round = 2; round < 8; round++) for (let i = 0; i < 10_000; i++) set.put(of(i, round))
  for (let i = 0; i < 10_000; i += 2) set.remove(set.find(of(i, 0)))
  t.equal(set.size(), 5_000)
  for (let i = 0; i < 10_000; i++) if ((set.find(of(i, 0)) !== -1) !== (i % 2 === 1)) t.fail(`entry ${i}`)
  t.ok(set.memory() < 10_000 * 400, `${set.memory()} bytes`)
})

t.test('an answer that differs in counters and durations only is the same', async t => {
  const set = flowSet()
  const flows = golden.map(([given], i) => ({ ...parseFlow(given), priority: i }))
  const bodies = flows.map(each => answered(each))
  for (const body of bodies) set.put(canonical(body))
  const comparison = set.compare()
  comparison.take(Buffer.concat(bodies))
  t.equal(comparison.same(), set.size())
  t.same([comparison.changed, comparison.extra, comparison.missing(), comparison.unreadable], [[], [], [], []])
})

t.test('what is changed, extra, missing and unreadable in an answer is told apart', async t => {
  const set = flowSet()
  const of = (port: number, to: number) =>
    spec({
      match: { in_port: port },
      instructions: [{ type: 'apply_actions', actions: [{ type: 'output', port: to, maxLen: 0 }] }],
    })
  for (const port of [1, 2, 3]) set.put(encodeEntry(of(port, 9)))
  const broken = answered(of(5, 9))
  // The second instruction's length: longer than the entry.
  broken.writeUInt16BE(0xfff0, broken.length - 22)
  const comparison = set.compare()
  comparison.take(Buffer.concat([answered(of(1, 9)), answered(of(2, 8)), answered(of(4, 9)), broken, broken]))
  t.equal(comparison.same(), 1)
  t.equal(comparison.changed.length, 1)
  t.equal(comparison.changed[0]!.slot, set.find(encodeEntry(of(2, 9))))
  t.ok(comparison.changed[0]!.entry.equals(encodeEntry(of(2, 8))))
  t.same(comparison.extra, [encodeEntry(of(4, 9))])
  t.same(comparison.missing(), [set.find(encodeEntry(of(3, 9)))])
  t.equal(comparison.unreadable.length, 2)
  t.match(comparison.unreadable[0], /instructions/)
})

t.test('a switch that answers in an order of its own is the same, too, and is decoded once only', async t => {
  const set = flowSet()
  const flow = spec({
    match: { in_port: 1, metadata: 5n, eth_dst: '02:00:00:00:00:01' },
    instructions: [
      { type: 'goto_table', tableId: 3 },
      { type: 'apply_actions', actions: [{ type: 'output', port: 2, maxLen: 0xffff }] },
    ],
  })
  set.put(encodeEntry(flow))
  const odd = answered(flow)
  t.notOk(sameEntry(odd, 0, odd.length, encodeEntry(flow), 0, encodeEntry(flow).length))
  for (const _ of [1, 2]) {
    const comparison = set.compare()
    comparison.take(odd)
    t.equal(comparison.same(), 1)
    t.same([comparison.changed, comparison.extra, comparison.missing()], [[], [], []])
  }
  set.put(encodeEntry({ ...flow, cookie: 5n }))
  const changed = set.compare()
  changed.take(odd)
  t.equal(changed.same(), 0, 'and no longer when it should be another')
  t.equal(changed.changed.length, 1)
})

t.test('an answer twice in it is counted once', async t => {
  const set = flowSet()
  set.put(encodeEntry(spec()))
  const comparison = set.compare()
  comparison.take(Buffer.concat([answered(spec(), 1n), answered(spec(), 2n)]))
  t.equal(comparison.same(), 1)
})

t.test('entries whose lengths cannot be are refused with their place', async t => {
  const good = answered(spec())
  const seen: number[] = []
  for (const length of [0, 8, 55, 57, 64, 0xffff]) {
    const bad = Buffer.from(good)
    bad.writeUInt16BE(length, 0)
    const error = (() => {
      try {
        eachEntry(Buffer.concat([good, bad]), (_, at) => seen.push(at))
      } catch (thrown) {
        return thrown as WireError
      }
      return undefined
    })()
    t.ok(error instanceof WireError, `${length}`)
    t.equal(error?.offset, good.length)
  }
  t.same(seen, [0, 0, 0, 0, 0, 0], 'what stands before them is taken')
  t.equal(
    eachEntry(Buffer.alloc(0), () => undefined),
    0,
  )
  t.throws(() => eachEntry(Buffer.alloc(1), () => undefined), WireError)
})

t.test('hashes leave out what runs, and nothing else', async () => {
  fc.assert(
    fc.property(flow, flow, (a, b) => {
      const [x, y] = [answered(a, 1n), answered(b, 2n)]
      const same = encodeEntry(a).equals(encodeEntry(b))
      return (
        sameEntry(x, 0, x.length, y, 0, y.length) === same &&
        (entryHash(x, 0, x.length) === entryHash(y, 0, y.length)) === same
      )
    }),
  )
})

t.test('a batch has the flow-mods that encode would have made', async t => {
  const batch = changeBatch()
  const flow = spec({
    ...{ tableId: 2, priority: 7, cookie: 0x1234n, idleTimeout: 60, hardTimeout: 5, flags: 1 },
    match: { in_port: 3, eth_dst: '02:00:00:00:00:01', metadata: 5n },
    instructions: [{ type: 'goto_table', tableId: 3 }],
  })
  const entry = encodeEntry(flow)
  const holder = Buffer.concat([Buffer.alloc(56), entry])
  batch.flow('add', entry)
  batch.flow('modify_strict', holder, 56, entry.length)
  batch.flow('delete_strict', entry)
  batch.message({ type: 'group_mod', command: 'delete', groupType: 'all', groupId: 5, buckets: [] })
  t.equal(batch.count(), 4)
  const { bytes, count } = batch.take()
  t.equal(count, 4)
  const messages: unknown[] = []
  for (let at = 0; at < bytes.length; at += bytes.readUInt16BE(at + 2))
    messages.push(decode(bytes, at, at + bytes.readUInt16BE(at + 2)))
  const { tableId, priority, cookie, match, instructions } = flow
  const common: Partial<FlowMod> = { tableId, priority, cookie, match }
  t.same(messages, [
    flowMod({ ...flow, command: 'add' }),
    flowMod({ ...common, instructions, command: 'modify_strict' }),
    flowMod({ ...common, command: 'delete_strict', cookieMask: 0xffff_ffff_ffff_ffffn }),
    { type: 'group_mod', xid: 0, command: 'delete', groupType: 'all', groupId: 5, buckets: [] },
  ])
  t.same(batch.take(), { bytes: Buffer.alloc(0), count: 0 })
  for (let i = 0; i < 1_000; i++)
    if (i % 2 === 0) batch.flow('add', encodeEntry(spec({ priority: i })))
    else batch.message({ type: 'group_mod', command: 'delete', groupType: 'all', groupId: i, buckets: [] })
  const many = batch.take()
  let read = 0
  for (let at = 0; at < many.bytes.length; at += many.bytes.readUInt16BE(at + 2), read++) {
    const message = decode(many.bytes, at, at + many.bytes.readUInt16BE(at + 2))
    if ('priority' in message ? message.priority !== read : 'groupId' in message && message.groupId !== read)
      t.fail(`message ${read} is another`)
  }
  t.equal(read, 1_000)
})

t.test('a batch that outgrows its memory is whole', async t => {
  const batch = changeBatch()
  const entries = Array.from({ length: 500 }, (_, i) =>
    encodeEntry({
      ...{ tableId: 1, priority: 10, cookie: BigInt(i), idleTimeout: 0, hardTimeout: 0, flags: 0 },
      ...{ match: { in_port: i + 1 }, instructions: [{ type: 'goto_table', tableId: 2 }] },
    }),
  )
  for (const [i, entry] of entries.entries()) {
    batch.flow('add', entry)
    batch.message({ type: 'group_mod', command: 'add', groupType: 'all', groupId: i + 1, buckets: [] })
  }
  const { bytes, count } = batch.take()
  const messages = []
  for (let at = 0; at < bytes.length; at += bytes.readUInt16BE(at + 2))
    messages.push(decode(bytes.subarray(at, at + bytes.readUInt16BE(at + 2))))
  t.equal(count, 1000)
  t.strictSame(
    messages.map(m => (m.type === 'flow_mod' ? m.match.in_port : m.type === 'group_mod' ? m.groupId : m.type)),
    entries.flatMap((_, i) => [i + 1, i + 1]),
  )
})
