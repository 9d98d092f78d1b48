import { groups, noBuffer, ports } from '../wire/constants.ts'
import type { MessageOf } from './messages.ts'

type With<T, K extends keyof T> = Pick<T, K> & Partial<Omit<T, 'type'>>
export type FlowMod = MessageOf<'flow_mod'>
export type GroupMod = MessageOf<'group_mod'>
export type MeterMod = MessageOf<'meter_mod'>
export type PacketOut = MessageOf<'packet_out'>

/** A flow_mod; what is not given is: add, to table 0, priority 0x8000, any port and group, no buffer, no timeouts. */
export const flowMod = (given: Partial<Omit<FlowMod, 'type'>>): FlowMod => ({
  type: 'flow_mod',
  xid: given.xid ?? 0,
  cookie: given.cookie ?? 0n,
  cookieMask: given.cookieMask ?? 0n,
  tableId: given.tableId ?? 0,
  command: given.command ?? 'add',
  idleTimeout: given.idleTimeout ?? 0,
  hardTimeout: given.hardTimeout ?? 0,
  priority: given.priority ?? 0x8000,
  bufferId: given.bufferId ?? noBuffer,
  outPort: given.outPort ?? ports.any,
  outGroup: given.outGroup ?? groups.any,
  flags: given.flags ?? 0,
  match: given.match ?? {},
  instructions: given.instructions ?? [],
})

/** A bucket that watches nothing and has weight 0, as groups of type `all` want it. */
export type BucketGiven = Partial<GroupMod['buckets'][number]>
export const bucket = (given: BucketGiven): GroupMod['buckets'][number] => ({
  weight: given.weight ?? 0,
  watchPort: given.watchPort ?? ports.any,
  watchGroup: given.watchGroup ?? groups.any,
  actions: given.actions ?? [],
})

/** A group_mod; what is not given is: add, of type `all`, without buckets. */
export const groupMod = (given: With<GroupMod, 'groupId'>): GroupMod => ({
  type: 'group_mod',
  xid: given.xid ?? 0,
  command: given.command ?? 'add',
  groupType: given.groupType ?? 'all',
  groupId: given.groupId,
  buckets: given.buckets ?? [],
})

/** A meter_mod; what is not given is: add, no flags, no bands. */
export const meterMod = (given: With<MeterMod, 'meterId'>): MeterMod => ({
  type: 'meter_mod',
  xid: given.xid ?? 0,
  command: given.command ?? 'add',
  flags: given.flags ?? 0,
  meterId: given.meterId,
  bands: given.bands ?? [],
})

/** A packet_out that carries its frame; what is not given is: from the controller, without actions. */
export const packetOut = (given: With<PacketOut, 'payload'>): PacketOut => ({
  type: 'packet_out',
  xid: given.xid ?? 0,
  bufferId: given.bufferId ?? noBuffer,
  inPort: given.inPort ?? ports.controller,
  actions: given.actions ?? [],
  payload: given.payload,
})
export type PacketIn = MessageOf<'packet_in'>
export type FlowRemoved = MessageOf<'flow_removed'>
