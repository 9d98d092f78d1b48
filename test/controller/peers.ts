// A controller and reference switches that are connected to it by TCP, joined to a full mesh: everything but the switches
// is what runs in production, and the switches do as a test wants them to.
import { connect, type Socket } from 'node:net'
import type { Test } from 'tap'
import { createController, type RunningController } from '../../controller/controller.ts'
import type { Prove } from '../../controller/switch/reconciler.ts'
import type { Recorded } from '../../controller/view/recorded.ts'
import { decode, encode, framing, type Message } from '../../openflow/index.ts'
import type { Limits } from '../../openflow/session/limits.ts'
import { attach, putNetwork } from '../../store/desired.ts'
import type { Draft } from '../../store/draft.ts'
import { openMemory } from '../../store/memory.ts'
import { isRefusal, type Refusal } from '../../store/refusals.ts'
import type { Store } from '../../store/store.ts'
import {
  advance,
  apply,
  type Delivery,
  endpoint,
  type Fabric,
  flush,
  type Kind,
  meshLinks,
  newFabric,
  newSwitch,
  portDesc,
  putPort,
  type Switch,
  send,
} from '../reference/index.ts'
import { type TestClock, testClock } from './clock.ts'
import { type Counts, counting, type Line } from './watching.ts'

/** What a switch does with a message: as it should (undefined), or what it answers instead. */
export type Whim = (message: Message) => readonly Message[] | undefined

export type Peer = {
  readonly sw: Switch
  readonly dpid: string
  /** Every message that it was sent, in all its connections. */
  readonly received: readonly Message[]
  /** Replaced by a test to make the switch misbehave. */
  whim: Whim
  /** Connects to the controller, in place of an earlier connection. */
  connect(): Promise<void>
  /** Ends the connection. */
  drop(): void
  say(...messages: readonly Message[]): void
  /** A port comes, changes or goes; the controller is told. */
  port(number: number, exists: boolean): void
  /** Lets so many seconds pass for the switch. */
  wait(seconds: number): void
}

export type Peers = {
  readonly controller: RunningController
  /** All that the controller waits for, it waits for by this clock. */
  readonly clock: TestClock
  until: TestClock['until']
  readonly store: Store
  readonly counts: Counts
  readonly log: readonly Line[]
  /** What the history has. */
  readonly events: readonly Recorded[]
  readonly peers: readonly Peer[]
  /** Switch n, from 1. */
  peer(n: number): Peer
  /** What becomes of a frame that comes in by a port of switch n; the controller is told what switches tell it. */
  send(n: number, port: number, frame: Buffer): Delivery
  /** Joins two ports by a cable: what leaves by the one comes in by the other. Answers what takes it away. */
  cable(one: readonly [n: number, port: number], other: readonly [n: number, port: number]): () => void
  ask<T>(decide: (draft: Draft) => T | Refusal): Promise<T>
  /** Attaches ports, as [switch, port, mac], to a network that is made if need be. Resolves with its revision. */
  join(network: string, ...members: readonly Member[]): Promise<number>
  /** Connects all switches; resolves when they are live and all links are known. */
  live(): Promise<void>
  /** Ends the controller and starts another, with this store or the same; then connects these switches, or all. */
  restart(store?: Store, connected?: readonly Peer[]): Promise<void>
}
export type Member = readonly [n: number, port: number, mac?: string]

export type PeersOptions = {
  readonly switches?: number
  /** Ports of each switch: 1 to this, default 4. Switch i reaches switch j by port 100 + j. */
  readonly ports?: number
  readonly kind?: Partial<Kind>
  readonly store?: Store
  readonly takeover?: boolean
  readonly limits?: Partial<Limits>
  readonly prove?: Prove
  /** The controller's own, or one with a defect. */
  readonly create?: typeof createController
}

export const dpidOf = (n: number): string => n.toString(16).padStart(16, '0')
export const macOf = (n: number, port: number): string => `02:00:00:00:0${n}:0${port}`

export async function makePeers(t: Test, options: PeersOptions = {}): Promise<Peers> {
  const { switches = 1, ports = 4, kind = {}, takeover = false, limits = {}, prove = 'off' } = options
  const { create = createController } = options
  const numbers = Array.from({ length: switches }, (_, i) => i + 1)
  const all = numbers.map(n =>
    newSwitch({
      dpid: BigInt(n),
      ports: Array.from({ length: ports }, (_, i) => i + 1),
      tunnels: numbers.filter(other => other !== n).map(other => 100 + other),
      kind,
    }),
  )
  const fabric = newFabric(all, meshLinks(all))
  let store = options.store ?? openMemory()
  let watched = counting()
  let controller: RunningController
  const clock = testClock()
  const start = async () => {
    watched = counting()
    const listeners = [{ host: '127.0.0.1', port: 0 }]
    const started = await create({
      store,
      listeners,
      metrics: watched.record,
      log: watched.log,
      emit: watched.emit,
      takeover,
      clock,
      limits,
      prove,
    })
    controller = { ...started, settled: (...about) => clock.during(started.settled(...about)) }
  }
  await start()
  const deliver = ({ packetIns }: Delivery) => {
    for (const { dpid, message } of packetIns) peers.find(peer => peer.dpid === dpid)?.say(message)
  }
  const peers = all.map(sw =>
    makePeer(
      sw,
      () => controller.addresses[0]!,
      () => deliver(flush(fabric)),
    ),
  )
  t.teardown(async () => {
    for (const peer of peers) peer.drop()
    await controller.close()
  })
  const ask: Peers['ask'] = async decide => {
    const answer = await store.write(decide)
    if (isRefusal(answer)) throw new Error(answer.detail)
    return answer
  }
  const isLive = () => {
    const seen = controller.switches()
    const links = store.state().discoveredLinks.size
    return seen.length === switches && seen.every(sw => sw.state === 'live') && links >= switches * (switches - 1)
  }
  const live = async () => {
    await Promise.all(peers.map(peer => peer.connect()))
    const lately = () =>
      JSON.stringify([controller.switches().map(sw => [sw.state, sw.reason]), watched.lines.slice(-5)])
    await clock.until('every switch is live and every link is known', isLive, { why: lately })
  }
  return {
    get controller() {
      return controller
    },
    clock,
    until: clock.until,
    get store() {
      return store
    },
    get counts() {
      return watched.counts
    },
    get events() {
      return watched.events
    },
    get log() {
      return watched.lines
    },
    peers,
    peer: n => peers[n - 1]!,
    send: (n, port, frame) => sent(fabric, n, port, frame, deliver),
    ask,
    cable(...ends) {
      const [a, b] = ends.map(([n, port]) => endpoint(BigInt(n), port)) as [string, string]
      const links = fabric.links as Map<string, string>
      links.set(a, b).set(b, a)
      return () => {
        links.delete(a)
        links.delete(b)
      }
    },
    join: (network, ...members) => ask(draft => joined(draft, network, members)),
    live,
    async restart(other, connected = peers) {
      await controller.close()
      store = other ?? store
      await start()
      await Promise.all(connected.map(peer => peer.connect()))
    },
  }
}

function sent(fabric: Fabric, n: number, port: number, frame: Buffer, deliver: (d: Delivery) => void): Delivery {
  const delivery = send(fabric, endpoint(BigInt(n), port), frame)
  deliver(delivery)
  return delivery
}

function joined(draft: Draft, network: string, members: readonly Member[]): number | Refusal {
  const put = putNetwork(draft, network)
  if (isRefusal(put)) return put
  for (const [n, port, mac] of members) {
    const attached = attach(draft, { network, dpid: dpidOf(n), port, mac })
    if (isRefusal(attached)) return attached
  }
  return draft.networks.get(network)!.revision
}

function makePeer(sw: Switch, where: () => { host: string; port: number }, moved: () => void): Peer {
  const received: Message[] = []
  let socket: Socket | undefined
  const say = (...messages: readonly Message[]) => {
    // Before its HELLO a switch says nothing.
    if (socket?.writable && !socket.connecting) for (const message of messages) socket.write(encode(message))
  }
  const take = (bytes: Buffer) => {
    const message = decode(bytes)
    received.push(message)
    say(...(peer.whim(message) ?? usual(sw, message)))
    if (message.type === 'packet_out') moved()
  }
  const drop = () => {
    socket?.removeAllListeners('data')
    socket?.destroy()
    socket = undefined
  }
  const peer: Peer = {
    sw,
    dpid: sw.dpid.toString(16).padStart(16, '0'),
    received,
    whim: () => undefined,
    async connect() {
      drop()
      const { host, port } = where()
      const mine = connect({ host, port, noDelay: true })
      socket = mine
      mine.on('error', () => {}) // It is over, whatever the reason.
      await new Promise(resolve => mine.once('connect', resolve))
      const frames = framing()
      mine.on('data', chunk => frames.push(chunk, take))
      say({ type: 'hello', xid: 0, elements: [{ type: 'versionbitmap', versions: [4] }] })
    },
    drop,
    say,
    port(number, exists) {
      say(...putPort(sw, number, exists ? { desc: portDesc(number) } : undefined))
    },
    wait(seconds) {
      say(...advance(sw, seconds))
    },
  }
  return peer
}

/** Only a switch with Nicira's messages knows the question by which it is told from others. */
const usual = (sw: Switch, message: Message): readonly Message[] =>
  message.type === 'tlv_table_request' && sw.kind.nicira
    ? [{ type: 'tlv_table_reply', xid: message.xid, maxOptionSpace: 0, maxFields: 0, mappings: [] }]
    : apply(sw, message)
