// §7.3.5.5.2: what each table can match and do.

import { length, struct } from '../wire/struct.ts'
import { tlv } from '../wire/tlv.ts'
import { type Codec, list, pad, rest, text, u8, u32, u64, type ValueOf } from '../wire/wire.ts'
import { type OxmId, oxmId } from './field-ref.ts'

/** An id is the head of what it stands for; Open vSwitch reads, and some switches send, four zeros behind it (as in OpenFlow 1.3.0). */
type Id = { readonly padded?: true }
const zeros = pad(4)
const id: Codec<Id> = {
  read(c) {
    if (c.at === c.end) return {}
    zeros.read(c)
    return { padded: true }
  },
  write(c, { padded }) {
    if (padded) zeros.write(c, undefined)
  },
}

const InstructionId = tlv(
  'an instruction id',
  { experimenterCode: 0xffff },
  {
    goto_table: [1, id],
    write_metadata: [2, id],
    write_actions: [3, id],
    apply_actions: [4, id],
    clear_actions: [5, id],
    meter: [6, id],
  },
)

const ActionId = tlv(
  'an action id',
  { experimenterCode: 0xffff },
  {
    output: [0, id],
    copy_ttl_out: [11, id],
    copy_ttl_in: [12, id],
    set_mpls_ttl: [15, id],
    dec_mpls_ttl: [16, id],
    push_vlan: [17, id],
    pop_vlan: [18, id],
    push_mpls: [19, id],
    pop_mpls: [20, id],
    set_queue: [21, id],
    group: [22, id],
    set_nw_ttl: [23, id],
    dec_nw_ttl: [24, id],
    set_field: [25, id],
    push_pbb: [26, id],
    pop_pbb: [27, id],
  },
)

const instructions = struct({ instructions: list(InstructionId) })
const nextTables = struct({ tableIds: list(u8) })
const actions = struct({ actions: list(ActionId) })
const fields = struct({ fields: list(oxmId as Codec<OxmId>) })
const experimenter = struct({ experimenter: u32, expType: u32, payload: rest })

/** A property `..._miss` is about the table-miss entry; where it is left out, the other holds for it too. */
export const TableFeatureProperty = tlv(
  'a table feature property',
  { padded: true },
  {
    instructions: [0, instructions],
    instructions_miss: [1, instructions],
    next_tables: [2, nextTables],
    next_tables_miss: [3, nextTables],
    write_actions: [4, actions],
    write_actions_miss: [5, actions],
    apply_actions: [6, actions],
    apply_actions_miss: [7, actions],
    match: [8, fields],
    wildcards: [10, fields],
    write_setfield: [12, fields],
    write_setfield_miss: [13, fields],
    apply_setfield: [14, fields],
    apply_setfield_miss: [15, fields],
    experimenter: [0xfffe, experimenter],
    experimenter_miss: [0xffff, experimenter],
  },
)
export type TableFeatureProperty = ValueOf<typeof TableFeatureProperty>

export const TableFeatures = struct({
  _length: length,
  tableId: u8,
  _: pad(5),
  name: text(32),
  metadataMatch: u64,
  metadataWrite: u64,
  config: u32,
  maxEntries: u32,
  properties: list(TableFeatureProperty),
})
export type TableFeatures = ValueOf<typeof TableFeatures>
