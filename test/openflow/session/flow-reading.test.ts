// Switches whose long answers about flows cannot be trusted, seen on a real one: see flow-reading.ts.
import t from 'tap'
import { encode, encodeEntry, type FlowStats, flowMod, type Message, tables } from '../../../openflow/index.ts'
import type { Behaviour, FakeSwitch } from '../fake-switch.ts'
import { failure, listening } from '../listening.ts'

/** How an answer of more than 64 KiB comes out. */
type Fault =
  /** All bytes, behind a header that says their number modulo 64 KiB. */
  | 'wraps'
  /** As many bytes as that header says. */
  | 'is cut'
  /** Nothing. */
  | 'is silent'

type Table = readonly (FlowStats & { readonly cookie: bigint })[]

const stats = (given: Partial<FlowStats>): FlowStats => ({
  ...flowMod({ match: { metadata: given.cookie ?? 0n, eth_dst: '02:00:00:00:00:01' } }),
  ...{ durationSec: 5, durationNsec: 0, packetCount: 0n, byteCount: 0n },
  ...given,
})
/** `count` flows of networks, 5 each, in table `tableId`. */
const flowsOf = (count: number, tableId: number): Table =>
  Array.from({ length: count }, (_, i) =>
    stats({ tableId, priority: i % 5, cookie: 0x6c32_0200_0000_0000n + BigInt(Math.floor(i / 5)) }),
  )

/** A plain switch that holds these flows. `counts`: it answers TABLE and AGGREGATE, or refuses them. */
function odd(flows: Table, fault: Fault, given: { counts?: readonly string[]; dpid?: bigint } = {}): Behaviour {
  const { counts = ['table', 'aggregate'], dpid = 1n } = given
  const taken = (body: { tableId: number; cookie: bigint; cookieMask: bigint }) =>
    flows.filter(
      flow =>
        (body.tableId === tables.all || body.tableId === flow.tableId) &&
        (flow.cookie & body.cookieMask) === (body.cookie & body.cookieMask),
    )
  return {
    dpid,
    extensions: false,
    answer(message, self): Message[] | undefined {
      if (message.type !== 'multipart_request') return undefined
      const { xid, body } = message
      const reply = (answer: object) => [{ type: 'multipart_reply', xid, flags: 0, body: answer } as Message]
      if (body.type === 'table' || body.type === 'aggregate') {
        if (!counts.includes(body.type))
          return [{ type: 'error', xid, errorType: 1, errorCode: 2, payload: Buffer.alloc(0) }]
        if (body.type === 'aggregate')
          return reply({ type: 'aggregate', packetCount: 0n, byteCount: 0n, flowCount: taken(body).length })
        const count = (tableId: number) => flows.filter(flow => flow.tableId === tableId).length
        const rows = [0, 1, 2, 3].map(tableId => ({
          tableId,
          activeCount: count(tableId),
          lookupCount: 0n,
          matchedCount: 0n,
        }))
        return reply({ type: 'table', tables: rows })
      }
      if (body.type !== 'flow') return undefined
      answerFlows(self, xid, taken(body), fault)
      return []
    },
  }
}

function answerFlows(self: FakeSwitch, xid: number, flows: Table, fault: Fault): void {
  const head = encode({ type: 'multipart_reply', xid, flags: 0, body: { type: 'flow', flows: [] } })
  const bytes = Buffer.concat([head, ...flows.map(encodeEntry)])
  if (bytes.length > 0xffff && fault === 'is silent') return
  bytes.writeUInt16BE(bytes.length & 0xffff, 2)
  self.raw(fault === 'is cut' ? bytes.subarray(0, bytes.readUInt16BE(2) || bytes.length) : bytes)
}

const large = [...flowsOf(200, 0), ...flowsOf(743, 1), ...flowsOf(50, 2)]
const sorted = (flows: readonly FlowStats[]): string[] =>
  flows.map(({ tableId, cookie, priority }) => `${tableId} ${cookie} ${priority}`).sort()

for (const fault of ['is cut', 'is silent'] as const)
  t.test(`where an answer of more than 64 KiB ${fault}, all flows are read in parts, and so the next time`, async t => {
    const c = await listening(t, { limits: { request: 300 } })
    const { session, fake } = await c.live(odd(large, fault))
    t.same(sorted(await session.flows()), sorted(large))
    const asked = () => fake.received.filter(m => m.type === 'multipart_request' && m.body.type === 'flow')
    const wholes = () =>
      asked().filter(m => m.type === 'multipart_request' && 'tableId' in m.body && m.body.tableId === tables.all)
    t.equal(wholes().length, 1)
    t.same(sorted(await session.flows()), sorted(large))
    t.equal(wholes().length, 1, 'it is not asked for all flows again')
    fake.end()
    await c.until(() => c.downs.length === 1)
    c.forget()
    const again = await c.live(odd(large, fault))
    t.same(sorted(await again.session.flows()), sorted(large))
    const all = again.fake.received.filter(
      m => m.type === 'multipart_request' && m.body.type === 'flow' && m.body.tableId === tables.all,
    )
    t.equal(all.length, 0, 'nor when it comes back')
  })

t.test('where the length of an answer wraps, framing is lost once, and then all flows are read in parts', async t => {
  const c = await listening(t)
  const { session, fake } = await c.live(odd(large, 'wraps'))
  t.match(await failure(session.flows()), { why: 'closed' })
  await fake.closed
  t.same(c.endings, ['up', 'unreadable'])
  const again = await c.live(odd(large, 'wraps'))
  t.same(sorted(await again.session.flows()), sorted(large))
  const other = await c.live(odd(flowsOf(20, 0), 'wraps', { dpid: 2n }))
  t.equal((await other.session.flows()).length, 20)
  t.equal(
    other.fake.received.filter(m => m.type === 'multipart_request' && m.body.type === 'flow').length,
    1,
    'other switches are asked as ever',
  )
})

t.test('a switch that counts tables but no filters is split by as many bits as its count needs', async t => {
  const c = await listening(t)
  const { session } = await c.live(odd(large, 'is cut', { counts: ['table'] }))
  t.same(sorted(await session.flows()), sorted(large))
})

t.test('flows that no question brings are missing, in words', async t => {
  const c = await listening(t)
  // All of one network: no bit of the cookie tells them apart.
  const one = Array.from({ length: 900 }, (_, i) => stats({ tableId: 1, priority: i, cookie: 0x6c32_0200_0000_0001n }))
  const { session } = await c.live(odd([...one, ...flowsOf(10, 2)], 'is cut'))
  const { count, missing } = await session.readFlows()
  t.ok(count >= 10 && count < 910, `${count}`)
  t.match(missing, [{ tableId: 1, words: /^table 1: (\d+ of 900 entries were in its answer|at byte \d+: flow entry)/ }])
  t.match(await failure(session.flows()), { why: 'unreadable', message: /not all flows could be read: table 1/ })
})

t.test('a switch that lists fewer than it counts, however it is asked, has what it lists', async t => {
  const c = await listening(t)
  const flows = flowsOf(30, 0)
  const behaviour = odd(flows, 'is cut')
  const { session } = await c.live({
    ...behaviour,
    answer(message, self) {
      const answers = behaviour.answer?.(message, self)
      return answers?.map(answer =>
        answer.type === 'multipart_reply' && answer.body.type === 'table'
          ? {
              ...answer,
              body: {
                ...answer.body,
                tables: answer.body.tables.map(row => ({
                  ...row,
                  activeCount: row.activeCount && row.activeCount + 3,
                })),
              },
            }
          : answer,
      )
    },
  })
  for (const _ of [1, 2]) {
    const { count, missing } = await session.readFlows()
    t.equal(count, 30)
    t.same(missing, [])
  }
})

t.test('an entry that cannot be decoded costs itself', async t => {
  const counted: string[] = []
  const c = await listening(t, { metrics: { unreadable: type => void counted.push(type) } })
  const good = flowsOf(2, 0)
  const behaviour = odd(good, 'wraps')
  const { session } = await c.live({
    ...behaviour,
    answer(message, self) {
      if (message.type !== 'multipart_request' || message.body.type !== 'flow') return behaviour.answer?.(message, self)
      const bad = Buffer.from(encodeEntry(good[0]!))
      // The match says that it is longer than the entry.
      bad.writeUInt16BE(0xfff0, 50)
      const head = encode({ type: 'multipart_reply', xid: message.xid, flags: 0, body: { type: 'flow', flows: [] } })
      const bytes = Buffer.concat([head, encodeEntry(good[0]!), bad, encodeEntry(good[1]!)])
      bytes.writeUInt16BE(bytes.length, 2)
      self.raw(bytes)
      return []
    },
  })
  t.equal((await session.flows()).length, 2)
  t.same(counted, ['flow entry'])
  t.equal((await session.readFlows()).count, 3)
})
