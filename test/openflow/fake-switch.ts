// A switch at the far end of a real TCP connection: as good, as plain or as broken as a test wants it to be.
import { connect } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import {
  decode,
  encode,
  type FlowMod,
  type FlowStats,
  flowModFlags,
  framing,
  type GroupDesc,
  type GroupMod,
  type Message,
  type MessageOf,
  type MessageType,
  type MeterConfig,
  type MeterMod,
  multipartMore,
  type PortDesc,
  tables,
} from '../../openflow/index.ts'

export type Change = FlowMod | GroupMod | MeterMod
type Refusal = { readonly errorType: number; readonly errorCode: number }

/** What is not given is a well-behaved switch with bundles, Nicira's extensions, meters and no ports. */
export type Behaviour = {
  /** It speaks TLS, with these; it takes any certificate that a server shows, unless told otherwise. */
  readonly tls?: ConnectionOptions
  readonly dpid?: bigint
  readonly auxiliaryId?: number
  readonly ports?: readonly PortDesc[]
  /** False: bundles, Nicira's messages and meters are refused, as a plain OpenFlow 1.3 switch does. */
  readonly extensions?: boolean
  /** Bytes that it says first, instead of its HELLO. */
  readonly hello?: Buffer
  /** Everything it says is cut into pieces of so many bytes, each sent for itself. */
  readonly piece?: number
  /** How long a barrier's answer takes, ms. */
  readonly barrierDelay?: number
  /** From the nth change on (0: all) it refuses every one. */
  readonly refuse?: Refusal & { readonly after: number }
  /** What it says to a message; undefined: what a good switch would. */
  answer?(message: Message, fake: FakeSwitch): readonly Message[] | undefined
}

export type FakeSwitch = {
  /** Everything that it was sent, in order. */
  readonly received: readonly Message[]
  /** The changes that it has made, those of committed bundles included. */
  readonly changes: readonly Change[]
  /** Its flow table. */
  flows(): FlowStats[]
  say(...messages: readonly Message[]): void
  raw(bytes: Buffer): void
  /** The first message of that type that it was or will be sent, beyond the first `skip`. */
  got<T extends MessageType>(type: T, skip?: number): Promise<MessageOf<T>>
  /** The certificate that the server has shown, as SHA-256; undefined without TLS. */
  readonly shown: string | undefined
  /** Stops reading from its socket, or goes on. */
  deafen(deaf: boolean): void
  /** Resolves when the connection has ended, whoever ended it, with the reason if that was an error. */
  readonly closed: Promise<Error | undefined>
  end(): void
  /** Ends the connection with a reset. */
  reset(): void
}

/** A port as a switch describes it. */
export const port = (portNo: number, given: Partial<PortDesc> = {}): PortDesc => ({
  portNo,
  hwAddr: `02:00:00:00:00:${(portNo & 0xff).toString(16).padStart(2, '0')}`,
  name: `port${portNo}`,
  config: 0,
  state: 4,
  curr: 0,
  advertised: 0,
  supported: 0,
  peer: 0,
  currSpeed: 0,
  maxSpeed: 0,
  ...given,
})

/** Connects a switch; resolves as soon as there is a connection. */
export async function fakeSwitch(
  { host, port }: { readonly host: string; readonly port: number },
  behaviour: Behaviour = {},
): Promise<FakeSwitch> {
  const secure = behaviour.tls && connectTls({ host, port, rejectUnauthorized: false, ...behaviour.tls })
  const socket = secure ?? connect({ host, port, noDelay: true })
  const connected = secure ? 'secureConnect' : 'connect'
  await new Promise<void>((resolve, reject) => socket.once(connected, resolve).once('error', reject))
  socket.removeAllListeners('error')
  const received: Message[] = []
  const waiting = new Set<() => void>()
  let failure: Error | undefined
  socket.on('error', error => {
    failure = error
  })
  const closed = new Promise<Error | undefined>(resolve => socket.once('close', () => resolve(failure)))
  const raw = (bytes: Buffer): void => {
    const piece = behaviour.piece ?? Math.max(bytes.length, 1)
    for (let at = 0; at < bytes.length; at += piece) socket.write(bytes.subarray(at, at + piece))
  }
  const say = (...messages: readonly Message[]): void => raw(Buffer.concat(messages.map(encode)))
  const state = newState()
  const fake: FakeSwitch = {
    received,
    changes: state.changes,
    flows: () => [...state.flows.values()],
    say,
    raw,
    got: (type, skip = 0) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = received.filter(message => message.type === type)[skip]
          if (found === undefined) return
          waiting.delete(look)
          resolve(found as never)
        }
        waiting.add(look)
        closed.then(() => reject(new Error(`the connection ended before ${type} number ${skip} came`)))
        look()
      }),
    shown: secure?.getPeerX509Certificate()?.fingerprint256,
    deafen: deaf => void (deaf ? socket.pause() : socket.resume()),
    closed,
    end: () => void socket.end(),
    // A reset after end() fails in libuv, and leaves the socket open.
    reset: () => void (socket.writableEnded || secure ? socket.destroy() : socket.resetAndDestroy()),
  }
  const frames = framing()
  const take = (bytes: Buffer): void => {
    const message = decode(bytes)
    received.push(message)
    for (const look of waiting) look()
    const answers = behaviour.answer?.(message, fake) ?? usual(message, state, behaviour)
    const delay = message.type === 'barrier_request' ? (behaviour.barrierDelay ?? 0) : 0
    if (delay > 0) setTimeout(() => socket.writable && say(...answers), delay)
    else if (answers.length > 0 && socket.writable) say(...answers)
  }
  socket.on('data', chunk => frames.push(chunk, take))
  raw(behaviour.hello ?? encode({ type: 'hello', xid: 0, elements: [{ type: 'versionbitmap', versions: [1, 4] }] }))
  return fake
}

type State = {
  readonly changes: Change[]
  readonly flows: Map<string, FlowStats>
  readonly groups: Map<number, GroupDesc>
  readonly meters: Map<number, MeterConfig>
  readonly bundles: Map<number, Change[]>
  seen: number
}
const newState = (): State => ({
  ...{ changes: [], flows: new Map(), groups: new Map(), meters: new Map(), bundles: new Map(), seen: 0 },
})

const error = (xid: number, errorType: number, errorCode: number): Message => ({
  type: 'error',
  xid,
  errorType,
  errorCode,
  payload: Buffer.alloc(0),
})

/** What a well-behaved switch answers. */
function usual(message: Message, state: State, behaviour: Behaviour): Message[] {
  const { xid } = message
  const plain = behaviour.extensions === false
  switch (message.type) {
    case 'echo_request':
      return [{ type: 'echo_reply', xid, payload: message.payload }]
    case 'features_request':
      return [featuresReply(xid, behaviour)]
    case 'barrier_request':
      return [{ type: 'barrier_reply', xid }]
    case 'role_request':
      return [{ ...message, type: 'role_reply' }]
    case 'multipart_request':
      return multipart(message, state, behaviour)
    case 'flow_mod':
    case 'group_mod':
    case 'meter_mod':
      return refused(xid, state, behaviour) ?? change(state, message)
    case 'experimenter':
      return [error(xid, 1, 3)]
    case 'tlv_table_request':
      return plain
        ? [error(xid, 1, 3)]
        : [{ type: 'tlv_table_reply', xid, maxOptionSpace: 0, maxFields: 0, mappings: [] }]
    case 'bundle_control':
      return plain ? [error(xid, 1, 3)] : bundleControl(message, state)
    case 'bundle_add':
      return plain ? [error(xid, 1, 3)] : (refused(xid, state, behaviour) ?? bundleAdd(message, state))
    default:
      return []
  }
}

function featuresReply(xid: number, { dpid = 1n, auxiliaryId = 0 }: Behaviour): Message {
  return { type: 'features_reply', xid, datapathId: dpid, nBuffers: 0, nTables: 4, auxiliaryId, capabilities: 0 }
}

function refused(xid: number, state: State, { refuse }: Behaviour): Message[] | undefined {
  return refuse !== undefined && state.seen++ >= refuse.after
    ? [error(xid, refuse.errorType, refuse.errorCode)]
    : undefined
}

function bundleControl(message: MessageOf<'bundle_control'>, state: State): Message[] {
  const { bundleId, ctrlType } = message
  if (ctrlType === 'open_request') state.bundles.set(bundleId, [])
  if (ctrlType === 'commit_request') for (const each of state.bundles.get(bundleId) ?? []) change(state, each)
  if (ctrlType === 'commit_request' || ctrlType === 'discard_request') state.bundles.delete(bundleId)
  return [{ ...message, ctrlType: ctrlType.replace('request', 'reply') as typeof ctrlType }]
}

function bundleAdd({ bundleId, message }: MessageOf<'bundle_add'>, state: State): Message[] {
  const changes = state.bundles.get(bundleId) ?? []
  changes.push(message as Change)
  state.bundles.set(bundleId, changes)
  return []
}

const spelled = (value: unknown): string =>
  JSON.stringify(value, (_key, part) => (typeof part === 'bigint' ? `${part}n` : part))

const keyOf = ({ tableId, priority, match }: Pick<FlowStats, 'tableId' | 'priority' | 'match'>): string =>
  spelled([tableId, priority, match])

/** Whether a delete with this mod takes that flow away; a match of a delete is compared field by field as a whole. */
function isCovered(flow: FlowStats, mod: FlowMod): boolean {
  if (mod.tableId !== tables.all && mod.tableId !== flow.tableId) return false
  if ((flow.cookie & mod.cookieMask) !== (mod.cookie & mod.cookieMask)) return false
  if (mod.command === 'delete_strict') return keyOf(flow) === keyOf(mod)
  const fields: Readonly<{ [field: string]: unknown }> = flow.match
  return Object.entries(mod.match).every(([field, value]) => spelled(value) === spelled(fields[field]))
}

function change(state: State, mod: Change): Message[] {
  state.changes.push(mod)
  if (mod.type === 'group_mod') {
    const { groupType, groupId, buckets } = mod
    if (mod.command === 'delete') state.groups.delete(groupId)
    else state.groups.set(groupId, { groupType, groupId, buckets })
    return []
  }
  if (mod.type === 'meter_mod') {
    const { flags, meterId, bands } = mod
    if (mod.command === 'delete') state.meters.delete(meterId)
    else state.meters.set(meterId, { flags, meterId, bands })
    return []
  }
  if (mod.command === 'delete' || mod.command === 'delete_strict') {
    for (const [key, flow] of state.flows) if (isCovered(flow, mod)) state.flows.delete(key)
  } else if (mod.command === 'add') {
    const { tableId, priority, idleTimeout, hardTimeout, cookie, match, instructions } = mod
    const flags = mod.flags & ~flowModFlags.resetCounts
    const counts = { durationSec: 0, durationNsec: 0, packetCount: 0n, byteCount: 0n }
    const flow = { tableId, priority, idleTimeout, hardTimeout, flags, cookie, match, instructions, ...counts }
    state.flows.set(keyOf(mod), flow)
  }
  return []
}

/** Flow entries in one part of a reply: well below 64 KiB. */
const perPart = 200

function multipart({ xid, body }: MessageOf<'multipart_request'>, state: State, behaviour: Behaviour): Message[] {
  const reply = (replyBody: MessageOf<'multipart_reply'>['body'], flags = 0): Message => ({
    type: 'multipart_reply',
    xid,
    flags,
    body: replyBody,
  })
  const meters = behaviour.extensions === false ? 0 : 1000
  switch (body.type) {
    case 'desc':
      return [
        reply({ type: 'desc', mfrDesc: 'test', hwDesc: 'fake', swDesc: '1', serialNum: 'none', dpDesc: 'fake switch' }),
      ]
    case 'port_desc':
      return [reply({ type: 'port_desc', ports: [...(behaviour.ports ?? [])] })]
    case 'meter_features':
      if (meters === 0) return [error(xid, 1, 2)]
      return [
        reply({ type: 'meter_features', maxMeter: meters, bandTypes: 2, capabilities: 15, maxBands: 1, maxColor: 0 }),
      ]
    case 'meter_config':
      return [reply({ type: 'meter_config', meters: [...state.meters.values()] })]
    case 'group_desc':
      return [reply({ type: 'group_desc', groups: [...state.groups.values()] })]
    case 'table': {
      const flows = [...state.flows.values()]
      const count = (tableId: number) => flows.filter(flow => flow.tableId === tableId).length
      const each = [0, 1, 2, 3].map(tableId => ({
        tableId,
        activeCount: count(tableId),
        lookupCount: 0n,
        matchedCount: 0n,
      }))
      return [reply({ type: 'table', tables: each })]
    }
    case 'flow': {
      const { tableId } = body
      const flows = [...state.flows.values()].filter(flow => tableId === tables.all || flow.tableId === tableId)
      const parts = Math.max(1, Math.ceil(flows.length / perPart))
      return Array.from({ length: parts }, (_, i) =>
        reply({ type: 'flow', flows: flows.slice(i * perPart, (i + 1) * perPart) }, i < parts - 1 ? multipartMore : 0),
      )
    }
    default:
      return [error(xid, 1, 2)]
  }
}
