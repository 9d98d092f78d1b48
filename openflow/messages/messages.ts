// Every message of OpenFlow 1.3.5. To add one: a line in `bodies`.

import { mac } from '../wire/address.ts'
import { headerLength, wireVersion } from '../wire/constants.ts'
import { length, lengthOf, type StructCodec, struct, typed } from '../wire/struct.ts'
import { tlv } from '../wire/tlv.ts'
import {
  array,
  bounded,
  type Codec,
  type Cursor,
  check16,
  check32,
  finished,
  list,
  located,
  oneOf,
  pad,
  refuse,
  rest,
  take,
  u8,
  u16,
  u32,
  u64,
  type ValueOf,
  wrong,
} from '../wire/wire.ts'
import { Action } from './action.ts'
import { experimenterCodec, experimenterMessages, type UnknownExperimenter, type ValueOfKnown } from './experimenter.ts'
import { HelloElement } from './hello.ts'
import { Instruction } from './instruction.ts'
import { match } from './match.ts'
import { MultipartReply, MultipartRequest } from './multipart.ts'
import { Bucket, groupType, MeterBand, PortDesc } from './structures.ts'

const empty = struct({})
const switchConfig = struct({ flags: u16, missSendLen: u16 })
const role = struct({ role: oneOf(u32, { nochange: 0, equal: 1, master: 2, slave: 3 }), _: pad(4), generationId: u64 })
const asyncConfig = struct({
  packetInMask: array(u32, 2),
  portStatusMask: array(u32, 2),
  flowRemovedMask: array(u32, 2),
})

const featuresReply = struct({
  datapathId: u64,
  nBuffers: u32,
  nTables: u8,
  auxiliaryId: u8,
  _1: pad(2),
  capabilities: u32,
  _reserved: pad(4),
})

const packetIn = struct({
  bufferId: u32,
  totalLen: u16,
  reason: oneOf(u8, { no_match: 0, action: 1, invalid_ttl: 2 }),
  tableId: u8,
  cookie: u64,
  match,
  _: pad(2),
  payload: rest,
})

const flowRemoved = struct({
  cookie: u64,
  priority: u16,
  reason: oneOf(u8, { idle_timeout: 0, hard_timeout: 1, delete: 2, group_delete: 3, meter_delete: 4, eviction: 5 }),
  tableId: u8,
  durationSec: u32,
  durationNsec: u32,
  idleTimeout: u16,
  hardTimeout: u16,
  packetCount: u64,
  byteCount: u64,
  match,
})

const packetOut = struct({
  bufferId: u32,
  inPort: u32,
  _actionsLength: lengthOf('actions'),
  _: pad(6),
  actions: list(Action),
  payload: rest,
})

const flowMod = struct({
  cookie: u64,
  cookieMask: u64,
  tableId: u8,
  command: oneOf(u8, { add: 0, modify: 1, modify_strict: 2, delete: 3, delete_strict: 4 }),
  idleTimeout: u16,
  hardTimeout: u16,
  priority: u16,
  bufferId: u32,
  outPort: u32,
  outGroup: u32,
  flags: u16,
  _: pad(2),
  match,
  instructions: list(Instruction),
})

const groupMod = struct({
  command: oneOf(u16, { add: 0, modify: 1, delete: 2 }),
  groupType,
  _: pad(1),
  groupId: u32,
  buckets: list(Bucket),
})

const meterMod = struct({
  command: oneOf(u16, { add: 0, modify: 1, delete: 2 }),
  flags: u16,
  meterId: u32,
  bands: list(MeterBand),
})

const portMod = struct({
  portNo: u32,
  _1: pad(4),
  hwAddr: mac,
  _2: pad(2),
  config: u32,
  mask: u32,
  advertise: u32,
  _3: pad(4),
})

/** §7.2.2. `rate` is in tenths of a percent; above 1000 it is off. */
const QueueProperty = tlv(
  'a queue property',
  {},
  {
    min_rate: [1, struct({ _1: pad(4), rate: u16, _2: pad(6) })],
    max_rate: [2, struct({ _1: pad(4), rate: u16, _2: pad(6) })],
    experimenter: [0xffff, struct({ _1: pad(4), experimenter: u32, _2: pad(4), payload: rest })],
  },
)
const PacketQueue = struct({ queueId: u32, portNo: u32, _length: length, _: pad(6), properties: list(QueueProperty) })

/** §7.4.4. Of an experimenter (type 0xffff) the code is its own, and its number stands before the payload. */
export type ErrorMessage = {
  readonly type: 'error'
  readonly xid: number
  readonly errorType: number
  readonly errorCode: number
  readonly experimenter?: number
  readonly payload: Buffer
}
const errorBody: Body<ErrorMessage> = {
  read(c, xid) {
    const errorType = u16.read(c)
    const errorCode = u16.read(c)
    const experimenter = errorType === 0xffff ? { experimenter: u32.read(c) } : {}
    return { type: 'error', xid, errorType, errorCode, ...experimenter, payload: rest.read(c) }
  },
  write(c, value) {
    u16.write(c, value.errorType)
    u16.write(c, value.errorCode)
    if (value.errorType === 0xffff) u32.write(c, value.experimenter!)
    rest.write(c, value.payload)
  },
}

type Body<T> = { read(c: Cursor, xid: number): T; write(c: Cursor, value: T): void }
type Bodies = Record<string, readonly [code: number, body: StructCodec<any>]>
type ValueOfBodies<B extends Bodies> = {
  readonly [K in keyof B]: { readonly type: K; readonly xid: number } & ValueOf<B[K][1]>
}[keyof B]

const bodies = {
  hello: [0, struct({ elements: list(HelloElement) })],
  echo_request: [2, struct({ payload: rest })],
  echo_reply: [3, struct({ payload: rest })],
  features_request: [5, empty],
  features_reply: [6, featuresReply],
  get_config_request: [7, empty],
  get_config_reply: [8, switchConfig],
  set_config: [9, switchConfig],
  packet_in: [10, packetIn],
  flow_removed: [11, flowRemoved],
  port_status: [12, struct({ reason: oneOf(u8, { add: 0, delete: 1, modify: 2 }), _: pad(7), port: PortDesc })],
  packet_out: [13, packetOut],
  flow_mod: [14, flowMod],
  group_mod: [15, groupMod],
  port_mod: [16, portMod],
  table_mod: [17, struct({ tableId: u8, _: pad(3), config: u32 })],
  barrier_request: [20, empty],
  barrier_reply: [21, empty],
  queue_get_config_request: [22, struct({ portNo: u32, _: pad(4) })],
  queue_get_config_reply: [23, struct({ portNo: u32, _: pad(4), queues: list(PacketQueue) })],
  role_request: [24, role],
  role_reply: [25, role],
  get_async_request: [26, empty],
  get_async_reply: [27, asyncConfig],
  set_async: [28, asyncConfig],
  meter_mod: [29, meterMod],
} as const satisfies Bodies

type Multipart<N extends string, C> = { readonly type: N; readonly xid: number } & ValueOf<C>
type Plain = ValueOfBodies<typeof bodies>
/** A hello or an error may carry another version than 4; `version` is there only then. */
type AnyVersion = { readonly version?: number }
/** What decodeLenient could not read of a list, in words, an item each. Never written. */
type Unreadable = { readonly unreadable?: readonly string[] }
type OfExperimenters = ValueOfKnown<ReturnType<typeof experimenterMessages<unknown>>>
type Enclosing = 'bundle_add' | 'requestforward'
type WithMessage<N extends Enclosing> = Omit<Extract<OfExperimenters, { type: N }>, 'message'> & {
  readonly message: Message
}
export type Message =
  | Exclude<Plain, { type: 'hello' }>
  | (Extract<Plain, { type: 'hello' }> & AnyVersion)
  | (ErrorMessage & AnyVersion)
  | Multipart<'multipart_request', typeof MultipartRequest>
  | (Multipart<'multipart_reply', typeof MultipartReply> & Unreadable)
  | Exclude<OfExperimenters, { type: Enclosing }>
  | WithMessage<'bundle_add'>
  | WithMessage<'requestforward'>
  | UnknownExperimenter
export type MessageType = Message['type']
export type MessageOf<T extends MessageType> = Extract<Message, { type: T }>

type Entry = { readonly name: string; readonly code: number; readonly body: Body<any> }

const multipartBody = (name: string, codec: Codec<any>): Body<any> => ({
  read: (c, xid) => ({ type: name, xid, ...codec.read(c) }),
  write: codec.write,
})

/** A whole message, with its header (§7.1); its length ends it. */
export const message: Codec<Message> = { read: readMessage, write: writeMessage }

const experimenter = experimenterCodec(experimenterMessages(message))
const entries: readonly Entry[] = [
  ...Object.entries(bodies).map(([name, [code, body]]) => ({ name, code, body: typed(name, body, true) })),
  { name: 'error', code: 1, body: errorBody },
  ...experimenter.types.map(name => ({ name, code: 4, body: experimenter })),
  { name: 'multipart_request', code: 18, body: multipartBody('multipart_request', MultipartRequest) },
  { name: 'multipart_reply', code: 19, body: multipartBody('multipart_reply', MultipartReply) },
] as Entry[]
const byName = new Map(entries.map(entry => [entry.name, entry]))
const byCode: (Entry | undefined)[] = Array.from({ length: 256 }, (_, code) => entries.find(e => e.code === code))

/** Messages that may carry another version than ours: they come before both sides have agreed on one (§6.3.1). */
const anyVersion = (type: string): boolean => type === 'hello' || type === 'error'

function readMessage(c: Cursor): Message {
  const start = take(c, headerLength)
  const version = c.view.getUint8(start)
  const code = c.view.getUint8(start + 1)
  const entry = byCode[code] ?? refuse(c, start + 1, `message type ${code} is not in OpenFlow 1.3`)
  if (version !== wireVersion && !anyVersion(entry.name))
    refuse(c, start, `expected version 4 (OpenFlow 1.3) in ${entry.name}, got ${version}`)
  const outer = c.end
  c.end = bounded(c, start, c.view.getUint16(start + 2))
  try {
    const value = entry.body.read(c, c.view.getUint32(start + 4))
    finished(c)
    c.end = outer
    if (version !== wireVersion) value.version = version
    return value
  } catch (error) {
    throw located(error, entry.code === 4 ? '' : entry.name)
  }
}

function writeMessage(c: Cursor, value: Message): void {
  const entry = byName.get(value?.type) ?? wrong('a message of OpenFlow 1.3', value?.type)
  const start = take(c, headerLength)
  try {
    const version = anyVersion(entry.name) ? ((value as { version?: number }).version ?? wireVersion) : wireVersion
    u8.set(c, start, version)
    c.view.setUint8(start + 1, entry.code)
    c.view.setUint32(start + 4, check32(value.xid))
    entry.body.write(c, value)
    c.view.setUint16(start + 2, check16(c.at - start))
  } catch (error) {
    throw located(error, entry.name)
  }
}
