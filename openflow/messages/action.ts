import { struct } from '../wire/struct.ts'
import { tlv } from '../wire/tlv.ts'
import { type Codec, list, nested, pad, u8, u16, u32, type ValueOf, wrong } from '../wire/wire.ts'
import type { FieldName, FieldValue } from './fields.ts'
import { setFieldBody } from './match.ts'
import { extensionActions } from './nicira-action.ts'

const empty = struct({ _: pad(4) })
const ethertype = struct({ ethertype: u16, _: pad(2) })

/** Actions inside an action; only looked up when one is read or written, since the table of actions holds it. */
const inner: Codec<readonly unknown[]> = nested({
  read: c => actions.read(c),
  write: (c, values) => actions.write(c, values as readonly Action[]),
})

/** OpenFlow 1.3.5 §7.2.5. */
const table = tlv(
  'an action',
  { eights: true, experimenterCode: 0xffff },
  {
    output: [0, struct({ port: u32, maxLen: u16, _: pad(6) })],
    copy_ttl_out: [11, empty],
    copy_ttl_in: [12, empty],
    set_mpls_ttl: [15, struct({ ttl: u8, _: pad(3) })],
    dec_mpls_ttl: [16, empty],
    push_vlan: [17, ethertype],
    pop_vlan: [18, empty],
    push_mpls: [19, ethertype],
    pop_mpls: [20, ethertype],
    set_queue: [21, struct({ queueId: u32 })],
    group: [22, struct({ groupId: u32 })],
    set_nw_ttl: [23, struct({ ttl: u8, _: pad(3) })],
    dec_nw_ttl: [24, empty],
    set_field: [25, setFieldBody('set_field')],
    push_pbb: [26, ethertype],
    pop_pbb: [27, empty],
  },
  extensionActions(inner),
)
type Plain = ValueOf<typeof table>
type Nesting = 'ct' | 'clone'
type WithActions<N extends Nesting> = Omit<Extract<Plain, { type: N }>, 'actions'> & {
  readonly actions: readonly Action[]
}
export type Action = Exclude<Plain, { type: Nesting }> | WithActions<'ct'> | WithActions<'clone'>
export const Action = table as Codec<Action>
const actions = list(Action)

/** A set_field whose value is checked against its field by the type checker. */
export const setField = <N extends FieldName>(field: N, value: FieldValue<N>): Action => {
  if (value === undefined) wrong(`a value for ${field}`, value)
  return { type: 'set_field', field, value }
}
