// Multipart messages, written by hand from OpenFlow 1.3.5 §7.3.5.
import type { Message } from '../../../openflow/index.ts'
import type { Written } from './messages.ts'

const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex')
const text = (value: string, size: number): string =>
  Buffer.from(value)
    .toString('hex')
    .padEnd(size * 2, '0')

type Body<T extends 'multipart_request' | 'multipart_reply'> = Extract<Message, { type: T }>['body']
const length = (body: string): number => body.replace(/\/\/.*$/gm, '').replace(/\s+/g, '').length / 2
const part = (message: number, type: number, body: string, flags: number): string => {
  const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0')
  return `04 ${hex(message, 2)} ${hex(16 + length(body), 4)} 00000001 ${hex(type, 4)} ${hex(flags, 4)} 00000000\n${body}`
}
const request = (name: string, type: number, wire: string, body: Body<'multipart_request'>): Written => [
  `${name} request`,
  part(18, type, wire, 0),
  { type: 'multipart_request', xid: 1, flags: 0, body },
]
const reply = (name: string, type: number, wire: string, body: Body<'multipart_reply'>, flags = 0): Written => [
  `${name} reply`,
  part(19, type, wire, flags),
  { type: 'multipart_reply', xid: 1, flags, body },
]

const filter = `05 000000 00000003 ffffffff 00000000     // table 5, out_port 3, any group
  6c32736d00000000 ffffffff00000000                      // cookie and mask
  0001 0004 00000000`
const filtered = {
  tableId: 5,
  outPort: 3,
  outGroup: 0xffffffff,
  cookie: 0x6c32736d00000000n,
  cookieMask: 0xffffffff00000000n,
  match: {},
} as const

export const multiparts: readonly Written[] = [
  request('desc', 0, '', { type: 'desc' }),
  reply(
    'desc',
    0,
    [text('Nicira, Inc.', 256), text('Open vSwitch', 256), text('3.1.0', 256), text('None', 32), text('s1', 256)].join(
      ' ',
    ),
    {
      type: 'desc',
      mfrDesc: 'Nicira, Inc.',
      hwDesc: 'Open vSwitch',
      swDesc: '3.1.0',
      serialNum: 'None',
      dpDesc: 's1',
    },
  ),
  request('flow', 1, filter, { type: 'flow', ...filtered }),
  reply(
    'flow, with more to come,',
    1,
    `0038 00 00 00000001 00000002 0000 0000 0000 0000 00000000 // 56 bytes, table 0, 1 s 2 ns, priority 0
     0000000000000000 0000000000000000 0000000000000000
     0001 0004 00000000
     0048 02 00 0000000a 00000000 0064 001e 003c 0001 00000000
     0000000000000001 0000000000000002 0000000000000003
     0001 000a 80000a02 0806 000000000000     // eth_type ARP, padding
     0001 0008 03 000000`,
    {
      type: 'flow',
      flows: [
        {
          tableId: 0,
          durationSec: 1,
          durationNsec: 2,
          priority: 0,
          idleTimeout: 0,
          hardTimeout: 0,
          flags: 0,
          cookie: 0n,
          packetCount: 0n,
          byteCount: 0n,
          match: {},
          instructions: [],
        },
        {
          tableId: 2,
          durationSec: 10,
          durationNsec: 0,
          priority: 100,
          idleTimeout: 30,
          hardTimeout: 60,
          flags: 1,
          cookie: 1n,
          packetCount: 2n,
          byteCount: 3n,
          match: { eth_type: 0x0806 },
          instructions: [{ type: 'goto_table', tableId: 3 }],
        },
      ],
    },
    1,
  ),
  request('aggregate', 2, filter, { type: 'aggregate', ...filtered }),
  reply('aggregate', 2, '0000000000000007 000000000000023e 00000006 00000000', {
    type: 'aggregate',
    packetCount: 7n,
    byteCount: 574n,
    flowCount: 6,
  }),
  request('table', 3, '', { type: 'table' }),
  reply('table', 3, 'fd 000000 00000001 0000000000000002 0000000000000003', {
    type: 'table',
    tables: [{ tableId: 253, activeCount: 1, lookupCount: 2n, matchedCount: 3n }],
  }),
  request('port stats', 4, 'ffffffff 00000000', { type: 'port_stats', portNo: 0xffffffff }),
  reply(
    'port stats',
    4,
    `00000001 00000000
     0000000000000001 0000000000000002 0000000000000003 0000000000000004
     0000000000000005 0000000000000006 0000000000000007 0000000000000008
     0000000000000009 000000000000000a 000000000000000b ffffffffffffffff
     0000000d 0000000e`,
    {
      type: 'port_stats',
      ports: [
        {
          portNo: 1,
          rxPackets: 1n,
          txPackets: 2n,
          rxBytes: 3n,
          txBytes: 4n,
          rxDropped: 5n,
          txDropped: 6n,
          rxErrors: 7n,
          txErrors: 8n,
          rxFrameErr: 9n,
          rxOverErr: 10n,
          rxCrcErr: 11n,
          collisions: 0xffffffffffffffffn,
          durationSec: 13,
          durationNsec: 14,
        },
      ],
    },
  ),
  request('queue', 5, 'ffffffff ffffffff', { type: 'queue', portNo: 0xffffffff, queueId: 0xffffffff }),
  reply('queue', 5, '00000001 00000002 0000000000000003 0000000000000004 0000000000000005 00000006 00000007', {
    type: 'queue',
    queues: [{ portNo: 1, queueId: 2, txBytes: 3n, txPackets: 4n, txErrors: 5n, durationSec: 6, durationNsec: 7 }],
  }),
  request('group', 6, 'fffffffc 00000000', { type: 'group', groupId: 0xfffffffc }),
  reply(
    'group',
    6,
    `0038 0000 00000005 00000001 00000000 0000000000000064 0000000000001000 00000009 00000000
     0000000000000032 0000000000000800`,
    {
      type: 'group',
      groups: [
        {
          groupId: 5,
          refCount: 1,
          packetCount: 100n,
          byteCount: 4096n,
          durationSec: 9,
          durationNsec: 0,
          bucketStats: [{ packetCount: 50n, byteCount: 2048n }],
        },
      ],
    },
  ),
  request('group desc', 7, '', { type: 'group_desc' }),
  reply(
    'group desc',
    7,
    `0008 00 00 00000001                                  // no buckets
     0028 02 00 00000002                                  // indirect
     0020 0000 ffffffff ffffffff 00000000 0000 0010 00000001 ffff 000000000000`,
    {
      type: 'group_desc',
      groups: [
        { groupType: 'all', groupId: 1, buckets: [] },
        {
          groupType: 'indirect',
          groupId: 2,
          buckets: [
            {
              weight: 0,
              watchPort: 0xffffffff,
              watchGroup: 0xffffffff,
              actions: [{ type: 'output', port: 1, maxLen: 0xffff }],
            },
          ],
        },
      ],
    },
  ),
  request('group features', 8, '', { type: 'group_features' }),
  reply(
    'group features',
    8,
    '0000000f 00000007 00000001 00000002 00000003 00000004 00000005 00000006 00000007 00000008',
    { type: 'group_features', types: 15, capabilities: 7, maxGroups: [1, 2, 3, 4], actions: [5, 6, 7, 8] },
  ),
  request('meter', 9, 'ffffffff 00000000', { type: 'meter', meterId: 0xffffffff }),
  reply(
    'meter',
    9,
    `00000001 0038 000000000000 00000002 0000000000000003 0000000000000004 00000005 00000006
     0000000000000007 0000000000000008`,
    {
      type: 'meter',
      meters: [
        {
          meterId: 1,
          flowCount: 2,
          packetInCount: 3n,
          byteInCount: 4n,
          durationSec: 5,
          durationNsec: 6,
          bandStats: [{ packetBandCount: 7n, byteBandCount: 8n }],
        },
      ],
    },
  ),
  request('meter config', 10, '00000001 00000000', { type: 'meter_config', meterId: 1 }),
  reply('meter config', 10, '0018 0006 00000001 0001 0010 00000064 0000000a 00000000', {
    type: 'meter_config',
    meters: [{ flags: 6, meterId: 1, bands: [{ type: 'drop', rate: 100, burstSize: 10 }] }],
  }),
  request('meter features', 11, '', { type: 'meter_features' }),
  reply('meter features', 11, '00000100 00000006 0000000f 08 00 0000', {
    type: 'meter_features',
    maxMeter: 256,
    bandTypes: 6,
    capabilities: 15,
    maxBands: 8,
    maxColor: 0,
  }),
  request('table features', 12, '', { type: 'table_features', tables: [] }),
  reply(
    'table features',
    12,
    `00a8 01 0000000000 ${text('admit', 32)}
     ffffffffffffffff 00000003ffffffff 00000000 000f4240
     0000 0010 0001 0004 ffff 0008 00000065             // instructions: goto_table, of an experimenter
     0003 0006 0203 0000                                // next_tables_miss 2, 3
     0006 000c 0000 0004 0019 0004 00000000             // apply_actions: output, set_field
     0001 0010 0001 0008 00000000 0006 0004             // instructions_miss: goto_table with padding, meter without
     0008 0014 80000004 80000706 ffff0a08 4f4e4600 00000000 // match: in_port, eth_dst with mask, an unknown one
     000d 0004 00000000                                 // write_setfield_miss: none
     fffe 000e 00000065 00000002 abcd 0000              // of an experimenter`,
    {
      type: 'table_features',
      tables: [
        {
          tableId: 1,
          name: 'admit',
          metadataMatch: 0xffffffffffffffffn,
          metadataWrite: 0x3ffffffffn,
          config: 0,
          maxEntries: 1_000_000,
          properties: [
            {
              type: 'instructions',
              instructions: [{ type: 'goto_table' }, { type: 'experimenter', experimenter: 101, payload: bytes('') }],
            },
            { type: 'next_tables_miss', tableIds: [2, 3] },
            { type: 'apply_actions', actions: [{ type: 'output' }, { type: 'set_field' }] },
            { type: 'instructions_miss', instructions: [{ type: 'goto_table', padded: true }, { type: 'meter' }] },
            {
              type: 'match',
              fields: [
                { field: 'in_port', hasMask: false, length: 4 },
                { field: 'eth_dst', hasMask: true, length: 6 },
                { field: 'experimenter_0x4f4e4600_5', hasMask: false, length: 8 },
              ],
            },
            { type: 'write_setfield_miss', fields: [] },
            { type: 'experimenter', experimenter: 101, expType: 2, payload: bytes('abcd') },
          ],
        },
      ],
    },
  ),
  request('port desc', 13, '', { type: 'port_desc' }),
  reply(
    'port desc',
    13,
    `00000001 00000000 020000000001 0000 ${text('veth-0123456789a', 16)}
     00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000`,
    {
      type: 'port_desc',
      ports: [
        {
          portNo: 1,
          hwAddr: '02:00:00:00:00:01',
          name: 'veth-0123456789a',
          config: 0,
          state: 0,
          curr: 0,
          advertised: 0,
          supported: 0,
          peer: 0,
          currSpeed: 0,
          maxSpeed: 0,
        },
      ],
    },
  ),
  request('experimenter', 0xffff, '00000065 00000002 abcd', {
    type: 'experimenter',
    experimenter: 101,
    expType: 2,
    payload: bytes('abcd'),
  }),
  reply('experimenter', 0xffff, '00000065 00000002', {
    type: 'experimenter',
    experimenter: 101,
    expType: 2,
    payload: bytes(''),
  }),
  request(
    'flow monitor (ONF EXT-187)',
    0xffff,
    `4f4e4600 0000074e
     00000005 001f 000c ffffffff ff 000000                // monitor 5, flags, length of the match, any port, all tables
     0001 000c 80000004 00000003 00000000`,
    {
      type: 'flow_monitor',
      monitors: [{ id: 5, flags: 31, outPort: 0xffffffff, tableId: 255, match: { in_port: 3 } }],
    },
  ),
  reply(
    'flow monitor (ONF EXT-187)',
    0xffff,
    `4f4e4600 0000074e
     0008 0003 00000007                                   // abbreviated: the change that xid 7 asked for
     0028 0000 0000 8000 0000 0000 0004 02 00 0000000000000009
     0001 0004 00000000 0001 0008 03 000000`,
    {
      type: 'flow_monitor',
      updates: [
        { event: 'abbrev', xid: 7 },
        {
          event: 'added',
          reason: 0,
          priority: 0x8000,
          idleTimeout: 0,
          hardTimeout: 0,
          tableId: 2,
          cookie: 9n,
          match: {},
          instructions: [{ type: 'goto_table', tableId: 3 }],
        },
      ],
    },
  ),
]
