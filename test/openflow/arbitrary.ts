// Random values of every type. The tables are keyed by type, so a type without a generator does not compile.
import fc, { type Arbitrary } from 'fast-check'
import type {
  Action,
  Bucket,
  FieldRef,
  FlowStats,
  Instruction,
  LearnSpec,
  Match,
  Message,
  MessageOf,
  MessageType,
  MeterBand,
  MultipartReply,
  MultipartRequest,
  PortDesc,
  TableFeatureProperty,
} from '../../openflow/index.ts'
import { type FieldName, fieldTable } from '../../openflow/messages/fields.ts'

const u8 = fc.integer({ min: 0, max: 0xff })
export const u16 = fc.integer({ min: 0, max: 0xffff })
export const u32 = fc.integer({ min: 0, max: 0xffffffff })
const u64 = fc.bigInt({ min: 0n, max: 0xffffffffffffffffn })
const u128 = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n })
const bytes = (minLength: number, maxLength: number): Arbitrary<Buffer> =>
  fc.uint8Array({ minLength, maxLength }).map(array => Buffer.from(array))
const blob = bytes(0, 40)
const few = <T>(item: Arbitrary<T>): Arbitrary<T[]> => fc.array(item, { maxLength: 4 })
const one = <const T extends string>(...words: T[]): Arbitrary<T> => fc.constantFrom(...words)
const record = <T>(shape: { [K in keyof T]: Arbitrary<T[K]> }): Arbitrary<T> =>
  fc.record(shape, { noNullPrototype: true }) as Arbitrary<T>
/** Some of the fields, in any order. */
const partial = (shape: Record<string, Arbitrary<unknown>>): Arbitrary<any> =>
  fc
    .shuffledSubarray(Object.keys(shape))
    .chain(names =>
      fc.tuple(...names.map(name => shape[name]!)).map(all => Object.fromEntries(names.map((n, i) => [n, all[i]]))),
    )

export const mac = bytes(6, 6).map(b => b.toString('hex').replace(/..(?=.)/g, '$&:'))
export const ipv4 = bytes(4, 4).map(b => b.join('.'))
/** Written by somebody else's code, as RFC 5952 wants it. Many zeros, so that they are left out in every place. */
export const ipv6 = fc
  .array(fc.oneof(fc.constant(0), u16), { minLength: 8, maxLength: 8 })
  .map(groups => new URL(`http://[${groups.map(g => g.toString(16)).join(':')}]/`).hostname.slice(1, -1))

const u24 = fc.integer({ min: 0, max: 0xffffff })
const kinds: Record<string, Arbitrary<unknown>> = { u8, u16, u24, u32, u64, u128, mac, ipv4, ipv6, bytes: bytes(0, 60) }
const fieldNames = Object.keys(fieldTable) as FieldName[]
const masked = (value: Arbitrary<unknown>): Arbitrary<unknown> =>
  fc.record({ value, mask: value }, { noNullPrototype: true })
const maskedBytes = fc
  .integer({ min: 0, max: 60 })
  .chain(n => fc.record({ value: bytes(n, n), mask: bytes(n, n) }, { noNullPrototype: true }))

const fieldValue = (name: FieldName): Arbitrary<any> => {
  const kind = fieldTable[name][2]
  return fc.oneof(kinds[kind]!, kind === 'bytes' ? maskedBytes : masked(kinds[kind]!))
}
const unknownField = fc.oneof(
  fc.tuple(
    fc.integer({ min: 0, max: 127 }).map(n => `oxm_0x1234_${n}`),
    fc.oneof(blob, maskedBytes),
  ),
  fc.tuple(
    fc.integer({ min: 0, max: 127 }).map(n => `experimenter_0x00abcdef_${n}`),
    fc.oneof(blob, maskedBytes),
  ),
)
export const match: Arbitrary<Match> = fc
  .tuple(fc.shuffledSubarray(fieldNames, { maxLength: 8 }), fc.array(unknownField, { maxLength: 1 }))
  .chain(([names, unknown]) =>
    fc
      .tuple(...names.map(fieldValue))
      .map(values => Object.fromEntries([...names.map((name, i) => [name, values[i]]), ...unknown]) as Match),
  )

const withLength = fieldNames.filter(name => fieldTable[name][2] !== 'bytes' && name !== 'pbb_uca')
const ofFourBytes = withLength.filter(
  name => !['nicira', 'nsh', 'onf'].includes(fieldTable[name][0]) && name !== 'nxm_of_in_port',
)
const fieldRef: Arbitrary<FieldRef> = fc.oneof(
  fc.constantFrom(...withLength),
  fc.constantFrom('tun_metadata3:16', 'oxm_0x1234_5:260', 'experimenter_0x00abcdef_5:6', 'eth_dst:268'),
) as Arbitrary<FieldRef>
const fieldRef4: Arbitrary<FieldRef> = fc.constantFrom(...ofFourBytes)
const range = record({ offset: fc.integer({ min: 0, max: 1023 }), nBits: fc.integer({ min: 1, max: 64 }) })
const place = record({ field: fieldRef, offset: u16 })
const reason = one('no_match', 'action', 'invalid_ttl', 'action_set', 'group', 'packet_out')

type Of<U extends { type: string }, T extends U['type']> = Extract<U, { type: T }>
type Table<U extends { type: string }> = { [T in U['type']]: Arbitrary<Omit<Of<U, T>, 'type'>> }
const tagged = <U extends { type: string }>(table: Table<U>): Arbitrary<U> =>
  fc.oneof(
    { maxDepth: 3 },
    ...Object.entries<Arbitrary<object>>(table as any).map(([type, body]) =>
      body.map(b => ({ type, ...b }) as unknown as U),
    ),
  )

const none = fc.constant({})
const ttl = record({ ttl: u8 })
const ethertype = record({ ethertype: u16 })
const resubmit = record({ inPort: u16, tableId: u8 })
const stack = record({ offset: u16, field: fieldRef, nBits: u16 })
const sampled = { probability: u16, collectorSetId: u32, obsDomainId: u32, obsPointId: u32 }
const sample2 = record({ ...sampled, samplingPort: u16, direction: u8 })

const nBits = fc.integer({ min: 1, max: 2047 })
const learnSource = (bits: number): Arbitrary<any> => {
  const size = ((bits + 15) >> 4) * 2
  return fc.oneof(place, record({ value: bytes(size, size) }))
}
const learnSpec: Arbitrary<LearnSpec> = nBits.chain(n =>
  fc.oneof(
    record({ type: one('match', 'load'), nBits: fc.constant(n), src: learnSource(n), dst: place }),
    record({ type: one('output'), nBits: fc.constant(n), src: learnSource(n) }),
  ),
) as Arbitrary<LearnSpec>
const learnHead = {
  idleTimeout: u16,
  hardTimeout: u16,
  priority: u16,
  cookie: u64,
  tableId: u8,
  finIdleTimeout: u16,
  finHardTimeout: u16,
  specs: few(learnSpec),
}
const field = fc.constantFrom(...fieldNames.filter(name => fieldTable[name][2] !== 'bytes'))
const assignment = field.chain(name =>
  record({ field: fc.constant(name), value: kinds[fieldTable[name][2]] as Arbitrary<any> }),
)
const maskedAssignment = field.chain(name => {
  const value = kinds[fieldTable[name][2]] as Arbitrary<any>
  return record({ field: fc.constant(name), value, mask: value })
})
const note = fc.integer({ min: 0, max: 3 }).chain(n => bytes(6 + 8 * n, 6 + 8 * n))
const eights = fc.integer({ min: 0, max: 3 }).chain(n => bytes(8 * n, 8 * n))
const four = (n: Arbitrary<Buffer>): Arbitrary<Buffer> => n.map(b => Buffer.concat([b, Buffer.alloc(4)]))

/** Actions inside actions: no deeper than the codec goes. */
const actionsOf = (depth: number): Arbitrary<Action[]> => (depth === 0 ? fc.constant([]) : few(actionAt(depth - 1)))
const actionAt = (depth: number): Arbitrary<Action> =>
  tagged<Action>({
    output: record({ port: u32, maxLen: u16 }),
    copy_ttl_out: none,
    copy_ttl_in: none,
    set_mpls_ttl: ttl,
    dec_mpls_ttl: none,
    push_vlan: ethertype,
    pop_vlan: none,
    push_mpls: ethertype,
    pop_mpls: ethertype,
    set_queue: record({ queueId: u32 }),
    group: record({ groupId: u32 }),
    set_nw_ttl: ttl,
    dec_nw_ttl: none,
    set_field: fc.oneof(assignment, maskedAssignment),
    push_pbb: ethertype,
    pop_pbb: none,
    resubmit,
    resubmit_table: resubmit,
    resubmit_table_ct: resubmit,
    set_tunnel: record({ tunId: u32 }),
    set_tunnel64: record({ tunId: u64 }),
    nx_set_queue: record({ queueId: u32 }),
    pop_queue: none,
    move: record({ nBits: u16, srcOffset: u16, dstOffset: u16, src: fieldRef, dst: fieldRef }),
    copy_field: record({ nBits: u16, srcOffset: u16, dstOffset: u16, src: fieldRef, dst: fieldRef }),
    load: record({ range, dst: fieldRef4, value: u64 }),
    load2: fc.oneof(assignment, maskedAssignment),
    note: record({ note }),
    multipath: record({
      fields: u16,
      basis: u16,
      algorithm: u16,
      maxLink: u16,
      arg: u32,
      range,
      dst: fieldRef4,
    }),
    bundle: record({ algorithm: u16, fields: u16, basis: u16, memberType: fieldRef4, members: few(u16) }),
    bundle_load: record({
      algorithm: u16,
      fields: u16,
      basis: u16,
      memberType: fieldRef4,
      range,
      dst: fieldRef4,
      members: few(u16),
    }),
    output_reg: record({ range, src: fieldRef4, maxLen: u16 }),
    output_reg2: record({ range, maxLen: u16, src: fieldRef }),
    learn: record({ ...learnHead, flags: u16 }),
    learn2: fc.oneof(
      record({ ...learnHead, limit: u32, flags: fc.integer({ min: 0, max: 3 }) }),
      record({ ...learnHead, limit: u32, flags: fc.integer({ min: 4, max: 7 }), result: place }),
    ),
    exit: none,
    nx_dec_ttl: none,
    fin_timeout: record({ finIdleTimeout: u16, finHardTimeout: u16 }),
    controller: record({ maxLen: u16, controllerId: u16, reason }),
    dec_ttl_cnt_ids: record({ controllerIds: few(u16) }),
    nx_write_metadata: record({ metadata: u64, metadataMask: u64 }),
    nx_push_mpls: ethertype,
    nx_pop_mpls: ethertype,
    nx_set_mpls_ttl: ttl,
    nx_dec_mpls_ttl: none,
    stack_push: stack,
    stack_pop: stack,
    sample: record(sampled),
    sample2,
    sample3: sample2,
    nx_set_mpls_label: record({ label: u32 }),
    nx_set_mpls_tc: record({ tc: u8 }),
    conjunction: record({ clause: u8, nClauses: u8, id: u32 }),
    ct: record({
      flags: u16,
      zone: fc
        .oneof(
          u16,
          fc.tuple(place, range).map(([{ field }, r]) => ({ field, ...r })),
        )
        .filter(z => typeof z === 'number' || (ofFourBytes as string[]).includes(z.field)),
      recircTable: u8,
      alg: u16,
      actions: actionsOf(depth),
    }),
    nat: record({ flags: u16 }).chain(head =>
      partial({ ipv4Min: ipv4, ipv4Max: ipv4, ipv6Min: ipv6, ipv6Max: ipv6, protoMin: u16, protoMax: u16 }).map(r => ({
        ...head,
        ...r,
      })),
    ),
    controller2: partial({
      maxLen: u16,
      controllerId: u16,
      reason,
      userdata: blob,
      pause: fc.constant(true),
      meterId: u32,
      property_77: blob,
    }),
    output_trunc: record({ port: u16, maxLen: u32 }),
    nx_group: record({ groupId: u32 }),
    clone: record({ actions: actionsOf(depth) }),
    ct_clear: none,
    encap: record({ hdrSize: u16, newPktType: u32, payload: eights }),
    decap: record({ newPktType: u32 }),
    dec_nsh_ttl: none,
    check_pkt_larger: record({ pktLen: u16, offset: u16, dst: fieldRef }),
    delete_field: record({ field: fieldRef }),
    debug_slow: none,
    debug_recirc: none,
    experimenter: record({ experimenter: fc.constantFrom(0x1234, 0xffffffff), payload: eights }),
    unknown: record({ code: fc.constantFrom(1, 99, 0xfffe), payload: four(eights) }),
  })
export const action = actionAt(1)

export const instruction: Arbitrary<Instruction> = tagged<Instruction>({
  goto_table: record({ tableId: u8 }),
  write_metadata: record({ metadata: u64, metadataMask: u64 }),
  write_actions: record({ actions: few(action) }),
  apply_actions: record({ actions: few(action) }),
  clear_actions: none,
  meter: record({ meterId: u32 }),
  experimenter: record({ experimenter: u32, payload: eights }),
  unknown: record({ code: fc.constantFrom(0, 7, 0xfffe), payload: four(eights) }),
})
const instructions = few(instruction)

const text = (size: number): Arbitrary<string> =>
  fc
    .string({ unit: 'binary', maxLength: size })
    .filter(s => !s.includes('\0') && s.isWellFormed() && Buffer.byteLength(s) <= size)

const portDesc: Arbitrary<PortDesc> = record({
  portNo: u32,
  hwAddr: mac,
  name: text(16),
  config: u32,
  state: u32,
  curr: u32,
  advertised: u32,
  supported: u32,
  peer: u32,
  currSpeed: u32,
  maxSpeed: u32,
})
export const bucket: Arbitrary<Bucket> = record({ weight: u16, watchPort: u32, watchGroup: u32, actions: few(action) })
const groupType = one('all', 'select', 'indirect', 'ff')
const band: Arbitrary<MeterBand> = tagged<MeterBand>({
  drop: record({ rate: u32, burstSize: u32 }),
  dscp_remark: record({ rate: u32, burstSize: u32, precLevel: u8 }),
  experimenter: record({ rate: u32, burstSize: u32, experimenter: u32, payload: blob }),
  unknown: record({ code: fc.constantFrom(0, 3, 0xfffe), payload: blob }),
})
const ids = record({
  instructions: few(
    fc.oneof(
      one('goto_table', 'meter').map(type => ({ type })),
      fc.constant({ type: 'experimenter' as const, experimenter: 7, payload: Buffer.from('ab') }),
    ),
  ),
})
const actionIds = record({ actions: few(one('output', 'set_field', 'pop_pbb').map(type => ({ type }))) })
const tableIds = record({ tableIds: few(u8) })
const oxmId = record({
  field: fc.constantFrom(
    ...withLength,
    'tun_metadata9' as const,
    'oxm_0x1234_9' as const,
    'experimenter_0x4f4e4600_0' as const,
  ),
  hasMask: fc.boolean(),
  length: u8,
})
const oxmIds = record({ fields: few(oxmId) })
const experimental = record({ experimenter: u32, expType: u32, payload: blob })
const tableProperty: Arbitrary<TableFeatureProperty> = tagged<TableFeatureProperty>({
  instructions: ids,
  instructions_miss: ids,
  next_tables: tableIds,
  next_tables_miss: tableIds,
  write_actions: actionIds,
  write_actions_miss: actionIds,
  apply_actions: actionIds,
  apply_actions_miss: actionIds,
  match: oxmIds,
  wildcards: oxmIds,
  write_setfield: oxmIds,
  write_setfield_miss: oxmIds,
  apply_setfield: oxmIds,
  apply_setfield_miss: oxmIds,
  experimenter: experimental,
  experimenter_miss: experimental,
  unknown: record({ code: fc.constantFrom(9, 11, 16), payload: blob }),
})
const tableFeatures = record({
  tables: few(
    record({
      tableId: u8,
      name: text(32),
      metadataMatch: u64,
      metadataWrite: u64,
      config: u32,
      maxEntries: u32,
      properties: few(tableProperty),
    }),
  ),
})

const filter = record({ tableId: u8, outPort: u32, outGroup: u32, cookie: u64, cookieMask: u64, match })
const bareMatch = fc.oneof(fc.constant({}), fc.constant({ bareMatch: true as const }))

type RequestBody = MultipartRequest['body']
const request: Arbitrary<RequestBody> = tagged<RequestBody>({
  desc: none,
  flow: filter,
  aggregate: filter,
  table: none,
  port_stats: record({ portNo: u32 }),
  queue: record({ portNo: u32, queueId: u32 }),
  group: record({ groupId: u32 }),
  group_desc: none,
  group_features: none,
  meter: record({ meterId: u32 }),
  meter_config: record({ meterId: u32 }),
  meter_features: none,
  table_features: tableFeatures,
  port_desc: none,
  flow_monitor: record({
    monitors: few(
      fc
        .tuple(record({ id: u32, flags: u16, outPort: u32, tableId: u8, match }), bareMatch)
        .map(([head, bare]) => ({ ...head, ...bare })),
    ),
  }),
  experimenter: experimental,
})

export const flowStats: Arbitrary<FlowStats> = record({
  tableId: u8,
  durationSec: u32,
  durationNsec: u32,
  priority: u16,
  idleTimeout: u16,
  hardTimeout: u16,
  flags: u16,
  cookie: u64,
  packetCount: u64,
  byteCount: u64,
  match,
  instructions,
})
const update = fc.oneof(
  record({ event: one('abbrev'), xid: u32 }),
  fc
    .tuple(
      record({
        event: one('added', 'deleted', 'modified'),
        reason: u16,
        priority: u16,
        idleTimeout: u16,
        hardTimeout: u16,
        tableId: u8,
        cookie: u64,
        match,
        instructions,
      }),
      bareMatch,
    )
    .map(([head, bare]) => ({ ...head, ...bare })),
)

type ReplyBody = MultipartReply['body']
const reply: Arbitrary<ReplyBody> = tagged<ReplyBody>({
  desc: record({ mfrDesc: text(256), hwDesc: text(256), swDesc: text(256), serialNum: text(32), dpDesc: text(256) }),
  flow: record({ flows: few(flowStats) }),
  aggregate: record({ packetCount: u64, byteCount: u64, flowCount: u32 }),
  table: record({ tables: few(record({ tableId: u8, activeCount: u32, lookupCount: u64, matchedCount: u64 })) }),
  port_stats: record({
    ports: few(
      record({
        portNo: u32,
        rxPackets: u64,
        txPackets: u64,
        rxBytes: u64,
        txBytes: u64,
        rxDropped: u64,
        txDropped: u64,
        rxErrors: u64,
        txErrors: u64,
        rxFrameErr: u64,
        rxOverErr: u64,
        rxCrcErr: u64,
        collisions: u64,
        durationSec: u32,
        durationNsec: u32,
      }),
    ),
  }),
  queue: record({
    queues: few(
      record({
        portNo: u32,
        queueId: u32,
        txBytes: u64,
        txPackets: u64,
        txErrors: u64,
        durationSec: u32,
        durationNsec: u32,
      }),
    ),
  }),
  group: record({
    groups: few(
      record({
        groupId: u32,
        refCount: u32,
        packetCount: u64,
        byteCount: u64,
        durationSec: u32,
        durationNsec: u32,
        bucketStats: few(record({ packetCount: u64, byteCount: u64 })),
      }),
    ),
  }),
  group_desc: record({ groups: few(record({ groupType, groupId: u32, buckets: few(bucket) })) }),
  group_features: record({
    types: u32,
    capabilities: u32,
    maxGroups: fc.array(u32, { minLength: 4, maxLength: 4 }),
    actions: fc.array(u32, { minLength: 4, maxLength: 4 }),
  }),
  meter: record({
    meters: few(
      record({
        meterId: u32,
        flowCount: u32,
        packetInCount: u64,
        byteInCount: u64,
        durationSec: u32,
        durationNsec: u32,
        bandStats: few(record({ packetBandCount: u64, byteBandCount: u64 })),
      }),
    ),
  }),
  meter_config: record({ meters: few(record({ flags: u16, meterId: u32, bands: few(band) })) }),
  meter_features: record({ maxMeter: u32, bandTypes: u32, capabilities: u32, maxBands: u8, maxColor: u8 }),
  table_features: tableFeatures,
  port_desc: record({ ports: few(portDesc) }),
  flow_monitor: record({ updates: few(update) }),
  experimenter: experimental,
})

const pair = fc.array(u32, { minLength: 2, maxLength: 2 })
const masks = record({ packetInMask: pair, portStatusMask: pair, flowRemovedMask: pair })
const role = record({ role: one('nochange', 'equal', 'master', 'slave'), generationId: u64 })
const config = record({ flags: u16, missSendLen: u16 })
const payload = record({ payload: blob })
const version = fc.oneof(
  fc.constant({}),
  fc.constantFrom(1, 3, 5, 6, 255).map(version => ({ version })),
)
const versions = fc.uniqueArray(u8, { maxLength: 5 }).map(all => all.sort((a, b) => a - b))
const helloElement = fc.oneof(
  record({ type: one('versionbitmap'), versions }),
  record({ type: one('unknown'), code: fc.constantFrom(0, 2, 0xffff), payload: blob }),
)
const queueProperty = fc.oneof(
  record({ type: one('min_rate', 'max_rate'), rate: u16 }),
  record({ type: one('experimenter'), experimenter: u32, payload: blob }),
  record({ type: one('unknown'), code: fc.constantFrom(0, 3), payload: blob }),
)
const property = fc.oneof(
  record({ type: one('experimenter'), experimenter: u32, payload: blob }),
  record({ type: one('unknown'), code: u8, payload: blob }),
)
const mappings = few(record({ optionClass: u16, optionType: u8, optionLen: u8, index: u16 }))
const packetIn2 = record({
  properties: partial({
    packet: blob,
    fullLen: u32,
    bufferId: u32,
    tableId: u8,
    cookie: u64,
    reason,
    metadata: match,
    userdata: blob,
    continuation: blob,
    property_99: blob,
  }),
})
const asyncNames = ['packetIn', 'portStatus', 'flowRemoved', 'roleStatus', 'tableStatus', 'requestforward']
const asyncMasks = Object.fromEntries(
  asyncNames.flatMap(n => [
    [`${n}Slave`, u32],
    [`${n}Master`, u32],
  ]),
)

const maybeProperties = fc.oneof(
  fc.constant({}),
  few(property)
    .filter(p => p.length > 0)
    .map(properties => ({ properties })),
)
const enclosed: Arbitrary<Message> = fc.oneof(
  record<MessageOf<'barrier_request'>>({ type: one('barrier_request'), xid: u32 }),
  record<MessageOf<'echo_request'>>({ type: one('echo_request'), xid: u32, payload: blob }),
)
const bundleAdd = fc
  .tuple(record({ bundleId: u32, flags: u16, message: enclosed }), maybeProperties)
  .map(([head, more]) => ({ ...head, ...more }))

type Bodies = { readonly [T in MessageType]: Arbitrary<Omit<MessageOf<T>, 'type' | 'xid'>> }
const bodies: Bodies = {
  hello: fc.tuple(record({ elements: few(helloElement) }), version).map(([head, v]) => ({ ...head, ...v })),
  error: fc
    .tuple(
      fc.oneof(
        record({ errorType: fc.integer({ min: 0, max: 0xfffe }), errorCode: u16, payload: blob }),
        record({ errorType: fc.constant(0xffff), errorCode: u16, experimenter: u32, payload: blob }),
      ),
      version,
    )
    .map(([head, v]) => ({ ...head, ...v })),
  echo_request: payload,
  echo_reply: payload,
  features_request: none,
  features_reply: record({
    datapathId: u64,
    nBuffers: u32,
    nTables: u8,
    auxiliaryId: u8,
    capabilities: u32,
  }),
  get_config_request: none,
  get_config_reply: config,
  set_config: config,
  packet_in: record({
    bufferId: u32,
    totalLen: u16,
    reason: one('no_match', 'action', 'invalid_ttl'),
    tableId: u8,
    cookie: u64,
    match,
    payload: blob,
  }),
  flow_removed: record({
    cookie: u64,
    priority: u16,
    reason: one('idle_timeout', 'hard_timeout', 'delete', 'group_delete', 'meter_delete', 'eviction'),
    tableId: u8,
    durationSec: u32,
    durationNsec: u32,
    idleTimeout: u16,
    hardTimeout: u16,
    packetCount: u64,
    byteCount: u64,
    match,
  }),
  port_status: record({ reason: one('add', 'delete', 'modify'), port: portDesc }),
  packet_out: record({ bufferId: u32, inPort: u32, actions: few(action), payload: blob }),
  flow_mod: record({
    cookie: u64,
    cookieMask: u64,
    tableId: u8,
    command: one('add', 'modify', 'modify_strict', 'delete', 'delete_strict'),
    idleTimeout: u16,
    hardTimeout: u16,
    priority: u16,
    bufferId: u32,
    outPort: u32,
    outGroup: u32,
    flags: u16,
    match,
    instructions,
  }),
  group_mod: record({ command: one('add', 'modify', 'delete'), groupType, groupId: u32, buckets: few(bucket) }),
  meter_mod: record({ command: one('add', 'modify', 'delete'), flags: u16, meterId: u32, bands: few(band) }),
  port_mod: record({ portNo: u32, hwAddr: mac, config: u32, mask: u32, advertise: u32 }),
  table_mod: record({ tableId: u8, config: u32 }),
  barrier_request: none,
  barrier_reply: none,
  queue_get_config_request: record({ portNo: u32 }),
  queue_get_config_reply: record({
    portNo: u32,
    queues: few(record({ queueId: u32, portNo: u32, properties: few(queueProperty) })),
  }),
  role_request: role,
  role_reply: role,
  get_async_request: none,
  get_async_reply: masks,
  set_async: masks,
  multipart_request: record({ flags: u16, body: request }),
  multipart_reply: record({ flags: u16, body: reply }),
  experimenter: experimental,
  bundle_control: fc
    .tuple(
      record({ bundleId: u32, ctrlType: one('open_request', 'close_reply', 'discard_request'), flags: u16 }),
      maybeProperties,
    )
    .map(([head, more]) => ({ ...head, ...more })),
  bundle_add: bundleAdd,
  requestforward: record({ message: enclosed }),
  role_status: record({
    role: one('nochange', 'equal', 'master', 'slave'),
    reason: one('master_request', 'config', 'experimenter'),
    generationId: u64,
    properties: few(property),
  }),
  flow_monitor_cancel: record({ id: u32 }),
  flow_monitor_paused: none,
  flow_monitor_resumed: none,
  set_packet_in_format: record({ format: one('standard', 'nxt_packet_in', 'nxt_packet_in2') }),
  nx_packet_in: record({ bufferId: u32, totalLen: u16, reason, tableId: u8, cookie: u64, match, payload: blob }),
  nx_set_async: masks,
  set_controller_id: record({ controllerId: u16 }),
  tlv_table_mod: record({ command: one('add', 'delete', 'clear'), mappings }),
  tlv_table_request: none,
  tlv_table_reply: record({ maxOptionSpace: u32, maxFields: u16, mappings }),
  set_async2: record({ properties: partial(asyncMasks) }),
  resume: packetIn2,
  packet_in2: packetIn2,
  ct_flush_zone: record({ zone: u16 }),
}

export const messageOf = (type: MessageType): Arbitrary<Message> =>
  fc.tuple(u32, bodies[type] as Arbitrary<object>).map(([xid, body]) => ({ type, xid, ...body }) as Message)
export const messageTypes = Object.keys(bodies) as MessageType[]
export const message: Arbitrary<Message> = fc.constantFrom(...messageTypes).chain(messageOf)
