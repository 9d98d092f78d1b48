import { struct } from '../wire/struct.ts'
import { tlv } from '../wire/tlv.ts'
import { list, pad, u8, u32, u64, type ValueOf } from '../wire/wire.ts'
import { Action } from './action.ts'

const actions = struct({ _: pad(4), actions: list(Action) })

/** OpenFlow 1.3.5 §7.2.4. */
export const Instruction = tlv(
  'an instruction',
  { eights: true, experimenterCode: 0xffff },
  {
    goto_table: [1, struct({ tableId: u8, _: pad(3) })],
    write_metadata: [2, struct({ _: pad(4), metadata: u64, metadataMask: u64 })],
    write_actions: [3, actions],
    apply_actions: [4, actions],
    clear_actions: [5, struct({ _: pad(4) })],
    meter: [6, struct({ meterId: u32 })],
  },
)
export type Instruction = ValueOf<typeof Instruction>
