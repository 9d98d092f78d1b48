// Structures that several messages share.

import { mac } from '../wire/address.ts'
import { length, struct } from '../wire/struct.ts'
import { tlv } from '../wire/tlv.ts'
import { list, oneOf, pad, rest, text, u8, u16, u32, type ValueOf } from '../wire/wire.ts'
import { Action } from './action.ts'

/** §7.2.1, struct ofp_port. Speeds are in kbit/s; features, config and state are flags (portConfig, portState). */
export const PortDesc = struct({
  portNo: u32,
  _1: pad(4),
  hwAddr: mac,
  _2: pad(2),
  name: text(16),
  config: u32,
  state: u32,
  curr: u32,
  advertised: u32,
  supported: u32,
  peer: u32,
  currSpeed: u32,
  maxSpeed: u32,
})
export type PortDesc = ValueOf<typeof PortDesc>

export const groupType = oneOf(u8, { all: 0, select: 1, indirect: 2, ff: 3 })

/** §7.3.4.2, struct ofp_bucket. */
export const Bucket = struct({
  _length: length,
  weight: u16,
  watchPort: u32,
  watchGroup: u32,
  _: pad(4),
  actions: list(Action),
})
export type Bucket = ValueOf<typeof Bucket>

/** §7.3.4.4. `rate` is in kbit/s or packets/s and `burstSize` in kbit or packets, as the meter's flags say. */
export const MeterBand = tlv(
  'a meter band',
  {},
  {
    drop: [1, struct({ rate: u32, burstSize: u32, _: pad(4) })],
    dscp_remark: [2, struct({ rate: u32, burstSize: u32, precLevel: u8, _: pad(3) })],
    experimenter: [0xffff, struct({ rate: u32, burstSize: u32, experimenter: u32, payload: rest })],
  },
)
export type MeterBand = ValueOf<typeof MeterBand>
