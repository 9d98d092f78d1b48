// Extensions, written by hand: the ONF's for 1.3, and Open vSwitch's as its headers nicira-ext.h and ofp-actions.c define them.
import type { Action, Match, Message } from '../../../openflow/index.ts'
import { flowMod } from '../../../openflow/index.ts'
import type { Written } from './messages.ts'

const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex')
const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0')
const compact = (wire: string): string => wire.replace(/\/\/.*$/gm, '').replace(/\s+/g, '')

/** A packet-out of these actions alone. */
const action = (name: string, wire: string, ...actions: Action[]): Written => {
  const size = compact(wire).length / 2
  return [
    name,
    `04 0d ${hex(24 + size, 4)} 00000001 ffffffff fffffffd ${hex(size, 4)} 000000000000\n${wire}`,
    { type: 'packet_out', xid: 1, bufferId: 0xffffffff, inPort: 0xfffffffd, actions, payload: bytes('') },
  ]
}
/** A flow-mod of this match alone. */
const match = (name: string, wire: string, match: Match): Written => {
  const size = 4 + compact(wire).length / 2
  const padding = (8 - (size % 8)) % 8
  return [
    name,
    `04 0e ${hex(48 + size + padding, 4)} 00000001 0000000000000000 0000000000000000 00 00 0000 0000 8000
     ffffffff ffffffff ffffffff 0000 0000
     0001 ${hex(size, 4)} ${wire}
     ${'00'.repeat(padding)}`,
    flowMod({ xid: 1, match }),
  ]
}
const message = (name: string, expType: number, wire: string, value: Message, experimenter = '00002320'): Written => [
  name,
  `04 04 ${hex(16 + compact(wire).length / 2, 4)} 00000001 ${experimenter} ${hex(expType, 8)}\n${wire}`,
  value,
]
const onf = '4f4e4600'

export const extensions: readonly Written[] = [
  message(
    'bundle control: open (ONF EXT-230)',
    2300,
    '00000007 0000 0003 // bundle 7, open, atomic and ordered',
    { type: 'bundle_control', xid: 1, bundleId: 7, ctrlType: 'open_request', flags: 3 },
    onf,
  ),
  message(
    'bundle control: commit reply with a property',
    2300,
    '00000007 0005 0003 ffff 000e 00000065 00000001 abcd 0000',
    {
      type: 'bundle_control',
      xid: 1,
      bundleId: 7,
      ctrlType: 'commit_reply',
      flags: 3,
      properties: [{ type: 'experimenter', experimenter: 101, payload: bytes('00000001abcd') }],
    },
    onf,
  ),
  message(
    'bundle add',
    2301,
    '00000007 0000 0003  04 14 0008 00000001',
    { type: 'bundle_add', xid: 1, bundleId: 7, flags: 3, message: { type: 'barrier_request', xid: 1 } },
    onf,
  ),
  message(
    'bundle add of a message of 12 bytes, padded, with a property',
    2301,
    '00000007 0000 0000  04 02 000c 00000001 61626364 00000000  ffff 0008 00000065',
    {
      type: 'bundle_add',
      xid: 1,
      bundleId: 7,
      flags: 0,
      message: { type: 'echo_request', xid: 1, payload: Buffer.from('abcd') },
      properties: [{ type: 'experimenter', experimenter: 101, payload: bytes('') }],
    },
    onf,
  ),
  message(
    'role status (ONF EXT-191)',
    1911,
    '00000003 00 000000 0000000000000009',
    {
      type: 'role_status',
      xid: 1,
      role: 'slave',
      reason: 'master_request',
      generationId: 9n,
      properties: [],
    },
    onf,
  ),
  message('flow monitor cancel', 1870, '00000005', { type: 'flow_monitor_cancel', xid: 1, id: 5 }, onf),
  message('flow monitor paused', 1871, '', { type: 'flow_monitor_paused', xid: 1 }, onf),
  message('flow monitor resumed', 1872, '', { type: 'flow_monitor_resumed', xid: 1 }, onf),
  message(
    'request forward',
    2350,
    '04 11 0010 00000009 01 000000 00000000',
    { type: 'requestforward', xid: 1, message: { type: 'table_mod', xid: 9, tableId: 1, config: 0 } },
    onf,
  ),
  message('NXT_SET_PACKET_IN_FORMAT', 16, '00000002', {
    type: 'set_packet_in_format',
    xid: 1,
    format: 'nxt_packet_in2',
  }),
  message('NXT_SET_CONTROLLER_ID', 20, '000000000000 0007', { type: 'set_controller_id', xid: 1, controllerId: 7 }),
  message(
    'NXT_PACKET_IN',
    17,
    `ffffffff 0002 01 00 0000000000000005 0008 000000000000 // 8 bytes of match
     80000004 00000003 0000 abcd`,
    {
      type: 'nx_packet_in',
      xid: 1,
      bufferId: 0xffffffff,
      totalLen: 2,
      reason: 'action',
      tableId: 0,
      cookie: 5n,
      match: { in_port: 3 },
      payload: bytes('abcd'),
    },
  ),
  message(
    'NXT_PACKET_IN2',
    30,
    `0000 0006 abcd 0000                 // packet
     0001 0008 00000040                  // full length
     0003 0005 02 000000                 // table
     0004 0010 00000000 0000000000000005 // cookie
     0005 0005 04 000000                 // reason: group
     0006 000c 80000004 00000003 00000000 // metadata
     0007 0007 010203 00                 // user data
     0009 0005 ff 000000                 // not known`,
    {
      type: 'packet_in2',
      xid: 1,
      properties: {
        packet: bytes('abcd'),
        fullLen: 64,
        tableId: 2,
        cookie: 5n,
        reason: 'group',
        metadata: { in_port: 3 },
        userdata: bytes('010203'),
        property_9: bytes('ff'),
      },
    },
  ),
  message('NXT_TLV_TABLE_MOD', 24, '0000 000000000000 0102 03 04 0005 0000', {
    type: 'tlv_table_mod',
    xid: 1,
    command: 'add',
    mappings: [{ optionClass: 0x102, optionType: 3, optionLen: 4, index: 5 }],
  }),
  message('NXT_TLV_TABLE_REQUEST', 25, '', { type: 'tlv_table_request', xid: 1 }),
  message('NXT_TLV_TABLE_REPLY', 26, '00000100 0040 00000000000000000000', {
    type: 'tlv_table_reply',
    xid: 1,
    maxOptionSpace: 256,
    maxFields: 64,
    mappings: [],
  }),
  message('NXT_SET_ASYNC_CONFIG2', 27, '0001 0008 00000007 0000 0008 00000000', {
    type: 'set_async2',
    xid: 1,
    properties: { packetInMaster: 7, packetInSlave: 0 },
  }),
  message('NXT_CT_FLUSH_ZONE', 29, '000000000000 0009', { type: 'ct_flush_zone', xid: 1, zone: 9 }),

  match(
    'tunnel source and destination (class 0x0001, fields 31 and 32)',
    '00013e04 0a000001 00014108 0a000000 ffffff00',
    {
      tun_src: '10.0.0.1',
      tun_dst: { value: '10.0.0.0', mask: '255.255.255.0' },
    },
  ),
  match(
    'registers, marks and connection tracking',
    `00010004 00000001 00011f08 0000000f 000000ff // reg0, reg15 with mask
     80010008 0000000000000002                    // xreg0
     0001de10 00000000000000000000000000000003    // xxreg0
     00014204 00000004                            // pkt_mark
     0001d308 00000020 00000021 0001d402 0005     // ct_state, ct_zone
     0001d604 00000006 0001d810 00000000000000000000000000000007`,
    {
      reg0: 1,
      reg15: { value: 15, mask: 255 },
      xreg0: 2n,
      xxreg0: 3n,
      pkt_mark: 4,
      ct_state: { value: 0x20, mask: 0x21 },
      ct_zone: 5,
      ct_mark: 6,
      ct_label: 7n,
    },
  ),
  match(
    'fields of experimenters, and unknown ones',
    `ffff5406 4f4e4600 0012                       // ONF 42: tcp_flags
     ffff0007 4f4e4600 0a00 01                    // ONF, type 2560: pbb_uca
     ffff0a05 005ad650 fe                         // NSH 5: nsh_si
     ffff0c08 0000abcd 00000001
     8000c904 0102 ff00
     00015104 0a0b ff0f                           // tun_metadata0 with mask, 2 bytes`,
    {
      tcp_flags: 0x12,
      pbb_uca: 1,
      nsh_si: 254,
      experimenter_0x0000abcd_6: bytes('00000001'),
      oxm_0x8000_100: { value: bytes('0102'), mask: bytes('ff00') },
      tun_metadata0: { value: bytes('0a0b'), mask: bytes('ff0f') },
    },
  ),
  match('the same field in the forms of OXM and NXM', '80000606 020000000001 00000206 020000000001', {
    eth_dst: '02:00:00:00:00:01',
    nxm_of_eth_dst: '02:00:00:00:00:01',
  }),
  match(
    'every field with a mask that the mesh uses',
    `80000510 0000000000000005 00000003ffffffff 8000070c 0180c2000000 fffffffffff0 80000d04 1000 1000
     80001708 0a000000 ff000000 80003520 fe800000000000000000000000000000 ffffffffffffffff0000000000000000`,
    {
      metadata: { value: 5n, mask: 0x3ffffffffn },
      eth_dst: { value: '01:80:c2:00:00:00', mask: 'ff:ff:ff:ff:ff:f0' },
      vlan_vid: { value: 0x1000, mask: 0x1000 },
      ipv4_src: { value: '10.0.0.0', mask: '255.0.0.0' },
      ipv6_src: { value: 'fe80::', mask: 'ffff:ffff:ffff:ffff::' },
    },
  ),

  action('resubmit', 'ffff 0010 00002320 0001 0003 00 000000', { type: 'resubmit', inPort: 3, tableId: 0 }),
  action('resubmit to a table', 'ffff 0010 00002320 000e fff8 05 000000', {
    type: 'resubmit_table',
    inPort: 0xfff8,
    tableId: 5,
  }),
  action('set_tunnel', 'ffff 0010 00002320 0002 0000 00000007', { type: 'set_tunnel', tunId: 7 }),
  action('set_tunnel64', 'ffff 0018 00002320 0009 000000000000 0000000000000007', { type: 'set_tunnel64', tunId: 7n }),
  action('pop_queue', 'ffff 0010 00002320 0005 000000000000', { type: 'pop_queue' }),
  action('move', 'ffff 0018 00002320 0006 0030 0000 0000 80000806 80000606', {
    type: 'move',
    nBits: 48,
    srcOffset: 0,
    dstOffset: 0,
    src: 'eth_src',
    dst: 'eth_dst',
  }),
  action('load', 'ffff 0018 00002320 0007 004f 00010004 0000000000001234 // bits 1 to 16 of reg0', {
    type: 'load',
    range: { offset: 1, nBits: 16 },
    dst: 'reg0',
    value: 0x1234n,
  }),
  action('load under a mask', 'ffff 0018 00002320 0021 000000000000 80000d04 1005 1fff', {
    type: 'load2',
    field: 'vlan_vid',
    value: 0x1005,
    mask: 0x1fff,
  }),
  action('note', 'ffff 0018 00002320 0008 0102030405060708090a0b0c0d0e', {
    type: 'note',
    note: bytes('0102030405060708090a0b0c0d0e'),
  }),
  action('output to what a register says', 'ffff 0018 00002320 000f 001f 00010204 ffff 000000000000', {
    type: 'output_reg',
    range: { offset: 0, nBits: 32 },
    src: 'reg1',
    maxLen: 0xffff,
  }),
  action('output to what an experimenter field says', 'ffff 0018 00002320 0020 000f 0080 ffff0004 00002320 0000', {
    type: 'output_reg2',
    range: { offset: 0, nBits: 16 },
    maxLen: 128,
    src: 'nxet_dp_hash:4',
  }),
  action('output of the first bytes', 'ffff 0010 00002320 0027 0003 00000040', {
    type: 'output_trunc',
    port: 3,
    maxLen: 64,
  }),
  action('controller', 'ffff 0010 00002320 0014 0080 0007 00 00', {
    type: 'controller',
    maxLen: 128,
    controllerId: 7,
    reason: 'no_match',
  }),
  action(
    'controller2 with every property',
    `ffff 0048 00002320 0025 000000000000
     0000 0008 0080 0000            // max_len, with padding that its length counts
     0001 0008 0007 0000            // controller id
     0002 0005 04 000000            // reason: group
     0003 0007 010203 00            // user data
     0004 0004 00000000             // pause
     0005 0008 00000009             // meter
     0006 0005 ff 000000            // not known`,
    {
      type: 'controller2',
      maxLen: 128,
      controllerId: 7,
      reason: 'group',
      userdata: bytes('010203'),
      pause: true,
      meterId: 9,
      property_6: bytes('ff'),
    },
  ),
  action('conjunction', 'ffff 0010 00002320 0022 00 02 00000005', {
    type: 'conjunction',
    clause: 0,
    nClauses: 2,
    id: 5,
  }),
  action(
    'connection tracking with address translation',
    `ffff 0048 00002320 0023 0001 00000000 0005 03 000000 0015 // commit, zone 5, table 3, FTP
     ffff 0018 00002320 0024 0000 0001 0011 0a000001 0050 0000  // nat: source, from address and port
     ffff 0018 00002320 0007 001f 0001d604 0000000000000001     // load 1 to ct_mark`,
    {
      type: 'ct',
      flags: 1,
      zone: 5,
      recircTable: 3,
      alg: 21,
      actions: [
        { type: 'nat', flags: 1, ipv4Min: '10.0.0.1', protoMin: 80 },
        { type: 'load', range: { offset: 0, nBits: 32 }, dst: 'ct_mark', value: 1n },
      ],
    },
  ),
  action(
    'connection tracking in the zone that a register says',
    'ffff 0018 00002320 0023 0000 00010004 000f ff 000000 0000',
    {
      type: 'ct',
      flags: 0,
      zone: { field: 'reg0', offset: 0, nBits: 16 },
      recircTable: 255,
      alg: 0,
      actions: [],
    },
  ),
  action('ct_clear', 'ffff 0010 00002320 002b 000000000000', { type: 'ct_clear' }),
  action('clone', 'ffff 0020 00002320 002a 000000000000 0000 0010 00000001 0000 000000000000', {
    type: 'clone',
    actions: [{ type: 'output', port: 1, maxLen: 0 }],
  }),
  action(
    'learn: match the source as destination, load a constant, output to the in-port',
    `ffff 0048 00002320 0010 000a 0014 8000 0000000000000009 0001 03 00 0000 0000
     0030 80000806 0000 80000606 0000   // match 48 bits: eth_dst = eth_src
     2820 00000005 00010004 0000        // load 32 bits of 5 into reg0
     1010 00000002 0000                 // output to 16 bits of nxm_of_in_port
     0000 00000000                      // padding`,
    {
      type: 'learn',
      idleTimeout: 10,
      hardTimeout: 20,
      priority: 0x8000,
      cookie: 9n,
      flags: 1,
      tableId: 3,
      finIdleTimeout: 0,
      finHardTimeout: 0,
      specs: [
        { type: 'match', nBits: 48, src: { field: 'eth_src', offset: 0 }, dst: { field: 'eth_dst', offset: 0 } },
        { type: 'load', nBits: 32, src: { value: bytes('00000005') }, dst: { field: 'reg0', offset: 0 } },
        { type: 'output', nBits: 16, src: { field: 'nxm_of_in_port', offset: 0 } },
      ],
    },
  ),
  action(
    'learn2: with a limit, and a bit that says if it was kept',
    `ffff 0030 00002320 002d 0000 0000 8000 0000000000000000 0004 03 00 0000 0000
     00000064 0003 0000 00010204
     0000 0000`,
    {
      type: 'learn2',
      idleTimeout: 0,
      hardTimeout: 0,
      priority: 0x8000,
      cookie: 0n,
      flags: 4,
      tableId: 3,
      finIdleTimeout: 0,
      finHardTimeout: 0,
      limit: 100,
      result: { field: 'reg1', offset: 3 },
      specs: [],
    },
  ),
  action('exit', 'ffff 0010 00002320 0011 000000000000', { type: 'exit' }),
  action('fin_timeout', 'ffff 0010 00002320 0013 000a 0014 0000', {
    type: 'fin_timeout',
    finIdleTimeout: 10,
    finHardTimeout: 20,
  }),
  action('dec_ttl with controllers', 'ffff 0018 00002320 0015 0002 00000000 0001 0002 00000000', {
    type: 'dec_ttl_cnt_ids',
    controllerIds: [1, 2],
  }),
  action(
    'push to and pop from the stack',
    'ffff 0018 00002320 001b 0000 00010004 0020 000000000000 ffff 0018 00002320 001c 0004 00010204 0004 000000000000',
    { type: 'stack_push', offset: 0, field: 'reg0', nBits: 32 },
    { type: 'stack_pop', offset: 4, field: 'reg1', nBits: 4 },
  ),
  action('multipath', 'ffff 0020 00002320 000a 0001 0400 0000 0002 000b 00000000 0000 001f 00010004', {
    type: 'multipath',
    fields: 1,
    basis: 1024,
    algorithm: 2,
    maxLink: 11,
    arg: 0,
    range: { offset: 0, nBits: 32 },
    dst: 'reg0',
  }),
  action('bundle', 'ffff 0028 00002320 000c 0001 0000 0000 00000002 0002 0000 00000000 00000000 0004 0008 00000000', {
    type: 'bundle',
    algorithm: 1,
    fields: 0,
    basis: 0,
    memberType: 'nxm_of_in_port',
    members: [4, 8],
  }),
  action(
    'bundle_load',
    'ffff 0028 00002320 000d 0000 0000 0032 00000002 0001 001f 00010004 00000000 0004 000000000000',
    {
      type: 'bundle_load',
      algorithm: 0,
      fields: 0,
      basis: 50,
      memberType: 'nxm_of_in_port',
      range: { offset: 0, nBits: 32 },
      dst: 'reg0',
      members: [4],
    },
  ),
  action('sample', 'ffff 0018 00002320 001d 8000 00000001 00000002 00000003', {
    type: 'sample',
    probability: 0x8000,
    collectorSetId: 1,
    obsDomainId: 2,
    obsPointId: 3,
  }),
  action('sample3', 'ffff 0020 00002320 0029 8000 00000001 00000002 00000003 0004 01 0000000000', {
    type: 'sample3',
    probability: 0x8000,
    collectorSetId: 1,
    obsDomainId: 2,
    obsPointId: 3,
    samplingPort: 4,
    direction: 1,
  }),
  action('check_pkt_larger', 'ffff 0018 00002320 0031 05dc 0000 00010004 000000000000', {
    type: 'check_pkt_larger',
    pktLen: 1500,
    offset: 0,
    dst: 'reg0',
  }),
  action('delete_field', 'ffff 0018 00002320 0032 00015010 00000000000000000000', {
    type: 'delete_field',
    field: 'tun_metadata0:16',
  }),
  action(
    'encap and decap',
    'ffff 0010 00002320 002e 0000 0001894f ffff 0010 00002320 002f 0000 0000fffe',
    { type: 'encap', hdrSize: 0, newPktType: 0x1894f, payload: bytes('') },
    { type: 'decap', newPktType: 0xfffe },
  ),
  action('copy_field (ONF EXT-320)', 'ffff 0020 4f4e4600 0c80 0000 0010 0000 0010 0000 80000a02 00010004 00000000', {
    type: 'copy_field',
    nBits: 16,
    srcOffset: 0,
    dstOffset: 16,
    src: 'eth_type',
    dst: 'reg0',
  }),
  action(
    'actions that nobody knows',
    'ffff 0010 00002320 7fff 010203040506 ffff 0008 00abcdef 0064 0008 01020304',
    { type: 'experimenter', experimenter: 0x2320, payload: bytes('7fff010203040506') },
    { type: 'experimenter', experimenter: 0xabcdef, payload: bytes('') },
    { type: 'unknown', code: 100, payload: bytes('01020304') },
  ),
]
