// §7.5.4: messages of experimenters. To add one: a line in `experimenterMessages`.
import { experimenters } from '../wire/constants.ts'
import { lengthOf, struct, typed } from '../wire/struct.ts'
import { tlv } from '../wire/tlv.ts'
import {
  align8,
  array,
  type Codec,
  type Cursor,
  list,
  located,
  nested,
  oneOf,
  pad,
  readPadding,
  rest,
  take,
  u8,
  u16,
  u32,
  u64,
  type ValueOf,
  writePadding,
  wrong,
} from '../wire/wire.ts'
import { oxmFields } from './match.ts'
import { packetInReason } from './nicira-action.ts'
import { properties, spaced } from './properties.ts'

const property = tlv('a property', { padded: true, experimenterCode: 0xffff }, {})
const propertyList = list(property)
type MaybeProperties = { readonly properties?: readonly ValueOf<typeof property>[] }

/** `head`, and properties behind it where there are any: hardly ever, so a value without them has no such entry. */
const withProperties = <T extends object>(head: Codec<T>, aligned: boolean): Codec<T & MaybeProperties> => ({
  read(c) {
    const value = head.read(c)
    if (c.at === c.end) return value
    if (aligned) readPadding(c, c.base)
    return { ...value, properties: propertyList.read(c) }
  },
  write(c, value) {
    head.write(c, value)
    if (value.properties === undefined) return
    if (aligned) writePadding(c, c.base)
    propertyList.write(c, value.properties)
  },
})

/** ONF extension EXT-230: bundles, as OpenFlow 1.4 §7.3.9 has them. `flags`: bundleFlags. */
const bundleControl = withProperties(
  struct({
    bundleId: u32,
    ctrlType: oneOf(u16, {
      open_request: 0,
      open_reply: 1,
      close_request: 2,
      close_reply: 3,
      commit_request: 4,
      commit_reply: 5,
      discard_request: 6,
      discard_reply: 7,
    }),
    flags: u16,
  }),
  false,
)

/** `message` is a whole OpenFlow message of its own, with the xid of the message around it. */
const bundleAdd = <T>(message: Codec<T>) =>
  withProperties(struct({ bundleId: u32, _: pad(2), flags: u16, message: nested(message) }), true)

const roleStatus = struct({
  role: oneOf(u32, { nochange: 0, equal: 1, master: 2, slave: 3 }),
  reason: oneOf(u8, { master_request: 0, config: 1, experimenter: 2 }),
  _: pad(3),
  generationId: u64,
  properties: propertyList,
})

/** NXT_PACKET_IN2: `metadata` is what a standard packet_in has as its match; `fullLen` is there if the frame was cut. */
const packetIn2 = struct({
  properties: properties({
    packet: [0, rest],
    fullLen: [1, u32],
    bufferId: [2, u32],
    tableId: [3, u8],
    cookie: [4, spaced(pad(4), u64)],
    reason: [5, packetInReason],
    metadata: [6, oxmFields],
    userdata: [7, rest],
    continuation: [8, spaced(pad(4), rest)],
  }),
})
const nxPacketIn = struct({
  bufferId: u32,
  totalLen: u16,
  reason: packetInReason,
  tableId: u8,
  cookie: u64,
  _matchLength: lengthOf('match'),
  _1: pad(6),
  match: oxmFields,
  _2: align8,
  _3: pad(2),
  payload: rest,
})

const asyncMasks = properties({
  packetInSlave: [0, u32],
  packetInMaster: [1, u32],
  portStatusSlave: [2, u32],
  portStatusMaster: [3, u32],
  flowRemovedSlave: [4, u32],
  flowRemovedMaster: [5, u32],
  roleStatusSlave: [6, u32],
  roleStatusMaster: [7, u32],
  tableStatusSlave: [8, u32],
  tableStatusMaster: [9, u32],
  requestforwardSlave: [10, u32],
  requestforwardMaster: [11, u32],
})

/** Which tunnel option is which tun_metadata field. */
const mappings = list(struct({ optionClass: u16, optionType: u8, optionLen: u8, index: u16, _: pad(2) }))

const { onf, nicira } = experimenters

export const experimenterMessages = <T>(message: Codec<T>) =>
  ({
    flow_monitor_cancel: [onf, 1870, struct({ id: u32 })],
    flow_monitor_paused: [onf, 1871, struct({})],
    flow_monitor_resumed: [onf, 1872, struct({})],
    role_status: [onf, 1911, roleStatus],
    bundle_control: [onf, 2300, bundleControl],
    bundle_add: [onf, 2301, bundleAdd(message)],
    requestforward: [onf, 2350, struct({ message: nested(message) })],
    /** Which form packet-ins shall have on this connection. */
    set_packet_in_format: [
      nicira,
      16,
      struct({ format: oneOf(u32, { standard: 0, nxt_packet_in: 1, nxt_packet_in2: 2 }) }),
    ],
    nx_packet_in: [nicira, 17, nxPacketIn],
    nx_set_async: [
      nicira,
      19,
      struct({ packetInMask: array(u32, 2), portStatusMask: array(u32, 2), flowRemovedMask: array(u32, 2) }),
    ],
    set_controller_id: [nicira, 20, struct({ _: pad(6), controllerId: u16 })],
    tlv_table_mod: [nicira, 24, struct({ command: oneOf(u16, { add: 0, delete: 1, clear: 2 }), _: pad(6), mappings })],
    tlv_table_request: [nicira, 25, struct({})],
    tlv_table_reply: [nicira, 26, struct({ maxOptionSpace: u32, maxFields: u16, _: pad(10), mappings })],
    set_async2: [nicira, 27, struct({ properties: asyncMasks })],
    resume: [nicira, 28, packetIn2],
    ct_flush_zone: [nicira, 29, struct({ _: pad(6), zone: u16 })],
    packet_in2: [nicira, 30, packetIn2],
  }) as const

export type Known = Record<string, readonly [experimenter: number, expType: number, body: Codec<any>]>
export type ValueOfKnown<K extends Known> = {
  readonly [N in keyof K]: { readonly type: N; readonly xid: number } & ValueOf<K[N][2]>
}[keyof K]
/** A message that we have no words for; `payload` is all behind the two numbers. */
export type UnknownExperimenter = {
  readonly type: 'experimenter'
  readonly xid: number
  readonly experimenter: number
  readonly expType: number
  readonly payload: Buffer
}

type Body = { read(c: Cursor, xid: number): any; write(c: Cursor, value: any): void }

/** Reads and writes what is behind the header of an experimenter message; names all types that it writes. */
export function experimenterCodec(known: Known): Body & { readonly types: readonly string[] } {
  const entries = Object.entries(known).map(([name, [experimenter, expType, body]]) => ({
    name,
    experimenter,
    expType,
    body: typed(name, body, true),
  }))
  const byName = new Map(entries.map(entry => [entry.name, entry]))
  return {
    types: ['experimenter', ...byName.keys()],
    read(c, xid) {
      const at = take(c, 8)
      const experimenter = c.view.getUint32(at)
      const expType = c.view.getUint32(at + 4)
      const entry = entries.find(e => e.expType === expType && e.experimenter === experimenter)
      if (entry === undefined) return { type: 'experimenter', xid, experimenter, expType, payload: rest.read(c) }
      try {
        return entry.body.read(c, xid)
      } catch (error) {
        throw located(error, entry.name)
      }
    },
    write(c, value) {
      const entry = byName.get(value.type)
      u32.write(c, entry?.experimenter ?? value.experimenter)
      u32.write(c, entry?.expType ?? value.expType)
      if (entry) {
        entry.body.write(c, value)
        return
      }
      if (entries.some(e => e.expType === value.expType && e.experimenter === value.experimenter))
        wrong('the message by its name, not as bytes', value.expType)
      rest.write(c, value.payload)
    },
  }
}
