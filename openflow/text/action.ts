// Actions and instructions as ovs-ofctl prints them (ovs-actions(7)).
import type { Action } from '../messages/action.ts'
import type { FieldRef, Range } from '../messages/field-ref.ts'
import { type Field, fieldByName } from '../messages/fields.ts'
import type { Instruction } from '../messages/instruction.ts'
import type { Learn, Learn2, LearnSpec } from '../messages/learn.ts'
import type { Nat } from '../messages/nat.ts'
import { ctFlags } from '../messages/nicira-action.ts'
import { ports } from '../wire/constants.ts'
import { cursorOf } from '../wire/wire.ts'
import { formatPort, formatPort16, formatSetValue, isAllOnes } from './field.ts'
import { formatEncap } from './header.ts'
import { hashFields, linkAlgorithms, memberAlgorithms, textOf } from './words.ts'

type Of<T extends Action['type']> = Extract<Action, { type: T }>

const hex = (value: number | bigint): string => `0x${value.toString(16)}`
const sharp = (value: number | bigint): string => (value ? hex(value) : '0')
const hex4 = (value: number): string => `0x${value.toString(16).padStart(4, '0')}`
const dotted = (bytes: Buffer): string => bytes.toString('hex').replace(/..(?=.)/g, '$&.')

/** `NXM_NX_REG0[0..15]`, `NXM_NX_REG0[3]`, or `NXM_NX_REG0[]` for all of it. */
export function formatBits(ref: FieldRef, offset: number, nBits: number): string {
  const colon = ref.indexOf(':')
  const name = colon === -1 ? ref : ref.slice(0, colon)
  const word = colon === -1 || fieldByName.get(name)?.value === undefined ? textOf(name).ref : ref
  if (offset === 0 && nBits === fieldByName.get(name)?.bits) return `${word}[]`
  return nBits === 1 ? `${word}[${offset}]` : `${word}[${offset}..${offset + nBits - 1}]`
}
const formatRange = (ref: FieldRef, { offset, nBits }: Range): string => formatBits(ref, offset, nBits)

const output = ({ port, maxLen }: Of<'output'>): string =>
  port === ports.controller ? `CONTROLLER:${maxLen}` : port < ports.max ? `output:${port}` : formatPort(port)

function setField({ field, value, mask }: Of<'set_field'> | Of<'load2'>): string {
  const text = textOf(field)
  const whole = mask === undefined || isAllOnes(fieldByName.get(field), mask)
  return `set_field:${formatSetValue(text, value, whole ? undefined : mask)}->${text.name}`
}

function controller(reason: string | undefined, maxLen: number, id: number, more: readonly string[]): string {
  if ((reason ?? 'action') === 'action' && id === 0 && more.length === 0) return `CONTROLLER:${maxLen}`
  const parts = [
    ...((reason ?? 'action') === 'action' ? [] : [`reason=${reason}`]),
    ...(maxLen === 0xffff ? [] : [`max_len=${maxLen}`]),
    ...(id === 0 ? [] : [`id=${id}`]),
    ...more,
  ]
  return `controller(${parts.join(',')})`
}

function controller2(a: Of<'controller2'>): string {
  return controller(a.reason, a.maxLen ?? 0xffff, a.controllerId ?? 0, [
    ...(a.userdata === undefined ? [] : [`userdata=${dotted(a.userdata)}`]),
    ...(a.pause ? ['pause'] : []),
    ...(a.meterId === undefined ? [] : [`meter_id=${a.meterId}`]),
  ])
}

function resubmit(inPort: number, tableId: number, ct: boolean): string {
  const anyPort = inPort === (ports.inPort & 0xffff)
  if (!anyPort && tableId === 255 && !ct) return `resubmit:${formatPort16(inPort)}`
  return `resubmit(${anyPort ? '' : formatPort16(inPort)},${tableId === 255 ? '' : tableId}${ct ? ',ct' : ''})`
}

function nat(a: Nat): string {
  if ((a.flags & 3) === 0) return 'nat'
  const bracket = (address: string): string => (a.protoMin === undefined ? address : `[${address}]`)
  const range = (min: string, max: string | undefined): string => (max && max !== min ? `${min}-${max}` : min)
  const address = a.ipv4Min
    ? range(a.ipv4Min, a.ipv4Max)
    : a.ipv6Min
      ? range(bracket(a.ipv6Min), a.ipv6Max && bracket(a.ipv6Max))
      : ''
  const proto = a.protoMin === undefined ? '' : `:${range(String(a.protoMin), a.protoMax?.toString())}`
  const flags = ['persistent', 'hash', 'random'].filter((_, i) => a.flags & (4 << i))
  const target = address || proto ? `=${address}${proto}` : ''
  return `nat(${[(a.flags & 1 ? 'src' : 'dst') + target, ...flags].join(',')})`
}

const algorithms: Readonly<Record<number, string>> = { 21: 'ftp', 69: 'tftp' }

function ct(a: Of<'ct'>): string {
  const [first, ...others] = a.actions
  const rest = first?.type === 'nat' ? others : a.actions
  const zone = typeof a.zone === 'number' ? a.zone : formatRange(a.zone.field, a.zone)
  return `ct(${[
    a.flags & ctFlags.commit ? 'commit' : '',
    a.flags & ctFlags.force ? 'force' : '',
    a.recircTable === 255 ? '' : `table=${a.recircTable}`,
    zone === 0 ? '' : `zone=${zone}`,
    first?.type === 'nat' ? nat(first) : '',
    rest.length === 0 ? '' : `exec(${formatActions(rest)})`,
    a.alg === 0 ? '' : `alg=${algorithms[a.alg] ?? a.alg}`,
  ]
    .filter(part => part !== '')
    .join(',')})`
}

function learnSpec(spec: LearnSpec): string {
  const src = 'field' in spec.src ? formatBits(spec.src.field, spec.src.offset, spec.nBits) : octets(spec.src.value)
  if (spec.type === 'output') return `output:${src}`
  const dst = formatBits(spec.dst.field, spec.dst.offset, spec.nBits)
  if (spec.type === 'load') return `load:${src}->${dst}`
  if (src === dst) return dst
  const field = fieldByName.get(spec.dst.field)
  if ('value' in spec.src && spec.dst.offset === 0 && spec.nBits === field?.bits) {
    const text = textOf(spec.dst.field)
    const name = text.name === 'in_port_oxm' ? 'in_port' : text.name
    return `${name}=${formatSetValue(text, readValue(field, spec.src.value), undefined)}`
  }
  return `${dst}=${src}`
}
/** Bytes as long as `field` is, or longer by zeros in front, as its value. */
function readValue(field: Field, bytes: Buffer): unknown {
  const size = field.value!.size
  const whole = Buffer.concat([Buffer.alloc(size), bytes]).subarray(-size)
  return field.value!.read(cursorOf(whole))
}

const octets = (value: Buffer): string => `0x${value.toString('hex').replace(/^0+(?=.)/, '')}`

function learn(a: Learn & Partial<Learn2>): string {
  const option = (word: string, value: number | bigint): string => (value ? `${word}=${value}` : '')
  return `learn(${[
    `table=${a.tableId}`,
    option('idle_timeout', a.idleTimeout),
    option('hard_timeout', a.hardTimeout),
    option('fin_idle_timeout', a.finIdleTimeout),
    option('fin_hard_timeout', a.finHardTimeout),
    a.priority === 0x8000 ? '' : `priority=${a.priority}`,
    a.flags & 1 ? 'send_flow_rem' : '',
    a.flags & 2 ? 'delete_learned' : '',
    a.cookie ? `cookie=${hex(a.cookie)}` : '',
    option('limit', a.limit ?? 0),
    a.result ? `result_dst=${formatBits(a.result.field, a.result.offset, 1)}` : '',
    ...a.specs.map(learnSpec),
  ]
    .filter(Boolean)
    .join(',')})`
}

const bundle = (a: Of<'bundle'> | Of<'bundle_load'>): string =>
  `${a.type}(${[
    hashFields[a.fields] ?? a.fields,
    a.basis,
    memberAlgorithms[a.algorithm] ?? a.algorithm,
    'ofport',
    ...(a.type === 'bundle_load' ? [formatRange(a.dst, a.range)] : []),
  ].join(',')},members:${a.members.map(formatPort16).join(',')})`

const multipath = (a: Of<'multipath'>): string =>
  `multipath(${hashFields[a.fields] ?? a.fields},${a.basis},${linkAlgorithms[a.algorithm] ?? a.algorithm},${a.maxLink + 1},${a.arg},${formatRange(a.dst, a.range)})`

function sample(a: Of<'sample'> | Of<'sample2'> | Of<'sample3'>): string {
  const port = 'samplingPort' in a && a.samplingPort !== 0xffff ? `,sampling_port=${formatPort16(a.samplingPort)}` : ''
  const direction = 'direction' in a ? (['', ',ingress', ',egress'][a.direction] ?? `,direction=${a.direction}`) : ''
  return `sample(probability=${a.probability},collector_set_id=${a.collectorSetId},obs_domain_id=${a.obsDomainId},obs_point_id=${a.obsPointId}${port}${direction})`
}

const finTimeout = (a: Of<'fin_timeout'>): string =>
  `fin_timeout(${[
    a.finIdleTimeout ? `idle_timeout=${a.finIdleTimeout}` : '',
    a.finHardTimeout ? `hard_timeout=${a.finHardTimeout}` : '',
  ]
    .filter(Boolean)
    .join(',')})`

const move = (a: Of<'move'> | Of<'copy_field'>): string =>
  `move:${formatBits(a.src, a.srcOffset, a.nBits)}->${formatBits(a.dst, a.dstOffset, a.nBits)}`

type Printers = { readonly [T in Action['type']]: (action: Of<T>) => string }
const printers: Printers = {
  output,
  copy_ttl_out: () => 'copy_ttl_out',
  copy_ttl_in: () => 'copy_ttl_in',
  set_mpls_ttl: a => `set_mpls_ttl(${a.ttl})`,
  dec_mpls_ttl: () => 'dec_mpls_ttl',
  push_vlan: a => `push_vlan:${hex(a.ethertype)}`,
  pop_vlan: () => 'pop_vlan',
  push_mpls: a => `push_mpls:${hex4(a.ethertype)}`,
  pop_mpls: a => `pop_mpls:${hex4(a.ethertype)}`,
  set_queue: a => `set_queue:${a.queueId}`,
  group: a => `group:${a.groupId}`,
  set_nw_ttl: a => `mod_nw_ttl:${a.ttl}`,
  dec_nw_ttl: () => 'dec_ttl',
  set_field: setField,
  push_pbb: a => `push_pbb:${hex4(a.ethertype)}`,
  pop_pbb: () => 'pop_pbb',
  resubmit: a => resubmit(a.inPort, 255, false),
  resubmit_table: a => resubmit(a.inPort, a.tableId, false),
  resubmit_table_ct: a => resubmit(a.inPort, a.tableId, true),
  set_tunnel: a => `set_tunnel:${sharp(a.tunId)}`,
  set_tunnel64: a => `set_tunnel64:${sharp(a.tunId)}`,
  nx_set_queue: a => `set_queue:${a.queueId}`,
  pop_queue: () => 'pop_queue',
  move,
  copy_field: move,
  load: a => `load:${sharp(a.value)}->${formatRange(a.dst, a.range)}`,
  load2: setField,
  note: a => `note:${dotted(a.note)}`,
  multipath,
  bundle,
  bundle_load: bundle,
  output_reg: a => `output:${formatRange(a.src, a.range)}`,
  output_reg2: a => `output:${formatRange(a.src, a.range)}`,
  learn,
  learn2: learn,
  exit: () => 'exit',
  nx_dec_ttl: () => 'dec_ttl',
  fin_timeout: finTimeout,
  controller: a => controller(a.reason, a.maxLen, a.controllerId, []),
  dec_ttl_cnt_ids: a => `dec_ttl(${a.controllerIds.join(',')})`,
  nx_write_metadata: a => metadata(a),
  nx_push_mpls: a => `push_mpls:${hex4(a.ethertype)}`,
  nx_pop_mpls: a => `pop_mpls:${hex4(a.ethertype)}`,
  nx_set_mpls_ttl: a => `set_mpls_ttl(${a.ttl})`,
  nx_dec_mpls_ttl: () => 'dec_mpls_ttl',
  stack_push: a => `push:${formatBits(a.field, a.offset, a.nBits)}`,
  stack_pop: a => `pop:${formatBits(a.field, a.offset, a.nBits)}`,
  sample,
  sample2: sample,
  sample3: sample,
  nx_set_mpls_label: a => `set_mpls_label(${a.label})`,
  nx_set_mpls_tc: a => `set_mpls_tc(${a.tc})`,
  conjunction: a => `conjunction(${a.id},${a.clause + 1}/${a.nClauses})`,
  ct,
  nat,
  controller2,
  output_trunc: a => `output(port=${formatPort16(a.port)},max_len=${a.maxLen})`,
  nx_group: a => `group:${a.groupId}`,
  clone: a => `clone(${formatActions(a.actions)})`,
  ct_clear: () => 'ct_clear',
  encap: formatEncap,
  decap: a =>
    a.newPktType === 0xfffe
      ? 'decap()'
      : `decap(packet_type(ns=${a.newPktType >>> 16},type=${hex(a.newPktType & 0xffff)}))`,
  dec_nsh_ttl: () => 'dec_nsh_ttl',
  check_pkt_larger: a => `check_pkt_larger(${a.pktLen})->${formatBits(a.dst, a.offset, 1)}`,
  delete_field: a => `delete_field:${textOf(a.field.split(':')[0]!).name}`,
  debug_slow: () => 'debug_slow',
  debug_recirc: () => 'debug_recirc',
  experimenter: a => `experimenter(${hex(a.experimenter)},${a.payload.toString('hex')})`,
  unknown: a => `unknown(${a.code},${a.payload.toString('hex')})`,
}

const print = (action: Action): string => (printers[action.type] as (a: Action) => string)(action)

/** E.g. `set_field:0x7->tun_id,output:4`; `drop` if there is none. */
export function formatActions(actions: readonly Action[]): string {
  let line = ''
  for (const action of actions) line = line === '' ? print(action) : `${line},${print(action)}`
  return line || 'drop'
}

const metadata = ({ metadata, metadataMask }: { metadata: bigint; metadataMask: bigint }): string =>
  metadataMask === 0xffffffffffffffffn
    ? `write_metadata:${sharp(metadata)}`
    : `write_metadata:${sharp(metadata)}/${sharp(metadataMask)}`

/** In the order in which a switch carries them out (§5.9), whatever order they stand in. */
const steps: readonly Instruction['type'][] = [
  'meter',
  'apply_actions',
  'clear_actions',
  'write_actions',
  'write_metadata',
  'goto_table',
  'experimenter',
  'unknown',
]

function printInstruction(i: Instruction): string {
  switch (i.type) {
    case 'meter':
      return `meter:${i.meterId}`
    case 'apply_actions':
      return i.actions.length === 0 ? '' : formatActions(i.actions)
    case 'clear_actions':
      return 'clear_actions'
    case 'write_actions':
      return `write_actions(${formatActions(i.actions)})`
    case 'write_metadata':
      return metadata(i)
    case 'goto_table':
      return `goto_table:${i.tableId}`
    case 'experimenter':
      return `experimenter_instruction(${hex(i.experimenter)},${i.payload.toString('hex')})`
    case 'unknown':
      return `unknown_instruction(${i.code},${i.payload.toString('hex')})`
  }
}

/** What stands behind `actions=`: e.g. `meter:1,output:2,goto_table:3`; `drop` if there is nothing. */
export function formatInstructions(instructions: readonly Instruction[]): string {
  if (instructions.length === 1) return printInstruction(instructions[0]!) || 'drop'
  const sorted = [...instructions].sort((a, b) => steps.indexOf(a.type) - steps.indexOf(b.type))
  return sorted.map(printInstruction).filter(Boolean).join(',') || 'drop'
}
