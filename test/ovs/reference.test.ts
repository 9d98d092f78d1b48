// The reference switch against Open vSwitch itself: what it takes and refuses, and where it sends frames. L2SM_SEED starts
// the random cases elsewhere, L2SM_ROUNDS does more of them.
import t, { type Test } from 'tap'
import {
  type Action,
  bucket,
  type FieldName,
  flowMod,
  groupMod,
  type Instruction,
  type Message,
  meterMod,
  ports,
  setField,
} from '../../openflow/index.ts'
import { arp, broadcast, ipv6, neighbour } from '../reference/frames.ts'
import { apply, type Switch } from '../reference/index.ts'
import {
  accessPorts,
  newRandom,
  openMeter,
  type Random,
  randomChange,
  randomPipeline,
  tunnelPorts,
} from '../reference/random.ts'
import { randomFrame } from '../reference/random-frame.ts'
import {
  type Arrival,
  clearBoth,
  dumpBoth,
  echo,
  seenByUs,
  sendThrough,
  sendToUs,
  tellBoth,
  text,
  twin,
} from './agreement.ts'
import { type Channel, type DummyOvs, missingOvs, startDummyOvs, underlay } from './dummy-ovs.ts'
import { type Places, readTrace } from './trace.ts'

const first = Number(process.env['L2SM_SEED'] ?? 1)
const rounds = Number(process.env['L2SM_ROUNDS'] ?? 20)
const framesEach = 300
const seeds = Array.from({ length: rounds }, (_, i) => first + i)

const missing = await missingOvs()
if (missing !== undefined && process.env['CI']) t.fail(`${missing}: on CI this test must run`)
else if (missing !== undefined)
  t.test('the reference switch agrees with Open vSwitch', { skip: `NOT TESTED: ${missing}` }, () => {})
else await agreement()

const mac = '02:00:00:00:00:02'
const move = (src: FieldName, dst: FieldName, nBits: number): Action => ({
  type: 'move',
  nBits,
  srcOffset: 0,
  dstOffset: 0,
  src,
  dst,
})
const toAsker: Action = { type: 'output', port: ports.inPort, maxLen: 0 }
const applying = (...actions: Action[]): Instruction => ({ type: 'apply_actions', actions })
const nd = { eth_type: 0x86dd, ip_proto: 58 } as const

/** ARP for 10.0.0.2 and neighbour discovery of fe80::2, answered in the switch; an ND reply takes two tables. */
const answering: readonly Message[] = [
  flowMod({
    match: { eth_type: 0x0806, arp_op: 1, arp_tpa: '10.0.0.2' },
    instructions: [
      applying(
        move('eth_src', 'eth_dst', 48),
        setField('eth_src', mac),
        setField('arp_op', 2),
        move('arp_sha', 'arp_tha', 48),
        move('arp_spa', 'arp_tpa', 32),
        setField('arp_sha', mac),
        setField('arp_spa', '10.0.0.2'),
        toAsker,
      ),
    ],
  }),
  flowMod({
    match: { ...nd, icmpv6_type: 135, icmpv6_code: 0, ipv6_nd_target: 'fe80::2' },
    instructions: [
      applying(
        move('eth_src', 'eth_dst', 48),
        setField('eth_src', mac),
        move('ipv6_src', 'ipv6_dst', 128),
        setField('ipv6_src', 'fe80::2'),
        setField('icmpv6_type', 136),
        setField('nd_options_type', 2),
        setField('nd_reserved', 0x6000_0000),
      ),
      { type: 'goto_table', tableId: 3 },
    ],
  }),
  flowMod({
    tableId: 3,
    match: { ...nd, icmpv6_type: 136, icmpv6_code: 0, ipv6_nd_target: 'fe80::2' },
    instructions: [applying(setField('ipv6_nd_tll', mac), toAsker)],
  }),
]

type Round = { readonly r: Random; readonly sw: Switch; readonly channel: Channel; readonly seed: number }

async function agreement(): Promise<void> {
  t.setTimeout(180_000)
  const ovs = await startDummyOvs(accessPorts, tunnelPorts)
  t.teardown(() => ovs.close())

  /** For each seed an empty Open vSwitch and its empty twin. A connection has bundles of its own, so each gets a new one. */
  const eachSeed = async (run: (round: Round) => Promise<void>): Promise<void> => {
    for (const seed of seeds) {
      const channel = await ovs.channel()
      const sw = twin()
      await run({ r: newRandom(seed), sw, channel, seed })
      await clearBoth(ovs, channel, sw)
      channel.close()
    }
  }

  t.test('both take and refuse the same flow-mods and group-mods, and then hold the same', async t => {
    let taken = 0
    await eachSeed(async ({ r, sw, channel, seed }) => {
      const changes = Array.from({ length: 300 }, () => randomChange(r))
      const { theirs, ours } = await tellBoth(ovs, channel, sw, [openMeter, ...changes])
      same(t, ours, theirs, `answers, seed ${seed}`)
      const dump = await dumpBoth(channel, sw)
      same(t, dump.ours, dump.theirs, `tables, seed ${seed}`)
      taken += dump.ours.length
    })
    t.ok(taken > 10 * rounds, `${taken} flows and groups at the ends`)
  })

  t.test('both take and refuse the same bundles', async t => {
    await eachSeed(async ({ r, sw, channel, seed }) => {
      const { theirs, ours } = await tellBoth(ovs, channel, sw, [
        openMeter,
        ...Array.from({ length: 80 }, () => bundleStep(r)),
      ])
      same(t, ours, theirs, `answers, seed ${seed}`)
      const dump = await dumpBoth(channel, sw)
      same(t, dump.ours, dump.theirs, `tables, seed ${seed}`)
    })
  })

  t.test('both take and refuse the same meters', async t => {
    await eachSeed(async ({ r, sw, channel, seed }) => {
      const { theirs, ours } = await tellBoth(
        ovs,
        channel,
        sw,
        Array.from({ length: 60 }, () => randomMeter(r)),
      )
      same(t, ours, theirs, `answers, seed ${seed}`)
      const dump = await dumpBoth(channel, sw)
      same(t, dump.ours, dump.theirs, `meters, seed ${seed}`)
    })
  })

  t.test('a frame goes where ofproto/trace says', async t => {
    const places = await placesOf(ovs)
    let outputs = 0
    await eachSeed(async ({ r, sw, channel, seed }) => {
      await tellBoth(ovs, channel, sw, randomPipeline(r, 40))
      const arrivals = Array.from({ length: framesEach }, (_, i) => randomArrival(r, seed, i))
      const traces = await Promise.all(arrivals.map(arrival => trace(ovs, arrival)))
      const wrong = arrivals.flatMap((arrival, i) => {
        const result = sendToUs(sw, arrival)
        if (result.ambiguous) return []
        const ours = [
          ...result.outputs.map(o => `${o.port}@${o.tunnelId}`),
          ...result.packetIns.map(() => 'controller'),
        ]
        const theirs = [...readTrace(traces[i]!, places)]
        outputs += theirs.length
        if (text(ours.sort()) === text(theirs.sort())) return []
        return [`ours ${ours}, theirs ${theirs}: ${words(arrival)}\n${traces[i]}`]
      })
      t.strictSame(wrong.slice(0, 3), [], `${wrong.length} of ${framesEach} frames, seed ${seed}`)
    })
    t.ok(outputs > rounds * framesEach, `${outputs} copies of ${rounds * framesEach} frames`)
  })

  t.test('frames that are really sent come out the same, byte for byte', async t => {
    let copies = 0
    await eachSeed(async ({ r, sw, channel, seed }) => {
      await tellBoth(ovs, channel, sw, [echo, ...randomPipeline(r, 40)])
      const arrivals = Array.from({ length: framesEach }, (_, i) => randomArrival(r, seed, i, true))
      const theirs = await sendThrough(ovs, channel, arrivals)
      const wrong = arrivals.flatMap((arrival, i) => {
        const result = sendToUs(sw, arrival)
        const ours = seenByUs(result)
        copies += ours.frames.length
        if (result.ambiguous || text(ours) === text(theirs[i])) return []
        return [`${words(arrival)}\n  ours   ${text(ours)}\n  theirs ${text(theirs[i])}`]
      })
      t.strictSame(wrong.slice(0, 3), [], `${wrong.length} of ${framesEach} frames, seed ${seed}`)
    })
    t.ok(copies > rounds * framesEach, `${copies} copies of ${rounds * framesEach} frames`)
  })

  t.test('both answer ARP and neighbour solicitations alike', async t => {
    const channel = await ovs.channel()
    const sw = twin()
    const { theirs, ours } = await tellBoth(ovs, channel, sw, [echo, ...answering])
    t.strictSame([theirs, ours], [[], []])
    const marker = (i: number) => Buffer.from([0xaa, 0, 0, 0, 0, 0, 0, i])
    const ask = { dst: broadcast, src: '02:00:00:00:00:01' }
    const request = { op: 1, sha: ask.src, spa: '10.0.0.1', tpa: '10.0.0.2' } as const
    const solicit = neighbour('solicit', 'fe80::2', [1, ask.src])
    const frames = [
      arp(ask, request, marker(1)),
      arp(ask, { ...request, tpa: '10.0.0.3' }, marker(2)),
      Buffer.concat([ipv6(ask, { src: 'fe80::1', dst: 'ff02::1:ff00:2' }, solicit), marker(3)]),
    ]
    const arrivals = frames.flatMap(frame => [{ inPort: 1, tunnelId: 0n, frame }])
    const seen = await sendThrough(ovs, channel, arrivals)
    const ourSeen = arrivals.map(arrival => seenByUs(sendToUs(sw, arrival)))
    t.strictSame(ourSeen, seen)
    t.same(
      seen.map(({ frames }) => frames.length),
      [1, 0, 1],
    )
    await clearBoth(ovs, channel, sw)
    channel.close()
  })

  t.test('a difference of one bucket is seen', async t => {
    await eachSeed(async ({ r, sw, channel, seed }) => {
      const flood = [1, 2, 3].map(port => bucket({ actions: [{ type: 'output', port, maxLen: 0 }] }))
      const all = { type: 'group', groupId: 9 } as const
      const entry = {
        ...echo,
        priority: 1,
        match: {},
        instructions: [{ type: 'apply_actions', actions: [all] }],
      } as const
      await tellBoth(ovs, channel, sw, [echo, groupMod({ groupId: 9, buckets: flood }), entry])
      apply(sw, groupMod({ groupId: 9, command: 'modify', buckets: flood.slice(0, 2) }))
      const arrival = { ...randomArrival(r, seed, 0, true), inPort: 4, tunnelId: 0n }
      const [theirs] = await sendThrough(ovs, channel, [arrival])
      t.equal(theirs!.frames.length, 3)
      t.equal(seenByUs(sendToUs(sw, arrival)).frames.length, 2)
    })
  })
}

/** Hundreds of lines each: of a difference, only what differs. */
function same(t: Test, ours: readonly string[], theirs: readonly string[], what: string): void {
  const only = (a: readonly string[], b: readonly string[]) => a.filter(line => !b.includes(line)).slice(0, 5)
  t.ok(text(ours) === text(theirs), what, { onlyOurs: only(ours, theirs), onlyTheirs: only(theirs, ours) })
}

const words = ({ inPort, tunnelId, frame }: Arrival): string =>
  `port ${inPort}, tunnel ${tunnelId}, ${frame.toString('hex')}`

function randomArrival(r: Random, seed: number, i: number, whole = false): Arrival {
  const marker = Buffer.alloc(8)
  marker.writeUInt32BE(seed >>> 0)
  marker.writeUInt32BE(0xabcd_0000 + i, 4)
  const frame = randomFrame(r, marker, whole)
  if (r.chance(0.5)) return { inPort: r.one(accessPorts), tunnelId: 0n, frame }
  return { inPort: r.one(tunnelPorts), tunnelId: r.one([0n, 7n, 9n, 0xfffffen]), frame }
}

function trace(ovs: DummyOvs, { inPort, tunnelId, frame }: Arrival): Promise<string> {
  const tunnel = inPort < 100 ? '' : `,tun_id=${tunnelId},tun_src=${underlay(inPort - 100)},tun_dst=${underlay(1)}`
  return ovs.ask('ofproto/trace', 'br0', `in_port=${inPort}${tunnel}`, frame.toString('hex'))
}

/** `dpif/show` has lines such as "a1 1/3: (dummy)": OpenFlow port 1 is datapath port 3. */
async function placesOf(ovs: DummyOvs): Promise<Places> {
  const lines = [...(await ovs.ask('dpif/show')).matchAll(/^ +(a\d+|br0) (\d+)\/(\d+):/gm)]
  return {
    ports: new Map(
      lines.map(([, name, ofport, dpport]) => [Number(dpport), name === 'br0' ? ports.local : Number(ofport)]),
    ),
    tunnels: new Map(tunnelPorts.map(port => [underlay(port - 100), port])),
  }
}

/** Steps of two bundles, in every order, with wrong flags, wrong xids and messages that no bundle takes. */
function bundleStep(r: Random): Message {
  const bundleId = r.one([1, 1, 1, 2])
  const flags = r.one([3, 3, 3, 3, 3, 3, 3, 1])
  if (r.chance(0.4)) {
    const types = [
      'open_request',
      'open_request',
      'close_request',
      'commit_request',
      'commit_request',
      'discard_request',
      'open_reply',
    ] as const
    return { type: 'bundle_control', xid: 0, bundleId, flags, ctrlType: r.one(types) }
  }
  const message = r.chance(0.95) ? randomChange(r) : r.one<Message>([openMeter, { type: 'barrier_request', xid: 0 }])
  return { type: 'bundle_add', xid: 0, bundleId, flags, message: r.chance(0.05) ? { ...message, xid: 777 } : message }
}

function randomMeter(r: Random): Message {
  const drop = (rate: number, burstSize: number) => ({ type: 'drop', rate, burstSize }) as const
  const remark = { type: 'dscp_remark', rate: 10, burstSize: 0, precLevel: 1 } as const
  return meterMod({
    command: r.one(['add', 'add', 'modify', 'delete']),
    meterId: r.one([0, 1, 2, 3, 0x50000, 0xffff_0001, 0xffff_fffe, 0xffff_ffff]),
    flags: r.one([0, 1, 2, 3, 5, 6, 9, 16]),
    bands: r.one([[drop(100, 0)], [drop(100, 10)], [drop(0, 0)], [], [remark], [drop(1, 0), drop(2, 0)]]),
  })
}
