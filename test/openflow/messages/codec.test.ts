import t from 'tap'
import {
  allErrors,
  bucket,
  checkMatch,
  decode,
  decodeLenient,
  encode,
  encodeAll,
  errorName,
  flowMod,
  groupMod,
  type Message,
  packetOut,
  setField,
  WireError,
} from '../../../openflow/index.ts'
import { bytesOf } from '../vectors.ts'

const refusals: readonly (readonly [name: string, wire: string, message: RegExp])[] = [
  ['no bytes at all', '', /^at byte 0: needs 8 bytes, but 0 are left$/],
  [
    'a header alone that promises more',
    '04 02 0010 00000001',
    /^at byte 0: says that it is 16 bytes long; expected 8 to 8$/,
  ],
  ['less than its header says', '04 02 0004 00000001', /^at byte 0: says that it is 4 bytes long; expected 8 to 8$/],
  [
    'another version',
    '01 05 0008 00000001',
    /^at byte 0: expected version 4 \(OpenFlow 1.3\) in features_request, got 1$/,
  ],
  ['a type of another version', '04 1e 0008 00000001', /^at byte 1: message type 30 is not in OpenFlow 1.3$/],
  [
    'more than the structure has',
    '04 05 000c 00000001 00000000',
    /^features_request at byte 8: 4 bytes more than the structure has$/,
  ],
  [
    'a multipart type of another version',
    '04 12 0010 00000001 0010 0000 00000000',
    /^multipart_request at byte 8: multipart type 16/,
  ],
  [
    'a value that an enumeration has not',
    '04 18 0018 00000001 00000004 00000000 0000000000000000',
    /^role_request\.role at byte 8: expected one of 0 nochange, .*; got 4$/,
  ],
  [
    'padding that is not zero',
    '04 11 0010 00000001 ff 000100 00000000',
    /^table_mod at byte 10: expected padding of zero, got 0x1$/,
  ],
  [
    'the same field twice',
    `04 0e 0048 00000001 ${'00'.repeat(40)} 0001 0014 80000004 00000001 80000004 00000002 00000000`,
    /^flow_mod\.match at byte 60: field in_port stands there twice$/,
  ],
  [
    'the same field twice, of the second half of them',
    `04 0e 0040 00000001 ${'00'.repeat(40)} 0001 000e 80004801 01 80004801 01 0000`,
    /^flow_mod\.match at byte \d+: field mpls_bos stands there twice$/,
  ],
  [
    'a field of another length',
    `04 0e 0040 00000001 ${'00'.repeat(40)} 0001 000a 80000002 0001 000000000000`,
    /^flow_mod\.match at byte 52: field in_port takes 4 bytes, or 8 with a mask; header says 2$/,
  ],
  [
    'a match of the old kind',
    `04 0e 0038 00000001 ${'00'.repeat(40)} 0000 0004 00000000`,
    /^flow_mod\.match at byte 48: expected match type 1 \(OXM\), got 0$/,
  ],
  [
    'an action whose length is no multiple of 8',
    '04 0d 0024 00000001 ffffffff fffffffd 000c 000000000000 0016 000c 00000001 00000000',
    /^packet_out\.actions\[0\] at byte 24: expected an action of a multiple of 8 bytes, got 12$/,
  ],
  [
    'an action of no length',
    '04 0d 0020 00000001 ffffffff fffffffd 0008 000000000000 0016 0000 00000001',
    /^packet_out\.actions\[0\] at byte 24: says that it is 0 bytes long; expected 4 to 8$/,
  ],
  [
    'actions that are longer than the message',
    '04 0d 0018 00000001 ffffffff fffffffd 0008 000000000000',
    /^packet_out\.actions at byte 24: says that it is 8 bytes long; expected 0 to 0$/,
  ],
  [
    'padding inside an action of an extension',
    '04 0d 0028 00000001 ffffffff fffffffd 0010 000000000000 ffff 0010 00002320 0001 0001 00 000001',
    /^packet_out\.actions\[0\]\.resubmit at byte 39: expected padding of zero/,
  ],
  [
    'a name that is not UTF-8',
    `04 0c 0050 00000000 00 00000000000000 00000001 00000000 020000000001 0000 ff${'00'.repeat(15)} ${'00'.repeat(32)}`,
    /^port_status\.port\.name at byte 32: expected a text in UTF-8, got ff$/,
  ],
  [
    'a text with something behind its end',
    `04 0c 0050 00000000 00 00000000000000 00000001 00000000 020000000001 0000 61006200${'00'.repeat(12)} ${'00'.repeat(32)}`,
    /^port_status\.port\.name at byte 34: expected padding of zero, got 0x62$/,
  ],
]
for (const [name, wire, message] of refusals)
  t.test(`${name} is refused, and says where`, async t => {
    t.throws(() => decode(bytesOf(wire)), message)
    t.throws(() => decode(bytesOf(wire)), WireError)
  })

const wrongValues: readonly (readonly [name: string, value: Message, message: RegExp])[] = [
  [
    'a port that is no number',
    packetOut({ payload: Buffer.alloc(0), actions: [{ type: 'output', port: '1' as never, maxLen: 0 }] }),
    /^packet_out\.actions\[0\]\.output\.port: expected a whole number from 0 to 4294967295, got '1'$/,
  ],
  [
    'a table that does not fit',
    flowMod({ tableId: 256 }),
    /^flow_mod\.tableId: expected a whole number from 0 to 255, got 256$/,
  ],
  [
    'a negative priority',
    flowMod({ priority: -1 }),
    /^flow_mod\.priority: expected a whole number from 0 to 65535, got -1$/,
  ],
  [
    'a cookie that is no bigint',
    flowMod({ cookie: 5 as never }),
    /^flow_mod\.cookie: expected a bigint from 0n to 2n \*\* 64n - 1n, got 5$/,
  ],
  ['a cookie that does not fit', flowMod({ cookie: 1n << 64n }), /^flow_mod\.cookie: expected a bigint/],
  [
    'an address that is none',
    flowMod({ match: { eth_dst: '02:00:00:00:00' } }),
    /^flow_mod\.match\.eth_dst: expected a MAC address such as 02:00:00:00:00:01, got '02:00:00:00:00'$/,
  ],
  [
    'an IPv4 address that is none',
    flowMod({ match: { ipv4_src: '10.0.0.256' } }),
    /^flow_mod\.match\.ipv4_src: expected an IPv4 address/,
  ],
  [
    'an IPv6 address that is none',
    flowMod({ match: { ipv6_src: '1::2::3' } }),
    /^flow_mod\.match\.ipv6_src: expected an IPv6 address/,
  ],
  [
    'a field that nobody knows',
    flowMod({ match: { colour: 5 } as never }),
    /^flow_mod\.match\.colour: expected a field of OpenFlow 1.3 or Open vSwitch, got 'colour'$/,
  ],
  [
    'a mask without its value',
    flowMod({ match: { metadata: { mask: 5n } as never } }),
    /^flow_mod\.match\.metadata: expected a bigint/,
  ],
  [
    'a command that is none',
    flowMod({ command: 'ad' as never }),
    /^flow_mod\.command: expected one of add, modify, .*, got 'ad'$/,
  ],
  [
    'an action that is none',
    groupMod({ groupId: 1, buckets: [bucket({ actions: [{ type: 'fly' } as never] })] }),
    /^group_mod\.buckets\[0\]\.actions\[0\]: expected an action of type output, .*, got 'fly'$/,
  ],
  [
    'a known action as bytes',
    packetOut({ payload: Buffer.alloc(0), actions: [{ type: 'unknown', code: 0, payload: Buffer.alloc(4) }] }),
    /^packet_out\.actions\[0\]: expected a type that has no name, got 0$/,
  ],
  [
    'bytes of an action that are no multiple of 8',
    packetOut({ payload: Buffer.alloc(0), actions: [{ type: 'unknown', code: 99, payload: Buffer.alloc(5) }] }),
    /^packet_out\.actions\[0\]: expected an action of a multiple of 8 bytes, got 9$/,
  ],
  [
    'a name that is too long',
    {
      type: 'multipart_reply',
      xid: 1,
      flags: 0,
      body: {
        type: 'table_features',
        tables: [
          {
            tableId: 1,
            name: 'x'.repeat(33),
            metadataMatch: 0n,
            metadataWrite: 0n,
            config: 0,
            maxEntries: 0,
            properties: [],
          },
        ],
      },
    },
    /^multipart_reply\.table_features\.tables\[0\]\.name: expected a text of at most 32 bytes without NUL/,
  ],
  [
    'a message of another kind',
    { type: 'flow_mood', xid: 1 } as never,
    /expected a message of OpenFlow 1.3, got 'flow_mood'$/,
  ],
  [
    'an xid that is none',
    { type: 'barrier_request', xid: 1.5 },
    /^barrier_request: expected a whole number from 0 to 4294967295, got 1.5$/,
  ],
  ['a payload that is too long', packetOut({ payload: Buffer.alloc(65536) }), /^packet_out.*: (needs|expected)/],
]
for (const [name, value, message] of wrongValues)
  t.test(`${name} is not written, and the field is named`, async t => {
    t.throws(() => encode(value), message)
    t.throws(() => encode(value), WireError)
    t.same(
      encode({ type: 'barrier_request', xid: 1 }),
      bytesOf('04 14 0008 00000001'),
      'and what comes next is written whole',
    )
  })

t.test('the longest message is written and read, one byte more is not', async t => {
  const longest = packetOut({ payload: Buffer.alloc(65535 - 24, 7) })
  t.equal(encode(longest).length, 65535)
  t.same(decode(encode(longest)), longest)
  t.throws(() => encode(packetOut({ payload: Buffer.alloc(65536 - 24) })), WireError)
})

t.test('many long messages go into one buffer', async t => {
  const messages = Array.from({ length: 20 }, (_, xid) => packetOut({ xid, payload: Buffer.alloc(60_000, xid) }))
  t.same(encodeAll(messages), Buffer.concat(messages.map(encode)))
  t.same(encodeAll([]), Buffer.alloc(0))
})

t.test('actions inside actions go eight levels deep and no deeper', async t => {
  const nest = (depth: number, innermost: string): string =>
    depth === 0
      ? innermost
      : `ffff ${(16 * depth + innermost.length / 2).toString(16).padStart(4, '0')} 00002320 002a 000000000000 ${nest(depth - 1, innermost)}`
  const wire = (depth: number): Buffer => {
    const actions = bytesOf(nest(depth, ''))
    const size = (24 + actions.length).toString(16).padStart(4, '0')
    return Buffer.concat([
      bytesOf(`04 0d ${size} 00000001 ffffffff fffffffd ${actions.length.toString(16).padStart(4, '0')} 000000000000`),
      actions,
    ])
  }
  t.same(encode(decode(wire(8))), wire(8))
  t.throws(() => decode(wire(9)), /nested more than 8 deep/)
  t.throws(() => decode(wire(4000)), /nested more than 8 deep/, 'and a message full of them does not fill the stack')
})

t.test('a switch that sends what its memory held is read leniently, and not strictly', async t => {
  const wire = bytesOf(
    `04 0c 0050 00000000 00 11111111111111 00000001 22222222 020000000001 3333 6100620000000000ffffffffffffffff ${'00'.repeat(32)}`,
  )
  t.throws(() => decode(wire), WireError)
  t.match(decodeLenient(wire), { type: 'port_status', reason: 'add', port: { portNo: 1, name: 'a' } })
  t.throws(() => decodeLenient(wire.subarray(0, 70)), WireError, 'but lengths must be right')
})

t.test('a name that is no text is read leniently as one that can be written', async t => {
  const wire = (name: string) =>
    bytesOf(`04 0c 0050 00000000 00 00000000000000 00000001 00000000 020000000001 0000 ${name} ${'00'.repeat(32)}`)
  // 0xa4 begins no character; read as U+FFFD it would take three bytes, and there is no room.
  const name = 'a46574682d303132333435363738396b'
  t.throws(() => decode(wire(name)), /port_status\.port\.name at byte 32: expected a text in UTF-8/)
  const message = decodeLenient(wire(name))
  t.match(message, { port: { name: '?eth-0123456789k' } })
  t.same(encode(message), wire(`3f${name.slice(2)}`))
})

t.test('what was read does not change when the next message is', async t => {
  const chunk = Buffer.concat([
    encode({ type: 'echo_request', xid: 1, payload: Buffer.from('one') }),
    encode({ type: 'echo_request', xid: 2, payload: Buffer.from('two') }),
  ])
  const first = decode(chunk.subarray(0, 11))
  decode(chunk.subarray(11))
  decode(Buffer.from(chunk.subarray(11)))
  t.same(first, { type: 'echo_request', xid: 1, payload: Buffer.from('one') })
})

t.test('numbers of errors have the words of the specification', async t => {
  t.equal(errorName(5, 1), 'FLOW_MOD_FAILED/TABLE_FULL')
  t.equal(errorName(13, 5), 'TABLE_FEATURES_FAILED/EPERM')
  t.equal(errorName(1, 10), 'BAD_REQUEST/IS_SLAVE')
  t.equal(errorName(6, 14), 'GROUP_MOD_FAILED/EPERM')
  t.equal(errorName(12, 11), 'METER_MOD_FAILED/OUT_OF_BANDS')
  t.equal(errorName(0xffff, 2302), 'BUNDLE_FAILED/BAD_ID')
  t.equal(errorName(5, 99), 'FLOW_MOD_FAILED/99')
  t.equal(errorName(77, 1), '77/1')
  t.equal(errorName(0xffff, 9999), 'EXPERIMENTER/9999')
  // §7.4.4: how many codes each of the 14 types has.
  const counts = new Map<number, number>()
  for (const { type } of allErrors()) counts.set(type, (counts.get(type) ?? 0) + 1)
  t.same(
    [...counts].slice(0, 14),
    [2, 14, 16, 9, 12, 8, 15, 5, 3, 3, 3, 3, 12, 6].map((n, type) => [type, n]),
  )
  const names = allErrors().map(error => error.name)
  t.equal(new Set(names).size, names.length, 'no two have the same')
})

t.test('a match is checked for what a switch refuses', async t => {
  t.same(
    checkMatch({ eth_type: 0x0800, ip_proto: 6, tcp_dst: 80, ipv4_src: { value: '10.0.0.0', mask: '255.0.0.0' } }),
    [],
  )
  t.match(checkMatch({ tcp_dst: 80 }), [
    { error: 'BAD_PREREQ', field: 'tcp_dst', detail: 'tcp_dst needs eth_type 0x0800 or 0x86dd, and ip_proto 6' },
  ])
  t.match(checkMatch({ vlan_vid: 0, vlan_pcp: 1 }), [{ error: 'BAD_PREREQ', field: 'vlan_pcp' }])
  t.match(checkMatch({ in_port: { value: 1, mask: 1 } }), [{ error: 'BAD_MASK' }])
  t.match(checkMatch({ metadata: { value: 5n, mask: 1n } }), [{ error: 'BAD_WILDCARDS' }])
  t.match(checkMatch({ eth_type: 0x0800, ip_dscp: 64 }), [{ error: 'BAD_VALUE', detail: 'ip_dscp has 6 bits, got 64' }])
})

t.test('a value is checked against its field by the compiler', async t => {
  t.same(setField('tunnel_id', 7n), { type: 'set_field', field: 'tunnel_id', value: 7n })
  // @ts-expect-error a tunnel id is a bigint
  setField('tunnel_id', 7)
  // @ts-expect-error there is no such field
  flowMod({ match: { eth_destination: '02:00:00:00:00:01' } })
  // @ts-expect-error there is no such action
  packetOut({ payload: Buffer.alloc(0), actions: [{ type: 'fly' }] })
  t.pass('seen by tsc')
})
