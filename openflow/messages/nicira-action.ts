// Actions of Open vSwitch (experimenter 0x2320) and the ONF (0x4f4e4600), as Open vSwitch's ofp-actions.c has them.
// To add one: a line in `extensionActions`. A body starts behind the subtype, 10 bytes into the action.
import { experimenters } from '../wire/constants.ts'
import { lengthOf, struct } from '../wire/struct.ts'
import {
  align8,
  type Codec,
  type Fixed,
  fixed,
  list,
  oneOf,
  pad,
  rest,
  u8,
  u16,
  u32,
  u64,
  wrong,
} from '../wire/wire.ts'
import { type FieldRef, fieldRef, fieldRef4, type Range, range } from './field-ref.ts'
import { learn, learn2 } from './learn.ts'
import { setFieldBody } from './match.ts'
import { nat } from './nat.ts'
import { filled, present, properties, spaced } from './properties.ts'

/** Why a copy of a frame went to the controller; the last three are of OpenFlow 1.4. */
export const packetInReason = oneOf(u8, {
  no_match: 0,
  action: 1,
  invalid_ttl: 2,
  action_set: 3,
  group: 4,
  packet_out: 5,
})

const noBody = struct({ _: pad(6) })
const resubmit = struct({ inPort: u16, tableId: u8, _: pad(3) })
const stack = struct({ offset: u16, field: fieldRef, nBits: u16, _: align8 })
const sample2 = struct({
  probability: u16,
  collectorSetId: u32,
  obsDomainId: u32,
  obsPointId: u32,
  samplingPort: u16,
  direction: u8,
  _: pad(5),
})

/** Puts a frame out by a hash of its fields. */
const bundleHead = { algorithm: u16, fields: u16, basis: u16, memberType: fieldRef4 } as const

/** Behind the field come zeros up to 24 bytes of the action. */
const deleteField: Codec<{ readonly field: FieldRef }> = {
  read(c) {
    const start = c.at
    const value = { field: fieldRef.read(c) }
    pad(start + 14 - c.at).read(c)
    return value
  },
  write(c, { field }) {
    const start = c.at
    fieldRef.write(c, field)
    pad(start + 14 - c.at).write(c, undefined)
  },
}

/** The connection tracking zone: a number, or bits of a field. */
type Zone = number | ({ readonly field: FieldRef } & Range)
const zone: Fixed<Zone> = fixed(
  6,
  (c, at) => {
    if (c.view.getUint32(at) === 0) return c.view.getUint16(at + 4)
    return { field: fieldRef4.get(c, at), ...range.get(c, at + 4) }
  },
  (c, at, value) => {
    if (typeof value === 'number') {
      u32.set(c, at, 0)
      u16.set(c, at + 4, value)
    } else {
      fieldRef4.set(c, at, value.field)
      range.set(c, at + 4, value)
      // NXM_OF_IN_PORT without a length would read back as a plain number.
      if (c.view.getUint32(at) === 0) wrong('a field whose header is not zero', value.field)
    }
  },
)

const load2Field = setFieldBody('load2')
/** `spaced` keeps the type that the field has put into the value. */
const load2Body = { ...spaced(pad(6), load2Field), ownType: true }

const { nicira, onf } = experimenters

/** `actions`: those inside ct and clone. */
export const extensionActions = (actions: Codec<readonly unknown[]>) =>
  ({
    resubmit: [nicira, 1, resubmit],
    set_tunnel: [nicira, 2, struct({ _: pad(2), tunId: u32 })],
    nx_set_queue: [nicira, 4, struct({ _: pad(2), queueId: u32 })],
    pop_queue: [nicira, 5, noBody],
    move: [nicira, 6, struct({ nBits: u16, srcOffset: u16, dstOffset: u16, src: fieldRef, dst: fieldRef, _: align8 })],
    load: [nicira, 7, struct({ range, dst: fieldRef4, value: u64 })],
    note: [nicira, 8, struct({ note: rest })],
    set_tunnel64: [nicira, 9, struct({ _: pad(6), tunId: u64 })],
    multipath: [
      nicira,
      10,
      struct({
        fields: u16,
        basis: u16,
        _1: pad(2),
        algorithm: u16,
        maxLink: u16,
        arg: u32,
        _2: pad(2),
        range,
        dst: fieldRef4,
      }),
    ],
    bundle: [
      nicira,
      12,
      struct({ ...bundleHead, _n: lengthOf('members', 2), _1: pad(10), members: list(u16), _2: align8 }),
    ],
    bundle_load: [
      nicira,
      13,
      struct({
        ...bundleHead,
        _n: lengthOf('members', 2),
        range,
        dst: fieldRef4,
        _1: pad(4),
        members: list(u16),
        _2: align8,
      }),
    ],
    resubmit_table: [nicira, 14, resubmit],
    output_reg: [nicira, 15, struct({ range, src: fieldRef4, maxLen: u16, _: pad(6) })],
    learn: [nicira, 16, learn],
    exit: [nicira, 17, noBody],
    nx_dec_ttl: [nicira, 18, noBody],
    fin_timeout: [nicira, 19, struct({ finIdleTimeout: u16, finHardTimeout: u16, _: pad(2) })],
    controller: [nicira, 20, struct({ maxLen: u16, controllerId: u16, reason: packetInReason, _: pad(1) })],
    dec_ttl_cnt_ids: [
      nicira,
      21,
      struct({ _n: lengthOf('controllerIds', 2), _1: pad(4), controllerIds: list(u16), _2: align8 }),
    ],
    nx_write_metadata: [nicira, 22, struct({ _: pad(6), metadata: u64, metadataMask: u64 })],
    nx_push_mpls: [nicira, 23, struct({ ethertype: u16, _: pad(4) })],
    nx_pop_mpls: [nicira, 24, struct({ ethertype: u16, _: pad(4) })],
    nx_set_mpls_ttl: [nicira, 25, struct({ ttl: u8, _: pad(5) })],
    nx_dec_mpls_ttl: [nicira, 26, noBody],
    stack_push: [nicira, 27, stack],
    stack_pop: [nicira, 28, stack],
    sample: [nicira, 29, struct({ probability: u16, collectorSetId: u32, obsDomainId: u32, obsPointId: u32 })],
    nx_set_mpls_label: [nicira, 30, struct({ _: pad(2), label: u32 })],
    nx_set_mpls_tc: [nicira, 31, struct({ tc: u8, _: pad(5) })],
    output_reg2: [nicira, 32, struct({ range, maxLen: u16, src: fieldRef, _: align8 })],
    /** A field's new value under a mask. */
    load2: [nicira, 33, load2Body],
    conjunction: [nicira, 34, struct({ clause: u8, nClauses: u8, id: u32 })],
    /** recircTable 255: none. flags: ctFlags. */
    ct: [nicira, 35, struct({ flags: u16, zone, recircTable: u8, _: pad(3), alg: u16, actions })],
    nat: [nicira, 36, nat],
    /** A copy of the frame to the controller, with what the standard output to CONTROLLER cannot say. */
    controller2: [
      nicira,
      37,
      spaced(
        pad(6),
        properties({
          maxLen: [0, filled(u16, pad(2))],
          controllerId: [1, filled(u16, pad(2))],
          reason: [2, packetInReason],
          userdata: [3, rest],
          pause: [4, present],
          meterId: [5, u32],
        }),
      ),
    ],
    sample2: [nicira, 38, sample2],
    output_trunc: [nicira, 39, struct({ port: u16, maxLen: u32 })],
    nx_group: [nicira, 40, struct({ _: pad(2), groupId: u32 })],
    sample3: [nicira, 41, sample2],
    clone: [nicira, 42, struct({ _: pad(6), actions })],
    ct_clear: [nicira, 43, noBody],
    resubmit_table_ct: [nicira, 44, resubmit],
    learn2: [nicira, 45, learn2],
    encap: [nicira, 46, struct({ hdrSize: u16, newPktType: u32, payload: rest })],
    decap: [nicira, 47, struct({ _: pad(2), newPktType: u32 })],
    dec_nsh_ttl: [nicira, 48, noBody],
    check_pkt_larger: [nicira, 49, struct({ pktLen: u16, offset: u16, dst: fieldRef, _: align8 })],
    delete_field: [nicira, 50, deleteField],
    debug_slow: [nicira, 254, noBody],
    debug_recirc: [nicira, 255, noBody],
    /** OpenFlow 1.5's copy_field, for 1.3 (EXT-320). */
    copy_field: [
      onf,
      3200,
      struct({
        _1: pad(2),
        nBits: u16,
        srcOffset: u16,
        dstOffset: u16,
        _2: pad(2),
        src: fieldRef,
        dst: fieldRef,
        _3: align8,
      }),
    ],
  }) as const
export const ctFlags = { commit: 1, force: 2 } as const
