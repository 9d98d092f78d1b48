// Switches and links on a clock of their own, as discovery sees them: what leaves by a port arrives at the link's other end a
// millisecond later, unless a test loses it. So hours of probing and thousands of links take seconds, and no run differs from another.
import { setImmediate } from 'node:timers/promises'
import { cookie } from '../../controller/compile/cookie.ts'
import { bounceVni, probeVni } from '../../controller/compile/pipeline.ts'
import { type Discovery, discovery, type Surroundings, tickMs } from '../../controller/links/discovery.ts'
import { type Message, noBuffer, type PortDesc } from '../../openflow/index.ts'
import type { Session } from '../../openflow/session/session.ts'
import { openMemory } from '../../store/memory.ts'
import type { Store } from '../../store/store.ts'
import { type Endpoint, endpointKey, type Link, linkKey } from '../../topology/topology.ts'
import { dpidOf } from './peers.ts'

export type Probed = {
  readonly discovery: Discovery
  readonly store: Store
  /** Milliseconds since the start. */
  now(): number
  /** Lets so much time pass. */
  pass(ms: number): Promise<void>
  /** Both directions of the link between two switches. */
  link(a: number, b: number): readonly [Link, Link]
  /** Loses what is sent from one switch to the other, while this answers true for the time at which it leaves. */
  lose(from: number, to: number, isLost: (ms: number) => boolean): void
  /** The carrier of the port towards another switch goes or comes, and its switch says so. */
  carrier(from: number, to: number, there: boolean): void
  /** The switch says nothing any more, and hears nothing, though its connection stands. Frames flow. */
  mute(n: number, mute: boolean): void
  /** Its connection ends, or begins again. */
  connect(n: number, connected: boolean): void
  /** Throws away so many packet-ins of this switch. */
  drop(n: number, packetIns: number): void
  /** Somebody on the way keeps what passes from now on, and sends it again and again. */
  replay(from: number, to: number): void
  /** The link carries no larger frames than this. */
  narrow(from: number, to: number, mtu: number): void
  /** Probes that left since it was last asked, by linkKey. */
  probes(): ReadonlyMap<string, number>
  /** Commits that changed links since it was last asked. */
  commits(): number
  dead(): readonly string[]
}

export type ProbedOptions = {
  readonly switches: number
  /** Pairs that are linked; default all. */
  readonly links?: readonly (readonly [number, number])[]
  readonly carries?: Surroundings['carries']
  readonly bfd?: Surroundings['bfd']
  /** False: switches send no bounces back, whatever entries they have. */
  readonly bounces?: boolean
  /** Of an earlier controller. */
  readonly store?: Store
}

type Fake = {
  readonly session: Session
  readonly ports: Map<number, PortDesc>
  connected: boolean
  mute: boolean
  dropped: number
  /** What was asked while it was mute. */
  readonly unanswered: (() => void)[]
}

export function probed({
  switches,
  links,
  carries = () => false,
  bfd,
  bounces = true,
  store = openMemory(),
}: ProbedOptions): Probed {
  const pairs = links ?? allPairs(switches)
  const portTo = (n: number) => 100 + n
  const ends = new Map<string, Endpoint>()
  for (const [a, b] of pairs.flatMap(([a, b]) => [[a, b] as const, [b, a] as const]))
    ends.set(`${dpidOf(a)}/${portTo(b)}`, { dpid: dpidOf(b), port: portTo(a) })
  const losses = new Map<string, (ms: number) => boolean>()
  const widths = new Map<string, number>()
  const taped = new Map<string, { readonly to: Endpoint; readonly payload: Buffer }[]>()
  let sent = new Map<string, number>()
  let commits = 0
  let time = 0
  const arriving: { readonly at: number; readonly to: Endpoint; readonly payload: Buffer }[] = []

  const take = (dpid: string, message: Omit<Extract<Message, { type: 'packet_out' }>, 'xid'>) => {
    const out = message.actions.find(action => action.type === 'output')
    const from = { dpid, port: out?.type === 'output' ? out.port : 0 }
    const to = ends.get(endpointKey(from))
    if (!to) return
    const key = linkKey({ from, to })
    if (message.actions.some(action => action.type === 'set_field' && BigInt(action.value as bigint) === bounceVni)) {
      const isLost = losses.get(key)?.(time) || losses.get(linkKey({ from: to, to: from }))?.(time)
      if (!isLost && bounces) arriving.push({ at: time + 2, to: from, payload: message.payload })
      return
    }
    sent.set(key, (sent.get(key) ?? 0) + 1)
    const fits = message.payload.length - 14 <= (widths.get(key) ?? 1500)
    if (!fits || losses.get(key)?.(time)) return
    arriving.push({ at: time + 1, to, payload: message.payload })
    taped.get(key)?.push({ to, payload: message.payload })
  }
  const fakes = new Map(
    Array.from({ length: switches }, (_, i) => {
      const dpid = dpidOf(i + 1)
      const fake: Fake = Object.assign(
        newFake(dpid, message => take(dpid, message)),
        { connected: true },
      )
      return [dpid, fake] as const
    }),
  )
  for (const [a, b] of pairs) {
    fakes.get(dpidOf(a))!.ports.set(portTo(b), desc(portTo(b), true))
    fakes.get(dpidOf(b))!.ports.set(portTo(a), desc(portTo(a), true))
  }
  const session = (dpid: string) => {
    const fake = fakes.get(dpid)
    return fake?.connected ? fake.session : undefined
  }
  const discover = discovery({
    store,
    secret: Buffer.alloc(32, 7),
    now: () => time,
    session,
    ready: dpid => session(dpid) !== undefined,
    carries,
    ...(bfd && { bfd }),
    failed(error) {
      throw error
    },
    every: () => () => {},
  })
  store.watch(changed => {
    if (changed.links) commits += 1
    if (changed.links || changed.nodes) discover.declared()
  })
  const deliver = () => {
    for (const frames of taped.values()) for (const frame of frames) arriving.unshift({ at: time, ...frame })
    while (arriving.length > 0 && arriving[0]!.at <= time) {
      const { to, payload } = arriving.shift()!
      const fake = fakes.get(to.dpid)!
      if (fake.connected && !fake.mute) discover.heard(fake.session, packetIn(to.port, payload))
    }
  }
  const fakeOf = (n: number) => fakes.get(dpidOf(n))!
  const keyOf = (a: number, b: number) => linkKey(linkOf(a, b))
  const linkOf = (a: number, b: number): Link => {
    const from = { dpid: dpidOf(a), port: portTo(b) }
    return { from, to: ends.get(endpointKey(from))! }
  }
  for (const { session } of fakes.values()) discover.ports(session)
  return {
    discovery: discover,
    store,
    now: () => time,
    async pass(ms) {
      for (const end = time + ms; time < end; ) {
        time += tickMs
        deliver()
        discover.tick()
        await setImmediate()
      }
    },
    link: (a, b) => [linkOf(a, b), linkOf(b, a)],
    lose: (from, to, isLost) => void losses.set(keyOf(from, to), isLost),
    carrier(from, to, there) {
      const fake = fakeOf(from)
      fake.ports.set(portTo(to), desc(portTo(to), there))
      discover.ports(fake.session)
    },
    mute(n, mute) {
      const fake = fakeOf(n)
      fake.mute = mute
      if (!mute) for (const answer of fake.unanswered.splice(0)) answer()
    },
    connect(n, connected) {
      fakeOf(n).connected = connected
      if (connected) discover.ports(fakeOf(n).session)
    },
    drop: (n, packetIns) => void (fakeOf(n).dropped += packetIns),
    replay: (from, to) => void taped.set(keyOf(from, to), []),
    narrow: (from, to, mtu) => void widths.set(keyOf(from, to), mtu),
    probes() {
      const before = sent
      sent = new Map()
      return before
    },
    commits() {
      const before = commits
      commits = 0
      return before
    },
    dead: () => [...store.state().deadLinks.keys()].sort(),
  }
}

/** As much of a session as discovery looks at. */
function newFake(
  dpid: string,
  take: (message: Omit<Extract<Message, { type: 'packet_out' }>, 'xid'>) => void,
): Omit<Fake, 'connected'> {
  const ports = new Map<number, PortDesc>()
  const fake = { ports, mute: false, dropped: 0, unanswered: [] as (() => void)[] }
  const session = {
    dpid,
    ports: () => ports,
    send(message: Message) {
      if (!fake.mute && message.type === 'packet_out') take(message)
      return 1
    },
    request: () =>
      new Promise<void>(resolve => {
        if (fake.mute) fake.unanswered.push(resolve)
        else resolve()
      }),
    counts: () => ({ packetInsDropped: fake.dropped, strayReplies: 0 }),
  }
  return Object.assign(fake, { session: session as unknown as Session })
}

const desc = (portNo: number, carrier: boolean): PortDesc =>
  ({ portNo, name: `p${portNo}`, hwAddr: '02:00:00:00:00:01', config: 0, state: carrier ? 4 : 1 }) as PortDesc

const packetIn = (port: number, payload: Buffer): Extract<Message, { type: 'packet_in' }> => ({
  type: 'packet_in',
  xid: 0,
  bufferId: noBuffer,
  totalLen: payload.length,
  reason: 'action',
  tableId: 0,
  cookie: cookie('base'),
  match: { in_port: port, tunnel_id: probeVni },
  payload,
})

const allPairs = (n: number): [number, number][] =>
  Array.from({ length: n }, (_, a) => Array.from({ length: a }, (_, b): [number, number] => [b + 1, a + 1])).flat()
