// What is read from IGMP and MLD: frames of a real kernel (Linux 6, by `setsockopt` and `force_igmp_version`), and any bytes.
import fc from 'fast-check'
import t from 'tap'
import { isSnooped } from '../../../controller/compile/snoop.ts'
import { type Heard, queryFrame, readIgmp } from '../../../controller/multicast/igmp.ts'
import { ourSources } from '../../../controller/switch/our-frames.ts'

const join = (...joins: string[]): Heard => ({ is: 'report', joins, leaves: [] })
const leave = (...leaves: string[]): Heard => ({ is: 'report', joins: [], leaves })

const ipv4Head = '01005e000016 020000000001 0800'
// IHL 6: a router alert. TTL 1, protocol 2.
const v3Head = `${ipv4Head} 46c0002800004000 0102f9f2 0a000007 e0000016 94040000`
const mldHead = (to: string, length: string) =>
  `3333${to.slice(-8)} 020000000001 86dd 60000000 ${length} 00 01 fe80000000000000 0000 00fffe000001 ${to} 3a00050200000100`
const ff02 = (last: string) => `ff02${'0'.repeat(28 - last.length)}${last}`
const vectors: readonly (readonly [what: string, hex: string, heard: Heard])[] = [
  [
    'IGMPv1 report',
    '01005e010203 020000000001 0800 46c0002000004000 0102e90c 0a000007 ef010203 94040000 1200fcfa ef010203',
    join('239.1.2.3'),
  ],
  [
    'IGMPv2 report',
    '01005e010203 020000000001 0800 46c0002000004000 0102e90c 0a000007 ef010203 94040000 1600f8fa ef010203',
    join('239.1.2.3'),
  ],
  [
    'IGMPv2 leave',
    '01005e000002 020000000001 0800 46c0002000004000 0102fa0e 0a000007 e0000002 94040000 1700f7fa ef010203',
    leave('239.1.2.3'),
  ],
  ['IGMPv3: from now on all sources but none', `${v3Head} 2200e8f9 00000001 04000000 ef010203`, join('239.1.2.3')],
  ['IGMPv3: from now on no source', `${v3Head} 2200e9f9 00000001 03000000 ef010203`, leave('239.1.2.3')],
  [
    'IGMPv3: this source too',
    `${ipv4Head} 46c0002c00004000 0102f9ee 0a000007 e0000016 94040000 2200e4ef 00000001 05000001 e8010203 0a000009`,
    join('232.1.2.3'),
  ],
  [
    'IGMPv3: this source no more',
    `${ipv4Head} 46c0002c00004000 0102f9ee 0a000007 e0000016 94040000 2200e3ef 00000001 06000001 e8010203 0a000009`,
    leave('232.1.2.3'),
  ],
  [
    'MLDv1 report',
    `333300000042 020000000001 86dd 60000000 0020 00 01 fe80000000000000 000000fffe000001 ff1e0000000000000000000000000042
     3a00050200000100 83008069 00000000 ff1e0000000000000000000000000042`,
    join('ff1e::42'),
  ],
  ['MLDv1 done', `${mldHead(ff02('2'), '0020')} 84007fc5 00000000 ff1e0000000000000000000000000042`, leave('ff1e::42')],
  [
    'MLDv2: from now on all sources but none',
    `${mldHead(ff02('16'), '0024')} 8f0070ac 00000001 04000000 ff1e0000000000000000000000000042`,
    join('ff1e::42'),
  ],
  [
    'MLDv2: from now on no source',
    `${mldHead(ff02('16'), '0024')} 8f0071ac 00000001 03000000 ff1e0000000000000000000000000042`,
    leave('ff1e::42'),
  ],
  [
    'MLDv2: a group of neighbour discovery, which is flooded whoever asks',
    `333300000016 ea78055b605a 86dd 60000000 0024 00 01 fe80000000000000 e87805fffe5b605a ${ff02('16')}
     3a00050200000100 8f00c325 00000001 04000000 ff0200000000000000000001ff5b605a`,
    join(),
  ],
]
const bytes = (hex: string): Buffer => Buffer.from(hex.replace(/\s/g, ''), 'hex')

for (const [what, hex, heard] of vectors)
  t.test(what, async t => {
    const frame = bytes(hex)
    t.strictSame(readIgmp(frame), heard)
    t.strictSame(readIgmp(Buffer.concat([frame, Buffer.alloc(8)])), heard, 'with padding')
    const tagged = Buffer.concat([frame.subarray(0, 12), bytes('81000007'), frame.subarray(12)])
    t.strictSame(readIgmp(tagged), heard, 'with a tag')
    for (let length = 0; length < frame.length; length++) {
      const cut = readIgmp(frame.subarray(0, length))
      if (cut && (cut.is !== 'report' || cut.joins.length + cut.leaves.length > 0))
        t.fail(`of ${length} bytes: ${JSON.stringify(cut)}`)
    }
    for (let at = 34; at < frame.length; at++) {
      const wrong = Buffer.from(frame)
      wrong[at]! ^= 0x40
      // What is not summed is the option of the IPv4 header and the hop-by-hop header.
      const read = readIgmp(wrong)
      if (read !== undefined && JSON.stringify(read) !== JSON.stringify(heard))
        t.fail(`with byte ${at} wrong: ${JSON.stringify(read)}`)
    }
  })

t.test('our queries say what they should, and a kernel would take them for what they are', async t => {
  for (const family of ['ipv4', 'ipv6'] as const)
    for (const group of [undefined, family === 'ipv4' ? '239.1.2.3' : 'ff1e::42'])
      for (const responseMs of [1000, 10_000]) {
        const frame = queryFrame({ family, responseMs, ...(group && { group }) })
        t.strictSame(readIgmp(frame), {
          ...{ is: 'query', family, source: ourSources[family] },
          ...(group && { group }),
          responseMs,
        })
        t.ok(frame.length >= 60)
      }
  t.match(queryFrame({ family: 'ipv4', responseMs: 1000 }).toString('hex'), /^01005e000001/)
  t.match(queryFrame({ family: 'ipv4', responseMs: 1000, group: '239.129.2.3' }).toString('hex'), /^01005e010203/)
  t.match(queryFrame({ family: 'ipv6', responseMs: 1000, group: 'ff1e::42' }).toString('hex'), /^333300000042/)
})

t.test('queries of others: version 1 and 2, and codes that are floats', async t => {
  const sum = (frame: Buffer, from: number) => {
    frame.writeUInt16BE(0, from + 2)
    let total = 0
    for (let i = from; i < frame.length; i += 2) total += frame.readUInt16BE(i)
    while (total > 0xffff) total = (total & 0xffff) + (total >>> 16)
    frame.writeUInt16BE(~total & 0xffff, from + 2)
    return frame
  }
  const igmp = (message: string) => {
    const body = bytes(message)
    const head = bytes('01005e000001 02000000000a 0800 4500 0000 0000 0000 0102 0000 0a000009 e0000001')
    head.writeUInt16BE(20 + body.length, 16)
    return readIgmp(sum(Buffer.concat([head, body]), 34))
  }
  const query = { is: 'query', family: 'ipv4', source: '10.0.0.9' }
  t.strictSame(igmp('1100 0000 00000000'), { ...query, responseMs: 10_000 }, 'version 1')
  t.strictSame(igmp('1164 0000 00000000'), { ...query, responseMs: 10_000 }, 'version 2')
  t.strictSame(igmp('110a 0000 ef010203'), { ...query, group: '239.1.2.3', responseMs: 1000 }, 'of one group')
  t.strictSame(igmp('11ff 0000 00000000 00000000'), { ...query, responseMs: 3_174_400 }, '31 * 2 ** 10 tenths')
  t.strictSame(igmp('1180 0000 00000000 00000000'), { ...query, responseMs: 12_800 })
  t.strictSame(igmp('3014 0000 007d 0002'), { is: 'router' }, 'RFC 4286: a router advertises itself')
  t.equal(igmp('ff00 0000 00000000'), undefined)
})

t.test('any records of a version 3 report are read, each for what it means', async () => {
  const record = fc.record({
    kind: fc.integer({ min: 0, max: 8 }),
    group: fc.tuple(fc.integer({ min: 224, max: 239 }), fc.nat(255), fc.nat(255), fc.nat(255)).map(g => g.join('.')),
    sources: fc.nat(3),
    auxiliary: fc.nat(2),
  })
  fc.assert(
    fc.property(fc.array(record, { maxLength: 20 }), records => {
      const body = records.flatMap(({ kind, group, sources, auxiliary }) => [
        ...[kind, auxiliary, 0, sources, ...group.split('.').map(Number)],
        ...Array<number>(4 * (sources + auxiliary)).fill(9),
      ])
      const message = Buffer.from([0x22, 0, 0, 0, 0, 0, 0, records.length, ...body])
      let sum = 0
      for (let i = 0; i < message.length; i += 2) sum += message.readUInt16BE(i)
      while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
      message.writeUInt16BE(~sum & 0xffff, 2)
      const head = bytes(`${ipv4Head} 4500 0000 0000 0000 0102 0000 0a000007 e0000016`)
      head.writeUInt16BE(20 + message.length, 16)
      const heard = readIgmp(Buffer.concat([head, message]))
      const wants = ({ kind, sources }: { kind: number; sources: number }) =>
        kind === 2 || kind === 4 || ([1, 3, 5].includes(kind) && sources > 0)
      const known = records.filter(({ kind, group }) => kind >= 1 && kind <= 6 && isSnooped(group))
      const joins = new Set(known.filter(wants).map(r => r.group))
      const leaves = new Set(known.filter(r => !wants(r) && !joins.has(r.group)).map(r => r.group))
      const read = heard?.is === 'report' ? heard : { joins: [], leaves: [] }
      if (JSON.stringify([read.joins, read.leaves]) !== JSON.stringify([[...joins], [...leaves]]))
        throw new Error(`${JSON.stringify(heard)}, expected ${JSON.stringify([[...joins], [...leaves]])}`)
    }),
    { numRuns: 300 },
  )
})

t.test('no bytes break it, and none make it say what is no group', async () => {
  const check = (frame: Buffer) => {
    const heard = readIgmp(frame)
    if (heard?.is === 'report')
      for (const group of [...heard.joins, ...heard.leaves])
        if (!/^(2(2[4-9]|3\d)(\.\d{1,3}){3}|ff[0-9a-f]{2}:[0-9a-f:]*)$/.test(group)) throw new Error(`group ${group}`)
  }
  const template = fc.constantFrom(...vectors.map(([, hex]) => bytes(hex)))
  const spoiled = fc
    .tuple(template, fc.array(fc.tuple(fc.nat(120), fc.nat(255)), { maxLength: 6 }), fc.nat(130))
    .map(([frame, changes, length]) => {
      const copy = Buffer.concat([frame, Buffer.alloc(60)]).subarray(0, length)
      for (const [at, value] of changes) if (at < copy.length) copy[at] = value
      return copy
    })
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), b => check(Buffer.from(b))),
    { numRuns: 2000 },
  )
  fc.assert(fc.property(spoiled, check), { numRuns: 5000 })
})

t.test('groups of the link are not snooped, and others are', async t => {
  for (const group of [
    '224.0.0.1',
    '224.0.0.251',
    'ff02::1',
    'ff02::1:ff00:1',
    'ff01::1',
    'ff00::1',
    '10.0.0.1',
    'fe80::1',
  ])
    t.equal(isSnooped(group), false, group)
  for (const group of ['224.0.1.1', '239.0.0.1', '232.1.1.1', 'ff05::2', 'ff1e::42', 'ff12::7', 'ff3e::1'])
    t.equal(isSnooped(group), true, group)
})
