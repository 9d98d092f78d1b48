// Messages, written by hand from the specification: OpenFlow 1.3.5, section in brackets. `//` starts a remark.
import type { Message } from '../../../openflow/index.ts'

export type Written = readonly [name: string, wire: string, value: Message]
const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex')

export const messages: readonly Written[] = [
  [
    'hello with a version bitmap (7.5.1)',
    `04 00 0010 00000001       // version 4, type hello, length 16, xid 1
     0001 0008 00000012        // versionbitmap, length 8, versions 1 and 4`,
    { type: 'hello', xid: 1, elements: [{ type: 'versionbitmap', versions: [1, 4] }] },
  ],
  ['hello of an older switch (6.3.1)', '01 00 0008 00000007', { type: 'hello', xid: 7, version: 1, elements: [] }],
  [
    'hello with an unknown element, and a bitmap longer than it need be',
    `06 00 0020 00000000
     0063 0006 abcd 0000       // type 99, length 6, two bytes, padding
     0001 000c 00000010 00000000 00000000`,
    {
      type: 'hello',
      xid: 0,
      version: 6,
      elements: [
        { type: 'unknown', code: 99, payload: bytes('abcd') },
        { type: 'versionbitmap', versions: [4], words: 2 },
      ],
    },
  ],
  [
    'hello whose elements are not filled up to 8 bytes, as loxigen writes it',
    `04 00 0020 00000001
     0001 000c 00000010 00000000
     0063 000c 01020304 05060708`,
    {
      type: 'hello',
      xid: 1,
      elements: [
        { type: 'versionbitmap', versions: [4], words: 2, unpadded: true },
        { type: 'unknown', code: 99, payload: bytes('0102030405060708'), unpadded: true },
      ],
    },
  ],
  [
    'hello with a version that nobody has',
    `04 00 0030 00000000 0001 0028 ${'00000000'.repeat(8)} 00000001`,
    { type: 'hello', xid: 0, elements: [{ type: 'versionbitmap', versions: [256] }] },
  ],
  [
    'error (7.4.4)',
    '04 01 0010 00000002  0005 0001  deadbeef // FLOW_MOD_FAILED, TABLE_FULL, start of the request',
    { type: 'error', xid: 2, errorType: 5, errorCode: 1, payload: bytes('deadbeef') },
  ],
  [
    'error in answer to a hello of another version (6.3.1)',
    '01 01 000c 00000000  0000 0000 // HELLO_FAILED, INCOMPATIBLE',
    { type: 'error', xid: 0, version: 1, errorType: 0, errorCode: 0, payload: bytes('') },
  ],
  [
    'error of an experimenter (7.4.4.1)',
    '04 01 0012 00000003  ffff 08fe 4f4e4600 0102 // type, its own type 2302, ONF, data',
    { type: 'error', xid: 3, errorType: 0xffff, errorCode: 2302, experimenter: 0x4f4e4600, payload: bytes('0102') },
  ],
  [
    'echo request (7.5.2)',
    '04 02 000b 00000004  616263',
    { type: 'echo_request', xid: 4, payload: Buffer.from('abc') },
  ],
  ['echo reply (7.5.3)', '04 03 0008 00000004', { type: 'echo_reply', xid: 4, payload: bytes('') }],
  [
    'experimenter (7.5.4)',
    '04 04 0012 00000005  00abcdef 00000001  ffee',
    { type: 'experimenter', xid: 5, experimenter: 0xabcdef, expType: 1, payload: bytes('ffee') },
  ],
  ['features request (7.3.1)', '04 05 0008 00000006', { type: 'features_request', xid: 6 }],
  [
    'features reply (7.3.1)',
    `04 06 0020 00000006
     0000 0242ac110002          // datapath id
     00000100 fe 00 0000        // buffers, tables, auxiliary id, padding
     0000004f 00000000          // capabilities, reserved`,
    {
      type: 'features_reply',
      xid: 6,
      datapathId: 0x0242ac110002n,
      nBuffers: 256,
      nTables: 254,
      auxiliaryId: 0,
      capabilities: 0x4f,
    },
  ],
  ['get config request (7.3.2)', '04 07 0008 00000007', { type: 'get_config_request', xid: 7 }],
  [
    'get config reply (7.3.2)',
    '04 08 000c 00000007  0000 0080',
    { type: 'get_config_reply', xid: 7, flags: 0, missSendLen: 128 },
  ],
  [
    'set config (7.3.2)',
    '04 09 000c 00000008  0001 ffff',
    { type: 'set_config', xid: 8, flags: 1, missSendLen: 0xffff },
  ],
  [
    'packet-in (7.4.1)',
    `04 0a 0038 00000000
     ffffffff 000e 01 02        // no buffer, total length 14, reason action, table 2
     0000000000000005           // cookie
     0001 000c 80000004 00000003 00000000 // match: in_port 3, padding
     0000                       // padding
     ffffffffffff 020000000001 88cc`,
    {
      type: 'packet_in',
      xid: 0,
      bufferId: 0xffffffff,
      totalLen: 14,
      reason: 'action',
      tableId: 2,
      cookie: 5n,
      match: { in_port: 3 },
      payload: bytes('ffffffffffff02000000000188cc'),
    },
  ],
  [
    'flow removed (7.4.2)',
    `04 0b 0038 00000000
     0000000000000009 8000 00 01 // cookie, priority, reason idle time-out, table
     0000000a 00000014           // 10 s, 20 ns
     001e 0000                   // idle and hard time-outs
     0000000000000002 0000000000000078
     0001 0004 00000000          // match of everything, padding`,
    {
      type: 'flow_removed',
      xid: 0,
      cookie: 9n,
      priority: 0x8000,
      reason: 'idle_timeout',
      tableId: 1,
      durationSec: 10,
      durationNsec: 20,
      idleTimeout: 30,
      hardTimeout: 0,
      packetCount: 2n,
      byteCount: 120n,
      match: {},
    },
  ],
  [
    'port status (7.4.3)',
    `04 0c 0050 00000000
     02 00000000000000            // modify, padding
     fffffffe 00000000            // LOCAL, padding
     aabbccddeeff 0000            // address, padding
     6272302f c3a9 00000000000000000000 // br0/é, 16 bytes
     00000001 00000004 00000840 00000001 00000002 00000003
     00989680 000f4240`,
    {
      type: 'port_status',
      xid: 0,
      reason: 'modify',
      port: {
        portNo: 0xfffffffe,
        hwAddr: 'aa:bb:cc:dd:ee:ff',
        name: 'br0/é',
        config: 1,
        state: 4,
        curr: 0x840,
        advertised: 1,
        supported: 2,
        peer: 3,
        currSpeed: 10_000_000,
        maxSpeed: 1_000_000,
      },
    },
  ],
  [
    'packet-out (7.3.7)',
    `04 0d 002a 00000009
     ffffffff fffffffd 0010 000000000000 // no buffer, in_port CONTROLLER, 16 bytes of actions, padding
     0000 0010 00000002 0000 000000000000 // output to port 2
     0180`,
    {
      type: 'packet_out',
      xid: 9,
      bufferId: 0xffffffff,
      inPort: 0xfffffffd,
      actions: [{ type: 'output', port: 2, maxLen: 0 }],
      payload: bytes('0180'),
    },
  ],
  [
    'flow-mod with every instruction (7.3.4.1, 7.2.4)',
    `04 0e 0090 0000000a
     0000000000000001 ffffffffffffffff   // cookie, mask
     02 03 000a 0014 0064                // table 2, delete, idle, hard, priority
     ffffffff ffffffff ffffffff 001f 0000 // buffer, out_port, out_group, all flags, padding
     0001 000e 80000606 02000000000a 0000 // eth_dst
     0001 0008 03 000000                 // goto_table 3
     0002 0018 00000000 0000000000000007 00000000ffffffff // write_metadata
     0003 0010 00000000 0016 0008 00000005 // write_actions: group 5
     0004 0010 00000000 0018 0008 00000000 // apply_actions: dec_nw_ttl
     0005 0008 00000000                  // clear_actions
     0006 0008 0000000b                  // meter 11`,
    {
      type: 'flow_mod',
      xid: 10,
      cookie: 1n,
      cookieMask: 0xffffffffffffffffn,
      tableId: 2,
      command: 'delete',
      idleTimeout: 10,
      hardTimeout: 20,
      priority: 100,
      bufferId: 0xffffffff,
      outPort: 0xffffffff,
      outGroup: 0xffffffff,
      flags: 31,
      match: { eth_dst: '02:00:00:00:00:0a' },
      instructions: [
        { type: 'goto_table', tableId: 3 },
        { type: 'write_metadata', metadata: 7n, metadataMask: 0xffffffffn },
        { type: 'write_actions', actions: [{ type: 'group', groupId: 5 }] },
        { type: 'apply_actions', actions: [{ type: 'dec_nw_ttl' }] },
        { type: 'clear_actions' },
        { type: 'meter', meterId: 11 },
      ],
    },
  ],
  [
    'packet-out with every action (7.2.5)',
    `04 0d 00a8 0000000b
     00000001 00000003 0090 000000000000 // buffer 1, in_port 3, 144 bytes of actions
     0000 0010 fffffffd 0080 000000000000 // output to CONTROLLER, 128 bytes
     000b 0008 00000000                  // copy_ttl_out
     000c 0008 00000000                  // copy_ttl_in
     000f 0008 40 000000                 // set_mpls_ttl
     0010 0008 00000000                  // dec_mpls_ttl
     0011 0008 8100 0000                 // push_vlan
     0012 0008 00000000                  // pop_vlan
     0013 0008 8847 0000                 // push_mpls
     0014 0008 0800 0000                 // pop_mpls
     0015 0008 00000007                  // set_queue
     0016 0008 00000005                  // group
     0017 0008 3f 000000                 // set_nw_ttl
     0018 0008 00000000                  // dec_nw_ttl
     0019 0010 80004c08 0000000000000007 // set_field: tunnel_id
     001a 0008 88e7 0000                 // push_pbb
     001b 0008 00000000                  // pop_pbb`,
    {
      type: 'packet_out',
      xid: 11,
      bufferId: 1,
      inPort: 3,
      actions: [
        { type: 'output', port: 0xfffffffd, maxLen: 128 },
        { type: 'copy_ttl_out' },
        { type: 'copy_ttl_in' },
        { type: 'set_mpls_ttl', ttl: 64 },
        { type: 'dec_mpls_ttl' },
        { type: 'push_vlan', ethertype: 0x8100 },
        { type: 'pop_vlan' },
        { type: 'push_mpls', ethertype: 0x8847 },
        { type: 'pop_mpls', ethertype: 0x0800 },
        { type: 'set_queue', queueId: 7 },
        { type: 'group', groupId: 5 },
        { type: 'set_nw_ttl', ttl: 63 },
        { type: 'dec_nw_ttl' },
        { type: 'set_field', field: 'tunnel_id', value: 7n },
        { type: 'push_pbb', ethertype: 0x88e7 },
        { type: 'pop_pbb' },
      ],
      payload: bytes(''),
    },
  ],
  [
    'group-mod (7.3.4.2)',
    `04 0f 0038 0000000c
     0001 03 00 00000005                 // modify, fast failover, padding, group 5
     0028 0001 00000002 ffffffff 00000000 // bucket of 40 bytes, weight 1, watches port 2 and no group
     0012 0008 00000000                  // pop_vlan
     0000 0010 00000002 0000 000000000000`,
    {
      type: 'group_mod',
      xid: 12,
      command: 'modify',
      groupType: 'ff',
      groupId: 5,
      buckets: [
        {
          weight: 1,
          watchPort: 2,
          watchGroup: 0xffffffff,
          actions: [{ type: 'pop_vlan' }, { type: 'output', port: 2, maxLen: 0 }],
        },
      ],
    },
  ],
  [
    'port-mod (7.3.4.3)',
    `04 10 0028 0000000d
     00000004 00000000 020000000004 0000
     00000001 00000021 00000000 00000000 // config, mask, advertise, padding`,
    { type: 'port_mod', xid: 13, portNo: 4, hwAddr: '02:00:00:00:00:04', config: 1, mask: 33, advertise: 0 },
  ],
  [
    'table-mod (7.3.3)',
    '04 11 0010 0000000e  ff 000000 00000000',
    { type: 'table_mod', xid: 14, tableId: 255, config: 0 },
  ],
  ['barrier request (7.3.8)', '04 14 0008 0000000f', { type: 'barrier_request', xid: 15 }],
  ['barrier reply (7.3.8)', '04 15 0008 ffffffff', { type: 'barrier_reply', xid: 0xffffffff }],
  [
    'queue get config request (7.3.6)',
    '04 16 0010 00000010  ffffffff 00000000',
    { type: 'queue_get_config_request', xid: 16, portNo: 0xffffffff },
  ],
  [
    'queue get config reply (7.3.6, 7.2.2)',
    `04 17 0052 00000010
     ffffffff 00000000
     00000001 00000002 0042 000000000000 // queue 1 of port 2, 66 bytes with its properties
     0001 0010 00000000 000a 000000000000 // min_rate 1 %
     0002 0010 00000000 ffff 000000000000 // max_rate off
     ffff 0012 00000000 000003e7 00000000 abcd // experimenter 999, two bytes`,
    {
      type: 'queue_get_config_reply',
      xid: 16,
      portNo: 0xffffffff,
      queues: [
        {
          queueId: 1,
          portNo: 2,
          properties: [
            { type: 'min_rate', rate: 10 },
            { type: 'max_rate', rate: 0xffff },
            { type: 'experimenter', experimenter: 999, payload: bytes('abcd') },
          ],
        },
      ],
    },
  ],
  [
    'role request (7.3.9)',
    '04 18 0018 00000011  00000002 00000000 ffffffffffffffff // master, padding, generation',
    { type: 'role_request', xid: 17, role: 'master', generationId: 0xffffffffffffffffn },
  ],
  [
    'role reply (7.3.9)',
    '04 19 0018 00000011  00000003 00000000 0000000000000001',
    { type: 'role_reply', xid: 17, role: 'slave', generationId: 1n },
  ],
  ['get async request (7.3.10)', '04 1a 0008 00000012', { type: 'get_async_request', xid: 18 }],
  [
    'get async reply (7.3.10)',
    '04 1b 0020 00000012  00000003 00000000 00000007 00000007 0000000f 00000000',
    { type: 'get_async_reply', xid: 18, packetInMask: [3, 0], portStatusMask: [7, 7], flowRemovedMask: [15, 0] },
  ],
  [
    'set async (7.3.10)',
    '04 1c 0020 00000013  00000001 00000002 00000003 00000004 00000005 00000006',
    { type: 'set_async', xid: 19, packetInMask: [1, 2], portStatusMask: [3, 4], flowRemovedMask: [5, 6] },
  ],
  [
    'meter-mod with every band (7.3.4.4)',
    `04 1d 0042 00000014
     0000 0006 00000001                  // add, pktps and burst, meter 1
     0001 0010 00000064 0000000a 00000000 // drop above 100
     0002 0010 000000c8 00000014 01 000000 // dscp_remark by 1
     ffff 0012 0000012c 0000001e 000003e7 abcd // experimenter 999, two bytes`,
    {
      type: 'meter_mod',
      xid: 20,
      command: 'add',
      flags: 6,
      meterId: 1,
      bands: [
        { type: 'drop', rate: 100, burstSize: 10 },
        { type: 'dscp_remark', rate: 200, burstSize: 20, precLevel: 1 },
        { type: 'experimenter', rate: 300, burstSize: 30, experimenter: 999, payload: bytes('abcd') },
      ],
    },
  ],
]
