// §7.3.5.5.2: what each table can match and do.
import { type OxmId, oxmId } from './field-ref.ts'
import { length, struct } from './struct.ts'
import { tlv } from './tlv.ts'
import { type Codec, list, pad, rest, text, u8, u32, u64, type ValueOf } from './wire.ts'

const empty = struct({})

const InstructionId = tlv(
  'an instruction id',
  { experimenterCode: 0xffff },
  {
    goto_table: [1, empty],
    write_metadata: [2, empty],
    write_actions: [3, empty],
    apply_actions: [4, empty],
    clear_actions: [5, empty],
    meter: [6, empty],
  },
)

const ActionId = tlv(
  'an action id',
  { experimenterCode: 0xffff },
  {
    output: [0, empty],
    copy_ttl_out: [11, empty],
    copy_ttl_in: [12, empty],
    set_mpls_ttl: [15, empty],
    dec_mpls_ttl: [16, empty],
    push_vlan: [17, empty],
    pop_vlan: [18, empty],
    push_mpls: [19, empty],
    pop_mpls: [20, empty],
    set_queue: [21, empty],
    group: [22, empty],
    set_nw_ttl: [23, empty],
    dec_nw_ttl: [24, empty],
    set_field: [25, empty],
    push_pbb: [26, empty],
    pop_pbb: [27, empty],
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
