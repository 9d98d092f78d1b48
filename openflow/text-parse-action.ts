// Reads actions and instructions in ovs-ofctl's syntax.
import type { Action } from './action.ts'
import { ports } from './constants.ts'
import type { Instruction } from './instruction.ts'
import { parsePort } from './text-field.ts'
import {
  bundle,
  bytesOf,
  checkPktLarger,
  conjunction,
  controller,
  ct,
  decapType,
  enqueue,
  finTimeout,
  load,
  move,
  multipath,
  nat,
  note,
  output,
  resubmit,
  sample,
  setField,
  stack,
  truncated,
  u8,
  u16,
  u32,
} from './text-parse-argument.ts'
import { parseLearn } from './text-parse-learn.ts'
import { parseBigInt, parseBits, splitList, unexpected } from './text-value.ts'

type Parse = (text: string) => Action | readonly Action[]
const plain =
  (type: 'pop_vlan'): Parse =>
  () => ({ type })
const bare = (...types: string[]): Record<string, Parse> =>
  Object.fromEntries(types.map(type => [type, plain(type as 'pop_vlan')]))

/** By the name that stands before `:` or `(`. */
const actionParsers: Readonly<Record<string, Parse>> = {
  ...bare('copy_ttl_out', 'copy_ttl_in', 'dec_mpls_ttl', 'pop_vlan', 'pop_pbb', 'pop_queue', 'exit', 'ct_clear'),
  ...bare('dec_nsh_ttl', 'debug_slow', 'debug_recirc'),
  strip_vlan: plain('pop_vlan'),
  drop: () => [],
  output: text => (text.includes('max_len') ? truncated(text) : output(text)),
  enqueue,
  controller: text =>
    /^\d*$/.test(text)
      ? { type: 'output', port: ports.controller, maxLen: u16(text || '65535', 'a length') }
      : controller(text),
  group: text => ({ type: 'group', groupId: u32(text, 'a group') }),
  set_queue: text => ({ type: 'set_queue', queueId: u32(text, 'a queue') }),
  push_vlan: text => ({ type: 'push_vlan', ethertype: u16(text, 'an Ethernet type') }),
  push_mpls: text => ({ type: 'push_mpls', ethertype: u16(text, 'an Ethernet type') }),
  pop_mpls: text => ({ type: 'pop_mpls', ethertype: u16(text, 'an Ethernet type') }),
  push_pbb: text => ({ type: 'push_pbb', ethertype: u16(text, 'an Ethernet type') }),
  set_mpls_ttl: text => ({ type: 'set_mpls_ttl', ttl: u8(text, 'a TTL') }),
  set_mpls_label: text => ({ type: 'nx_set_mpls_label', label: u32(text, 'a label') }),
  set_mpls_tc: text => ({ type: 'nx_set_mpls_tc', tc: u8(text, 'a traffic class') }),
  mod_nw_ttl: text => ({ type: 'set_nw_ttl', ttl: u8(text, 'a TTL') }),
  mod_dl_src: text => setField(`${text}->eth_src`),
  mod_dl_dst: text => setField(`${text}->eth_dst`),
  mod_nw_src: text => setField(`${text}->ip_src`),
  mod_nw_dst: text => setField(`${text}->ip_dst`),
  dec_ttl: text =>
    text === ''
      ? { type: 'dec_nw_ttl' }
      : { type: 'dec_ttl_cnt_ids', controllerIds: splitList(text).map(id => u16(id, 'a controller')) },
  set_field: setField,
  load,
  move,
  push: text => stack('stack_push', text),
  pop: text => stack('stack_pop', text),
  resubmit: text => resubmit(text),
  set_tunnel: text => ({ type: 'set_tunnel', tunId: u32(text, 'a tunnel') }),
  set_tunnel64: text => ({ type: 'set_tunnel64', tunId: parseBigInt(text, 64, 'a tunnel') }),
  note,
  learn: text => parseLearn(text),
  fin_timeout: finTimeout,
  conjunction,
  ct: text => ct(text, parseActions),
  nat,
  clone: text => ({ type: 'clone', actions: parseActions(text) }),
  sample,
  multipath,
  bundle,
  bundle_load: bundle,
  delete_field: text => ({ type: 'delete_field', field: parseBits(text).field }),
  decap: text => ({ type: 'decap', newPktType: decapType(text) }),
  encap: text => ({ type: 'encap', hdrSize: 0, newPktType: u32(text, 'a packet type'), payload: Buffer.alloc(0) }),
  experimenter(text) {
    const [experimenter, payload] = bytesOf(text)
    return { type: 'experimenter', experimenter, payload }
  },
  unknown(text) {
    const [code, payload] = bytesOf(text)
    return { type: 'unknown', code, payload }
  },
}

type Call = { readonly name: string; readonly text: string }

/** Takes `name`, `name:text`, `name(text)` apart. */
function callOf(part: string): Call {
  const call = /^(\w+)\s*(?::(.*)|\((.*)\))?$/s.exec(part) ?? unexpected('an action', part)
  return { name: call[1]!, text: (call[2] ?? call[3] ?? '').trim() }
}

function parseAction(part: string): readonly Action[] {
  const larger = /^check_pkt_larger\((\w+)\)->(.*)$/.exec(part)
  if (larger) return [checkPktLarger(larger[1]!, larger[2]!)]
  const { name, text } = callOf(part)
  const lower = name.toLowerCase()
  const parser = actionParsers[lower]
  if (parser) return [parser(text)].flat()
  if (text === '' && parsePort(name) !== undefined) return [output(name)]
  return unexpected('an action', part)
}

/** E.g. `set_field:7->tun_id,output:4`; `drop` and nothing at all are no actions. */
export const parseActions = (text: string): Action[] => splitList(text).flatMap(parseAction)

const instructionParsers: Readonly<Record<string, (text: string) => Instruction>> = {
  meter: text => ({ type: 'meter', meterId: u32(text, 'a meter') }),
  clear_actions: () => ({ type: 'clear_actions' }),
  write_actions: text => ({ type: 'write_actions', actions: parseActions(text) }),
  write_metadata(text) {
    const [value, mask] = text.split('/') as [string, string?]
    return {
      type: 'write_metadata',
      metadata: parseBigInt(value, 64, 'metadata'),
      metadataMask: mask === undefined ? 0xffffffffffffffffn : parseBigInt(mask, 64, 'a mask'),
    }
  },
  goto_table: text => ({ type: 'goto_table', tableId: u8(text, 'a table') }),
  experimenter_instruction(text) {
    const [experimenter, payload] = bytesOf(text)
    return { type: 'experimenter', experimenter, payload }
  },
  unknown_instruction(text) {
    const [code, payload] = bytesOf(text)
    return { type: 'unknown', code, payload }
  },
}

/** What stands behind `actions=`: e.g. `meter:1,output:2,goto_table:3`. Actions become one apply_actions. */
export function parseInstructions(text: string): Instruction[] {
  const instructions: Instruction[] = []
  const actions: Action[] = []
  let at = 0
  for (const part of splitList(text)) {
    const name = /^\w+/.exec(part)?.[0] ?? ''
    const parser = instructionParsers[name]
    if (parser) instructions.push(parser(callOf(part).text))
    else {
      if (actions.length === 0) at = instructions.length
      actions.push(...parseAction(part))
    }
  }
  if (actions.length > 0) instructions.splice(at, 0, { type: 'apply_actions', actions })
  return instructions
}
