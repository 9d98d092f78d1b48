// Any message as one line, headed as ovs-ofctl heads it.

import { errorName } from '../messages/errors.ts'
import type { Match } from '../messages/fields.ts'
import type { Message, MessageOf } from '../messages/messages.ts'
import { groups, noBuffer, ports } from '../wire/constants.ts'
import { formatActions, formatInstructions } from './action.ts'
import { formatPort } from './field.ts'
import { formatFlowFlags, formatFlowStats, formatGroup, formatMeter, priorityAndMatch } from './format.ts'
import { formatMatch } from './match.ts'

const hex = (value: number | bigint): string => `0x${value.toString(16)}`
const all64 = 0xffffffffffffffffn

const commands: Readonly<Record<string, string>> = {
  add: 'ADD',
  modify: 'MOD',
  modify_strict: 'MOD_STRICT',
  delete: 'DEL',
  delete_strict: 'DEL_STRICT',
}

function flowMod(m: MessageOf<'flow_mod'>): string {
  return [
    commands[m.command],
    m.tableId === 0 ? '' : `table:${m.tableId}`,
    priorityAndMatch(m.priority, m.match),
    m.cookie === 0n || m.cookie === all64 || m.cookieMask !== 0n ? '' : `cookie:${hex(m.cookie)}`,
    m.cookieMask === 0n ? '' : `cookie:${hex(m.cookie)}/${hex(m.cookieMask)}`,
    m.idleTimeout === 0 ? '' : `idle:${m.idleTimeout}`,
    m.hardTimeout === 0 ? '' : `hard:${m.hardTimeout}`,
    m.bufferId === noBuffer ? '' : `buf:${hex(m.bufferId)}`,
    m.outPort === ports.any || m.outPort === 0 ? '' : `out_port:${formatPort(m.outPort)}`,
    m.outGroup === groups.any || m.outGroup === 0 ? '' : `out_group:${m.outGroup}`,
    formatFlowFlags(m.flags).trim(),
    `actions=${formatInstructions(m.instructions)}`,
  ]
    .filter(Boolean)
    .join(' ')
}

const payload = (bytes: Buffer): string =>
  bytes.length <= 64 ? bytes.toString('hex') : `${bytes.toString('hex', 0, 64)}... (${bytes.length} bytes)`

function packetIn(m: MessageOf<'packet_in'>): string {
  const buffer = m.bufferId === noBuffer ? '' : ` buffer=${hex(m.bufferId)}`
  const match = formatMatch(m.match)
  return `table_id=${m.tableId} cookie=${hex(m.cookie)} total_len=${m.totalLen} ${match} (via ${m.reason})${buffer} ${payload(m.payload)}`
}

/** Messages whose fields are put in an order, or in words, of ovs-ofctl. */
const printers: { readonly [T in Message['type']]?: (message: MessageOf<T>) => string } = {
  flow_mod: flowMod,
  group_mod: m => `${commands[m.command]} ${formatGroup(m)}`,
  meter_mod: m => `${commands[m.command]} ${formatMeter(m)}`,
  packet_in: packetIn,
  error: m => `${errorName(m.errorType, m.errorCode)} ${payload(m.payload)}`,
  bundle_add: m => `bundle_id=${hex(m.bundleId)} flags=${m.flags} ${formatMessage(m.message)}`,
  requestforward: m => formatMessage(m.message),
}

const own = new Set(['type', 'xid', 'version'])
const words: Readonly<Record<string, (value: any) => string>> = {
  match: (value: Match) => `{${formatMatch(value)}}`,
  actions: formatActions,
  instructions: formatInstructions,
  groups: value => `[${value.map((g: any) => ('groupType' in g ? formatGroup(g) : plain(g))).join('; ')}]`,
  flows: value => `[${value.map(formatFlowStats).join('; ')}]`,
  meters: value => `[${value.map((m: any) => ('bands' in m ? formatMeter(m) : plain(m))).join('; ')}]`,
  datapathId: (value: bigint) => value.toString(16).padStart(16, '0'),
  inPort: formatPort,
  portNo: formatPort,
  outPort: formatPort,
}

const snake = (name: string): string => name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)

type Words = typeof words

/** Texts come from switches and go to logs and terminals: what is more than a word is quoted, and nothing moves the cursor. */
const quoted = (text: string): string =>
  /^[\w.:/-]+$/.test(text)
    ? text
    : JSON.stringify(text).replace(
        /[\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
        ch => `\\u${ch.charCodeAt(0).toString(16).padStart(4, '0')}`,
      )

function plain(value: unknown, inWords: Words = words): string {
  if (value instanceof Uint8Array) return payload(value as Buffer)
  if (Array.isArray(value)) return `[${value.map(item => plain(item, inWords)).join(', ')}]`
  if (typeof value === 'object' && value !== null) return `{${fields(value, inWords)}}`
  if (typeof value === 'string') return quoted(value)
  return typeof value === 'bigint' ? hex(value) : String(value)
}

/** `name=value` for each field, in the order of the message. */
const fields = (value: object, inWords: Words): string =>
  Object.entries(value)
    .map(([name, field]) => `${snake(name)}=${inWords[name]?.(field) ?? plain(field, inWords)}`)
    .join(' ')

/** What a switch is able to do names actions and instructions too, but they are not any that it carries out. */
const isAbility = (message: Message): boolean =>
  'body' in message && (message.body.type === 'table_features' || message.body.type === 'group_features')

/** E.g. `OFPT_FLOW_MOD (OF1.3) (xid=0x1): ADD in_port=1 actions=output:2`. */
export function formatMessage(message: Message): string {
  const print = printers[message.type] as ((m: Message) => string) | undefined
  const rest = print
    ? print(message)
    : fields(
        Object.fromEntries(Object.entries(message).filter(([name]) => !own.has(name))),
        isAbility(message) ? {} : words,
      )
  const version = 'version' in message ? `version ${message.version}` : 'OF1.3'
  return `OFPT_${message.type.toUpperCase()} (${version}) (xid=${hex(message.xid)}):${rest === '' ? '' : ` ${rest}`}`
}
