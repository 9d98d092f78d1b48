// Reads actions and instructions in ovs-ofctl's syntax.
import type { Action } from '../messages/action.ts'
import type { Match } from '../messages/fields.ts'
import type { Instruction } from '../messages/instruction.ts'
import { ports } from '../wire/constants.ts'
import { parsePort } from './field.ts'
import { encap } from './header.ts'
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
} from './parse-argument.ts'
import { parseLearn } from './parse-learn.ts'
import { overIp } from './parse-match.ts'
import { parseBigInt, parseBits, parseNumber, splitList, splitWords, unexpected } from './value.ts'

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
  set_mpls_label: text => setField(`${text}->mpls_label`),
  set_mpls_tc: text => setField(`${text}->mpls_tc`),
  mod_nw_ttl: text => ({ type: 'set_nw_ttl', ttl: u8(text, 'a TTL') }),
  mod_dl_src: text => setField(`${text}->eth_src`),
  mod_dl_dst: text => setField(`${text}->eth_dst`),
  mod_nw_src: text => setField(`${text}->ip_src`),
  mod_nw_dst: text => setField(`${text}->ip_dst`),
  mod_nw_tos: text => setField(`${u8(text, 'a type of service') >> 2}->ip_dscp`),
  mod_nw_ecn: text => setField(`${text}->ip_ecn`),
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
  set_tunnel: text => setField(`${text}->tun_id`),
  set_tunnel64: text => setField(`${text}->tun_id`),
  note,
  learn: text => parseLearn(text),
  fin_timeout: finTimeout,
  conjunction,
  ct: text => ct(text, inner => parseActions(inner)),
  nat,
  clone: text => ({ type: 'clone', actions: parseActions(text) }),
  sample,
  multipath,
  bundle,
  bundle_load: bundle,
  delete_field: text => ({ type: 'delete_field', field: parseBits(text).field }),
  decap: text => ({ type: 'decap', newPktType: decapType(text) }),
  encap,
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

/** Takes `name`, `name:text`, `name=text`, `name(text)` apart. */
function callOf(part: string): Call {
  const call = /^(\w+)\s*(?:[:=](.*)|\((.*)\))?$/s.exec(part) ?? unexpected('an action', part)
  return { name: call[1]!, text: (call[2] ?? call[3] ?? '').trim() }
}

/** OpenFlow 1.0's words for tags, as ovs-ofctl takes them in 1.3: a frame without a tag gets one first, with `mod_`. */
const tagWords: Readonly<Record<string, { readonly pushes: boolean; readonly to: (text: string) => string }>> = {
  mod_vlan_vid: { pushes: true, to: text => `${0x1000 | parseNumber(text, 4095, 'mod_vlan_vid')}->vlan_vid` },
  set_vlan_vid: { pushes: false, to: text => `${0x1000 | parseNumber(text, 4095, 'set_vlan_vid')}->vlan_vid` },
  mod_vlan_pcp: { pushes: true, to: text => `${parseNumber(text, 7, 'mod_vlan_pcp')}->vlan_pcp` },
  set_vlan_pcp: { pushes: false, to: text => `${parseNumber(text, 7, 'set_vlan_pcp')}->vlan_pcp` },
}

/** What is known of a frame on its way through a list of actions. */
type Frame = { tagged: boolean; readonly ipProto: number | undefined }

const frameOf = ({ vlan_vid: vid, vlan_tci: tci, ip_proto: ipProto }: Match): Frame => {
  const bit = (value: typeof vid): boolean => ((typeof value === 'object' ? value.value : (value ?? 0)) & 0x1000) !== 0
  return { tagged: bit(vid) || bit(tci), ipProto: typeof ipProto === 'number' ? ipProto : undefined }
}

/** `mod_tp_src:80`: the port of whichever protocol the flow matches. */
function parsePortWord(name: string, text: string, { ipProto }: Frame): Action {
  const protocol = ipProto === undefined ? undefined : overIp[ipProto]
  if (protocol === undefined) unexpected('a match of tcp, udp or sctp beside it', name)
  return setField(`${text}->${protocol}_${name.slice(-3)}`)
}

function parseTag(name: string, text: string, frame: Frame): readonly Action[] {
  const { pushes, to } = tagWords[name]!
  const push: readonly Action[] = pushes && !frame.tagged ? [{ type: 'push_vlan', ethertype: 0x8100 }] : []
  return [...push, setField(to(text))]
}

function parseAction(part: string, frame: Frame): readonly Action[] {
  const larger = /^check_pkt_larger\((\w+)\)->(.*)$/.exec(part)
  if (larger) return [checkPktLarger(larger[1]!, larger[2]!)]
  const { name, text } = callOf(part)
  const lower = name.toLowerCase()
  if (tagWords[lower]) {
    const actions = parseTag(lower, text, frame)
    frame.tagged = true
    return actions
  }
  if (lower === 'push_vlan' || lower === 'pop_vlan' || lower === 'strip_vlan') frame.tagged = lower === 'push_vlan'
  if (lower === 'mod_tp_src' || lower === 'mod_tp_dst') return [parsePortWord(lower, text, frame)]
  const parser = actionParsers[lower]
  if (parser) return [parser(text)].flat()
  if (text === '' && parsePort(name) !== undefined) return [output(name)]
  return unexpected('an action', part)
}

/** E.g. `set_field:7->tun_id,output:4`; `drop` and nothing at all are no actions. What is known of frames by their match changes what OpenFlow 1.0's words mean. */
export function parseActions(text: string, match: Match = {}): Action[] {
  const frame = frameOf(match)
  return splitWords(text).flatMap(part => parseAction(part, frame))
}

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

/** What stands behind `actions=`: e.g. `meter:1,output:2,goto_table:3`. Actions become one apply_actions. `match` as in parseActions. */
export function parseInstructions(text: string, match: Match = {}): Instruction[] {
  const frame = frameOf(match)
  const instructions: Instruction[] = []
  const actions: Action[] = []
  let at = 0
  for (const part of splitWords(text)) {
    const name = /^\w+/.exec(part)?.[0] ?? ''
    const parser = instructionParsers[name]
    if (parser) instructions.push(parser(callOf(part).text))
    else {
      if (actions.length === 0) at = instructions.length
      actions.push(...parseAction(part, frame))
    }
  }
  if (actions.length > 0) instructions.splice(at, 0, { type: 'apply_actions', actions })
  return instructions
}
