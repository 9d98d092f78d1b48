// Turns a message in the words of the Ryu project's test data into ours, so that the two can be compared.

type Json = any
type Fields = Record<string, Json>

const camel = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
const base64 = (data: string): Buffer => Buffer.from(data, 'base64')

/** All fields but those that only tell the form on the wire, under our names. */
function plain(fields: Fields, ...without: string[]): Fields {
  const skipped = new Set(['len', 'length', 'type', ...without])
  const entries = Object.entries(fields).filter(([name]) => !skipped.has(name))
  return Object.fromEntries(entries.map(([name, value]) => [camel(name), translateAny(value)]))
}

const oxmNames: Record<string, string> = { tun_ipv4_src: 'tun_src', tun_ipv4_dst: 'tun_dst' }
const oxm = ({ field, value, mask }: Fields): [string, Json] => [
  oxmNames[field] ?? field,
  mask === null ? value : { value, mask },
]

const snake = (name: string): string => name.replace(/(?!^)[A-Z]/g, letter => `_${letter}`).toLowerCase()
const word = (words: readonly string[], code: number): string => words[code] ?? `no word for ${code}`

const instructionIds = ['', 'goto_table', 'write_metadata', 'write_actions', 'apply_actions', 'clear_actions', 'meter']
const actionIds: Record<number, string> = {
  0: 'output',
  11: 'copy_ttl_out',
  12: 'copy_ttl_in',
  15: 'set_mpls_ttl',
  16: 'dec_mpls_ttl',
  17: 'push_vlan',
  18: 'pop_vlan',
  19: 'push_mpls',
  20: 'pop_mpls',
  21: 'set_queue',
  22: 'group',
  23: 'set_nw_ttl',
  24: 'dec_nw_ttl',
  25: 'set_field',
  26: 'push_pbb',
  27: 'pop_pbb',
}
const tableProperties: Record<number, string> = {
  0: 'instructions',
  1: 'instructions_miss',
  2: 'next_tables',
  3: 'next_tables_miss',
  4: 'write_actions',
  5: 'write_actions_miss',
  6: 'apply_actions',
  7: 'apply_actions_miss',
  8: 'match',
  10: 'wildcards',
  12: 'write_setfield',
  13: 'write_setfield_miss',
  14: 'apply_setfield',
  15: 'apply_setfield_miss',
  65534: 'experimenter',
  65535: 'experimenter_miss',
}

/** A multipart body that is a list: in our words it has a name. */
const bodyOf: Record<string, string> = {
  OFPFlowStats: 'flow/flows',
  OFPTableStats: 'table/tables',
  OFPPortStats: 'port_stats/ports',
  OFPQueueStats: 'queue/queues',
  OFPGroupStats: 'group/groups',
  OFPGroupDescStats: 'group_desc/groups',
  OFPMeterStats: 'meter/meters',
  OFPMeterConfigStats: 'meter_config/meters',
  OFPTableFeaturesStats: 'table_features/tables',
  OFPPort: 'port_desc/ports',
  ONFFlowMonitorRequest: 'flow_monitor/monitors',
}
const requestBodies: Record<string, string> = {
  OFPDescStatsRequest: 'desc',
  OFPFlowStatsRequest: 'flow',
  OFPAggregateStatsRequest: 'aggregate',
  OFPTableStatsRequest: 'table',
  OFPPortStatsRequest: 'port_stats',
  OFPQueueStatsRequest: 'queue',
  OFPGroupStatsRequest: 'group',
  OFPGroupDescStatsRequest: 'group_desc',
  OFPGroupFeaturesStatsRequest: 'group_features',
  OFPMeterStatsRequest: 'meter',
  OFPMeterConfigStatsRequest: 'meter_config',
  OFPMeterFeaturesStatsRequest: 'meter_features',
  OFPPortDescStatsRequest: 'port_desc',
}
const replyBodies: Record<string, string> = {
  OFPDescStats: 'desc',
  OFPAggregateStats: 'aggregate',
  OFPGroupFeaturesStats: 'group_features',
  OFPMeterFeaturesStats: 'meter_features',
}

function reply({ flags, body }: Fields): Json {
  const items: Json[] = Array.isArray(body) ? body : [body]
  const [name, fields] = Object.entries<Fields>(items[0])[0]!
  if (name in replyBodies)
    return { type: 'multipart_reply', flags, body: { type: replyBodies[name], ...plain(fields) } }
  if (name === 'OFPExperimenterMultipart')
    return { type: 'multipart_reply', flags, body: { type: 'experimenter', ...experimenter(fields) } }
  return { type: 'multipart_reply', flags, body: list(items) }
}

function list(items: Json[]): Json {
  const [type, key] = bodyOf[Object.keys(items[0])[0]!]!.split('/') as [string, string]
  return { type, [key]: items.map(translate) }
}

const experimenter = ({ experimenter, exp_type, data }: Fields): Fields => ({
  experimenter,
  expType: exp_type,
  payload: base64(data),
})

const commands = ['add', 'modify', 'modify_strict', 'delete', 'delete_strict']
const groupCommands = ['add', 'modify', 'delete']
const groupTypes = ['all', 'select', 'indirect', 'ff']
const roles = ['nochange', 'equal', 'master', 'slave']

const translators: Record<string, (fields: Fields) => Json> = {
  OFPMatch: ({ oxm_fields }) => Object.fromEntries(oxm_fields.map((f: Json) => oxm(f.OXMTlv))),
  OFPHello: ({ elements }) => ({ type: 'hello', elements: elements.map(translate) }),
  OFPHelloElemVersionBitmap: ({ versions }) => ({ type: 'versionbitmap', versions }),
  OFPErrorMsg: f => ({
    type: 'error',
    errorType: f['type'],
    errorCode: f['code'] ?? f['exp_type'],
    ...(f['experimenter'] === undefined ? {} : { experimenter: f['experimenter'] }),
    payload: base64(f['data']),
  }),
  OFPEchoRequest: ({ data }) => ({ type: 'echo_request', payload: base64(data) }),
  OFPEchoReply: ({ data }) => ({ type: 'echo_reply', payload: base64(data) }),
  OFPExperimenter: f => ({ type: 'experimenter', ...experimenter(f) }),
  OFPSwitchFeatures: f => ({ type: 'features_reply', ...plain(f) }),
  OFPFeaturesRequest: () => ({ type: 'features_request' }),
  OFPGetConfigRequest: () => ({ type: 'get_config_request' }),
  OFPGetConfigReply: f => ({ type: 'get_config_reply', ...plain(f) }),
  OFPSetConfig: f => ({ type: 'set_config', ...plain(f) }),
  OFPPacketIn: f => ({
    type: 'packet_in',
    ...plain(f, 'data', 'reason'),
    reason: word(['no_match', 'action', 'invalid_ttl'], f['reason']),
    payload: base64(f['data']),
  }),
  OFPPacketOut: f => ({ type: 'packet_out', ...plain(f, 'data', 'actions_len'), payload: base64(f['data']) }),
  OFPFlowRemoved: f => ({
    type: 'flow_removed',
    ...plain(f, 'reason'),
    reason: word(['idle_timeout', 'hard_timeout', 'delete', 'group_delete'], f['reason']),
  }),
  OFPPortStatus: f => ({
    type: 'port_status',
    reason: word(['add', 'delete', 'modify'], f['reason']),
    port: translate(f['desc']),
  }),
  OFPFlowMod: f => ({ type: 'flow_mod', ...plain(f, 'command'), command: word(commands, f['command']) }),
  OFPGroupMod: f => ({
    type: 'group_mod',
    ...plain(f, 'command'),
    command: word(groupCommands, f['command']),
    groupType: word(groupTypes, f['type']),
  }),
  OFPGroupDescStats: f => ({ ...plain(f), groupType: word(groupTypes, f['type']) }),
  OFPMeterMod: f => ({ type: 'meter_mod', ...plain(f, 'command'), command: word(groupCommands, f['command']) }),
  OFPMeterBandDrop: f => ({ type: 'drop', ...plain(f) }),
  OFPMeterBandDscpRemark: f => ({ type: 'dscp_remark', ...plain(f) }),
  OFPMeterBandExperimenter: f => ({ type: 'experimenter', ...plain(f), payload: Buffer.alloc(0) }),
  OFPPortMod: f => ({ type: 'port_mod', ...plain(f) }),
  OFPTableMod: f => ({ type: 'table_mod', ...plain(f) }),
  OFPBarrierRequest: () => ({ type: 'barrier_request' }),
  OFPBarrierReply: () => ({ type: 'barrier_reply' }),
  OFPRoleRequest: f => ({ type: 'role_request', ...plain(f, 'role'), role: word(roles, f['role']) }),
  OFPRoleReply: f => ({ type: 'role_reply', ...plain(f, 'role'), role: word(roles, f['role']) }),
  OFPGetAsyncRequest: () => ({ type: 'get_async_request' }),
  OFPGetAsyncReply: f => ({ type: 'get_async_reply', ...plain(f) }),
  OFPSetAsync: f => ({ type: 'set_async', ...plain(f) }),
  OFPQueueGetConfigRequest: ({ port }) => ({ type: 'queue_get_config_request', portNo: port }),
  OFPQueueGetConfigReply: f => ({
    type: 'queue_get_config_reply',
    portNo: f['port'],
    queues: f['queues'].map(translate),
  }),
  OFPPacketQueue: f => ({ ...plain(f, 'port'), portNo: f['port'] }),
  OFPQueuePropMinRate: ({ rate }) => ({ type: 'min_rate', rate }),
  OFPQueuePropMaxRate: ({ rate }) => ({ type: 'max_rate', rate }),
  OFPQueuePropExperimenter: f => ({
    type: 'experimenter',
    experimenter: f['experimenter'],
    payload: Buffer.from(f['data']),
  }),
  OFPTableFeaturesStatsRequest: f => ({ type: 'multipart_request', flags: f['flags'], body: list(f['body']) }),
  OFPTableFeaturePropInstructions: f => ({
    type: tableProperties[f['type']],
    instructions: f['instruction_ids'].map((i: Json) => ({ type: instructionIds[i.OFPInstructionId.type] })),
  }),
  OFPTableFeaturePropNextTables: f => ({ type: tableProperties[f['type']], tableIds: f['table_ids'] }),
  OFPTableFeaturePropActions: f => ({
    type: tableProperties[f['type']],
    actions: f['action_ids'].map((a: Json) => ({ type: actionIds[a.OFPActionId.type] })),
  }),
  OFPTableFeaturePropOxm: f => ({
    type: tableProperties[f['type']],
    fields: f['oxm_ids'].map(({ OFPOxmId: id }: Json) => ({
      field: id.type,
      hasMask: id.hasmask === 1,
      length: id.length,
    })),
  }),
  // Its data are 32-bit words.
  OFPTableFeaturePropExperimenter: f => {
    const payload = Buffer.alloc(f['data'].length * 4)
    for (const [i, value] of f['data'].entries()) payload.writeUInt32BE(value, i * 4)
    return {
      type: tableProperties[f['type']],
      experimenter: f['experimenter'],
      expType: f['exp_type'],
      payload,
    }
  },
  ONFFlowMonitorStatsRequest: f => ({ type: 'multipart_request', flags: f['flags'], body: list(f['body']) }),
  ONFFlowMonitorRequest: f => ({ ...plain(f, 'match_len'), bareMatch: true }),
  OFPExperimenterStatsRequest: f => ({
    type: 'multipart_request',
    flags: f['flags'],
    body: { type: 'experimenter', ...experimenter(f) },
  }),
  OFPActionSetField: ({ field }) => {
    const [name, value] = oxm(field.OXMTlv)
    return { type: 'set_field', field: name, value }
  },
  OFPActionExperimenterUnknown: ({ experimenter, data }) => ({
    type: 'experimenter',
    experimenter,
    payload: base64(data),
  }),
  NXActionUnknown: ({ experimenter, subtype, data }) => ({
    type: 'experimenter',
    experimenter,
    payload: Buffer.concat([Buffer.from([subtype >> 8, subtype & 0xff]), base64(data)]),
  }),
  OFPActionSetMplsTtl: f => ({ type: 'set_mpls_ttl', ttl: f['mpls_ttl'] }),
  OFPActionSetNwTtl: f => ({ type: 'set_nw_ttl', ttl: f['nw_ttl'] }),
  OFPInstructionActions: f => ({
    type: word(['', '', '', 'write_actions', 'apply_actions', 'clear_actions'], f['type']),
    ...(f['type'] === 5 ? {} : { actions: f['actions'].map(translate) }),
  }),
}

const translateAny = (value: Json): Json =>
  Array.isArray(value)
    ? value.map(translateAny)
    : typeof value === 'object' && value !== null && !(value instanceof Uint8Array)
      ? translate(value)
      : value

function translate(json: Json): Json {
  const [name, fields] = Object.entries<Fields>(json)[0]!
  const known = translators[name]
  if (known) return known(fields)
  if (name in requestBodies)
    return {
      type: 'multipart_request',
      flags: fields['flags'],
      body: { type: requestBodies[name], ...plain(fields, 'flags') },
    }
  if (name.endsWith('StatsReply')) return reply(fields)
  const action = /^OFP(?:Action|Instruction)(\w+)$/.exec(name)
  if (action) return { type: snake(action[1]!), ...plain(fields) }
  return plain(fields)
}

/** Numbers beyond 2 ** 53 become bigints: their digits are taken from the text. */
export const readRyu = (text: string): Json =>
  translate(
    (JSON.parse as ParseWithSource)(text, (_, value, { source }) =>
      typeof value === 'number' && !Number.isSafeInteger(value) ? BigInt(source) : value,
    ),
  )
/** Node 24 hands the text of a value to the reviver; the types do not know it yet. */
type ParseWithSource = (
  text: string,
  reviver: (key: string, value: unknown, context: { source: string }) => unknown,
) => Json

/** Where two values differ; a number and a bigint are the same if they count the same. */
export function differences(ours: any, theirs: any, path = ''): string[] {
  if (typeof ours === 'bigint' && typeof theirs === 'number') return ours === BigInt(theirs) ? [] : [path]
  if (ours instanceof Uint8Array || theirs instanceof Uint8Array)
    return Buffer.from(ours ?? '').equals(Buffer.from(theirs ?? '')) ? [] : [`${path}: other bytes`]
  if (typeof ours !== 'object' || ours === null || typeof theirs !== 'object' || theirs === null)
    return ours === theirs ? [] : [`${path}: ${String(ours)} is not ${String(theirs)}`]
  const keys = new Set([...Object.keys(ours), ...Object.keys(theirs)])
  return [...keys].flatMap(key => differences(ours[key], theirs[key], `${path}.${key}`))
}
