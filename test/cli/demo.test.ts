import t from 'tap'
import { parseDump, touched } from '../../cli/demo/ages.ts'
import { readFlags } from '../../cli/demo/flags.ts'
import { guide, trials } from '../../cli/demo/guide.ts'
import { changes, confirmed, draw, judge, type Matrix, summary, type Verdict } from '../../cli/demo/matrix.ts'
import type { Member } from '../../cli/demo/member.ts'
import { failureLines, resultLine, verdictLine } from '../../cli/demo/report.ts'
import { judgeStream } from '../../cli/demo/restart.ts'
import { screenOn } from '../../cli/demo/screen.ts'
import { judgeVolley, type Volley } from '../../cli/demo/volley.ts'
import type { Count, Reach } from '../../lab/frames.ts'

const member = (name: string, network: Member['network']): Member => ({
  ...{
    name,
    network,
    node: 1,
    port: 1,
    netns: name,
    device: 'eth0',
    mac: '02:00:00:00:00:01',
    ips: [],
    vlan: undefined,
  },
})
const members = [member('red-1', 'red'), member('red-2', 'red'), member('blue-1', 'blue'), member('nobody', undefined)]
const [red1, red2, blue1, nobody] = members as [Member, Member, Member, Member]

/** What is received when all is well: each broadcast and each unicast once, in the sender's network. */
const well: Readonly<Record<string, number>> = { 'red-1 red-2': 1, 'red-2 red-1': 1 }
const reach = (times: Readonly<Record<string, number>> = well, strays: Reach['strays'] = []): Reach => ({
  times: (from, at) => times[`${from.name} ${at.name}`] ?? 0,
  strays,
})
const plain = (_: Verdict, text: string) => text
const verdictOf = (matrix: Matrix, from: Member, at: Member) => matrix[members.indexOf(from)]![members.indexOf(at)]
const good = judge(members, reach(), reach())

t.test('a cell says what was received, and nothing else', async t => {
  t.strictSame(good, [
    ['self', 'once', 'silent', 'silent'],
    ['once', 'self', 'silent', 'silent'],
    ['silent', 'silent', 'self', 'silent'],
    ['silent', 'silent', 'silent', 'self'],
  ])
  const cell = (broadcast: Reach, unicast: Reach, from: Member, at: Member) =>
    verdictOf(judge(members, broadcast, unicast), from, at)
  const none = reach({})
  t.equal(cell(none, reach(), red1, red2), 'missing', 'no broadcast')
  t.equal(cell(reach(), none, red1, red2), 'missing', 'no unicast')
  t.equal(cell(reach({ 'red-1 red-2': 2 }), reach(), red1, red2), 'twice')
  t.equal(cell(reach(), reach({ 'red-1 red-2': 2 }), red1, red2), 'twice')
  t.equal(cell(reach({ 'red-1 blue-1': 1 }), none, red1, blue1), 'leak')
  t.equal(cell(none, reach({ 'red-1 nobody': 1 }), red1, nobody), 'leak')
  t.equal(cell(reach({ 'nobody red-1': 1 }), none, nobody, red1), 'leak')
  t.equal(cell(reach({ 'red-1 red-1': 1 }), none, red1, red1), 'echo')
})

t.test('a frame for somebody else is a leak in another network, and flooding in its own', async t => {
  const stray = (at: string, times = 1) => [{ from: 'red-1', to: 'blue-1', at, times }]
  const cell = (strays: Reach['strays'], at: Member) =>
    verdictOf(judge(members, reach(), reach(well, strays)), red1, at)
  t.equal(cell(stray('red-2'), red2), 'once')
  t.equal(cell(stray('red-2', 2), red2), 'twice')
  t.equal(cell(stray('nobody'), nobody), 'leak')
  t.equal(cell(stray('red-1'), red1), 'echo')
})

t.test('missing needs two looks, and nothing bad is forgotten by a second one', async t => {
  const after = (first: Verdict, second: Verdict) => confirmed([[first]], [[second]])[0]![0]
  t.equal(after('missing', 'missing'), 'missing')
  t.equal(after('missing', 'once'), 'once')
  t.equal(after('once', 'missing'), 'once')
  t.equal(after('silent', 'leak'), 'leak')
  t.equal(after('leak', 'silent'), 'leak')
  t.equal(after('twice', 'missing'), 'twice')
})

const broken = judge(members, reach({ 'red-1 red-2': 1, 'red-1 blue-1': 1 }), reach({ 'red-1 red-2': 1 }))

t.test('the table has a row for each sender and a column for each receiver', async t => {
  t.strictSame(draw(members, broken, 100, plain), [
    'from \\ to  red-1    red-2    blue-1   nobody',
    'red-1      .        once     LEAK     -',
    'red-2      MISSING  .        -        -',
    'blue-1     -        -        .        -',
    'nobody     -        -        -        .',
  ])
  t.strictSame(draw(members, broken, 40, plain), [
    'from \\ to  r r b n',
    'red-1      . 1 L -',
    'red-2      M . - -',
    'blue-1     - - . -',
    'nobody     - - - .',
  ])
})

t.test('one sentence counts the pairs, and each change is told with its sender', async t => {
  t.equal(summary(good), 'as wanted: 2 pairs hear each other once, 10 not at all')
  t.equal(summary(broken), 'NOT as wanted: 1 MISSING, 1 LEAK')
  t.strictSame(changes(members, good, broken), ['red-1 -> blue-1: LEAK', 'red-2 -> red-1: MISSING'])
  t.strictSame(changes(members, broken, good), ['red-1 -> blue-1: as wanted again', 'red-2 -> red-1: as wanted again'])
  t.strictSame(changes(members, good, good), [])
})

const output = (tty: { readonly isTTY: boolean; readonly rows?: number; readonly columns?: number }) => {
  const written: string[] = []
  return { written, on: { columns: 100, rows: 50, ...tty, write: (text: string) => written.push(text) } }
}

t.test('on a terminal the block is redrawn where it stands', async t => {
  const { written, on } = output({ isTTY: true })
  const screen = screenOn(on, {})
  screen.show(['a', 'b'], ['1'])
  screen.show(['a', 'b'], ['2'])
  t.strictSame(written, ['\x1b[Ja\nb\n1\n', '\r\x1b[3A\x1b[Ja\nb\n2\n'])
})

t.test('of a block taller than the terminal the end is shown', async t => {
  const { written, on } = output({ isTTY: true, rows: 3 })
  screenOn(on, {}).show(['a', 'b'], ['1'])
  t.strictSame(written, ['\x1b[Jb\n1\n'])
})

t.test('a line ends where the terminal does, with its colours', async t => {
  const { written, on } = output({ isTTY: true, columns: 5 })
  const screen = screenOn(on, {})
  screen.show([`ab ${screen.paint('once', 'once')} z`], ['123456'])
  t.strictSame(written, ['\x1b[Jab \x1b[32mon\x1b[0m\n12345\n'])
})

t.test('elsewhere it is printed when it has changed, without escapes', async t => {
  const { written, on } = output({ isTTY: false })
  const screen = screenOn(on, {})
  screen.show(['a'], ['1'])
  screen.show(['a'], ['2'])
  screen.show([screen.paint('leak', 'b')], ['3'])
  t.strictSame(written, ['a\n1\n\n', 'b\n3\n\n'])
})

t.test('colours are for terminals whose user has nothing against them', async t => {
  const painted = (isTTY: boolean, env: Record<string, string>) =>
    screenOn(output({ isTTY }).on, env).paint('leak', 'LEAK')
  t.match(painted(true, {}), '\x1b[')
  t.equal(painted(true, { NO_COLOR: '1' }), 'LEAK')
  t.match(painted(true, { NO_COLOR: '' }), '\x1b[', 'an empty NO_COLOR says nothing')
  t.equal(painted(true, { TERM: 'dumb' }), 'LEAK')
  t.equal(painted(false, {}), 'LEAK')
})

t.test('flags say what is wrong with them', async t => {
  t.strictSame(readFlags([]), { is: 'show', nodes: 3 })
  t.strictSame(readFlags(['--check', '--nodes', '2']), { is: 'check', nodes: 2 })
  t.strictSame(readFlags(['--nodes=10']), { is: 'show', nodes: 10 })
  t.strictSame(readFlags(['--help']), { is: 'help' })
  const wrong: readonly (readonly [string[], RegExp])[] = [
    [['--chek'], /unknown option '--chek' \(Did you mean --check\?\)/],
    [['now'], /too many arguments/],
    [['--nodes'], /--nodes <N>' argument missing/],
    [['--nodes', '1'], /--nodes can not be "1": expected a number from 2 to 10/],
    [['--nodes', '11'], /"11"/],
    [['--nodes', '3x'], /"3x"/],
    [['--nodes', '2', '--nodes', '3'], /twice/],
    [['--check=yes'], /unknown option '--check=yes'/],
  ]
  for (const [argv, fault] of wrong) t.match(readFlags(argv), { is: 'wrong', fault }, argv.join(' '))
})

t.test('the guide fits 100 columns, and its commands are whole', async t => {
  const directory = '/tmp/l2sm-4194304-zzzzzz-ffffff'
  const options = [
    '--openflow',
    'tcp:198.18.255.254:6653',
    '--http',
    '198.18.255.254:8181',
    '--store',
    `sqlite:${directory}/l2sm.db`,
    '--token-file',
    `${directory}/token`,
  ]
  const node = { bridge: 'br-0123abcd', link: 12 }
  const place = { ...node, base: 'http://198.18.255.254:8181', directory, pid: 4194304, options, red: 8388607 }
  for (const line of guide(place)) t.ok(line.length <= 100, line)
  for (const { command } of trials(place)) {
    t.notOk(command.at(-1)!.endsWith('\\'))
    for (const line of command.slice(0, -1)) t.match(line, / \\$/)
  }
})

const volley = (kind: Volley['kind']): Volley => ({
  ...{ what: 'plain', kind, rounds: 2, frame: () => Buffer.alloc(0) },
  wanted: (from, at) => from.network === 'red' && at.network === 'red',
})

t.test('of a volley each copy that is missing, doubled or out of place is a fault', async t => {
  t.strictSame(judgeVolley(members, volley('broadcast'), [reach(), reach()]), { sent: 8, arrived: 4, faults: [] })
  const lossy = judgeVolley(members, volley('broadcast'), [reach({ 'red-1 red-2': 2 }), reach()])
  t.strictSame(lossy.faults, [
    { what: 'plain, red-1 -> red-2', expected: 'each of 2 once', got: '1 once, 1 more than once' },
    { what: 'plain, red-2 -> red-1', expected: 'each of 2 once', got: '1 once, 1 not at all' },
  ])
  const leaky = judgeVolley(members, volley('broadcast'), [reach({ ...well, 'red-1 blue-1': 1, 'red-1 red-1': 1 })])
  t.strictSame(
    leaky.faults.map(({ what, expected }) => `${what}: ${expected}`),
    ['plain, red-1 -> red-1: none of 1', 'plain, red-1 -> blue-1: none of 1'],
  )
})

t.test('a unicast frame may be flooded once in its own network, and be nowhere else', async t => {
  const strays = (at: string, times = 1) => [{ from: 'red-1', to: 'blue-1', at, times }]
  const faults = (of: Reach['strays']) => judgeVolley(members, volley('unicast'), [reach(well, of)]).faults
  t.strictSame(faults(strays('red-2')), [])
  t.strictSame(faults(strays('nobody')), [
    { what: 'plain, red-1 -> blue-1', expected: 'nothing of it at nobody', got: 'a copy' },
  ])
  t.match(faults(strays('red-2', 2)), [{ got: '2 copies' }])
  t.match(faults(strays('red-1')), [{ expected: 'nothing of it at red-1' }])
})

t.test('a stream that is lost, doubled, reflected or out of place is a fault', async t => {
  const flow = { what: 'stream', from: red1, to: [red2], dst: red2.mac }
  const count = (received: number, more: Partial<Count> = {}): Count => ({
    ...{ received, lost: 0, duplicated: 0, reordered: 0, longestGap: 0, overflow: 0, times: [] },
    ...more,
  })
  const judged = (at: Record<string, Count>, sent = 10, reflected = 0) =>
    judgeStream(members, flow, { stream: 1, began: 0, sent, reflected, at: ({ name }) => at[name] ?? count(0) }).map(
      ({ what }) => what,
    )
  t.strictSame(judged({ 'red-2': count(10) }), [])
  t.strictSame(judged({ 'red-2': count(9) }), ['stream, at red-2'])
  t.strictSame(judged({ 'red-2': count(10, { duplicated: 1 }) }), ['stream, at red-2'])
  t.strictSame(judged({ 'red-2': count(10), 'blue-1': count(1) }), ['stream, at blue-1'])
  t.strictSame(judged({ 'red-2': count(10) }, 10, 1), ['stream, at red-1'])
  t.strictSame(judged({ 'red-2': count(10, { overflow: 1 }) }), ['stream, at red-2'])
  t.strictSame(judged({ 'red-2': count(0) }, 0), ['stream, at red-1'])
})

/** As Open vSwitch 3.1 prints them. */
const flow = (seconds: string, actions = 'output:2') =>
  ` cookie=0x6c32020000000001, duration=${seconds}s, table=0, n_packets=7, n_bytes=294, idle_timeout=60, send_flow_rem priority=100,in_port=1 actions=${actions}`
const groups = ` group_id=1275068420,duration=7.373s,ref_count=1,packet_count=2,byte_count=84,bucket0:packet_count=2,byte_count=84`
const meters = `meter:65537 flow_count:1 packet_in_count:3 byte_in_count:180 duration:12.500s bands:\n0: packet_count:0 byte_count:0`

t.test('how old a flow, a group and a meter are is read from what Open vSwitch prints', async t => {
  t.strictSame(parseDump('n1', 'flow', `OFPST_FLOW reply (OF1.3) (xid=0x2):\n${flow('12.345')}\n`), [
    [
      'n1 flow cookie=0x6c32020000000001, table=0, idle_timeout=60, send_flow_rem priority=100,in_port=1 actions=output:2',
      { kind: 'flow', age: 12.345 },
    ],
  ])
  t.strictSame(parseDump('n1', 'group', groups), [['n1 group group_id=1275068420', { kind: 'group', age: 7.373 }]])
  t.strictSame(parseDump('n1', 'meter', meters), [['n1 meter meter:65537', { kind: 'meter', age: 12.5 }]])
})

t.test('what is gone, new or younger than it must be was touched', async t => {
  const ages = (at: number, ...lines: string[]) => ({
    ...{ began: at, ended: at + 100 },
    entries: new Map(parseDump('n1', 'flow', lines.join('\n'))),
  })
  const before = ages(0, flow('5.000'))
  t.strictSame(touched(before, ages(10_100, flow('15.090'))), [])
  t.match(touched(before, ages(10_100, flow('3.000'))), [{ expected: 'to be 15.0 s old', got: 'it is 3.0 s old' }])
  t.match(touched(before, ages(10_100)), [{ got: 'it is gone' }])
  t.match(touched(before, ages(10_100, flow('15.090'), flow('2.000', 'drop'))), [{ expected: 'not to be there' }])
})

t.test('a result says what was proved, or what was expected and what was got', async t => {
  const fault = (what: string) => ({ what, expected: 'one', got: 'none' })
  const fine = { name: 'pings', proved: '12 of 12', faults: [] }
  const failed = { name: 'tags', proved: 'none arrived', faults: [fault('red-1 -> blue-1')] }
  t.equal(resultLine(fine), '  ok    pings              12 of 12')
  t.strictSame(failureLines(fine), [])
  t.match(resultLine(failed), /^ {2}FAIL {2}tags +1 wrong:$/)
  t.notMatch(resultLine(failed), 'none arrived')
  t.strictSame(failureLines(failed), ['          red-1 -> blue-1: expected one, got none'])
  t.match(verdictLine([fine], 3), 'PROVED: all 1 checks hold, in 3 s')
  t.match(verdictLine([fine, failed], 3), 'NOT PROVED: 1 of 2 checks failed (tags)')
  const long = { ...failed, faults: [fault('n1 flow '.padEnd(90, 'x'))] }
  t.strictSame(failureLines(long)[1], '            expected one, got none')
  const many = { ...failed, faults: Array.from({ length: 14 }, (_, index) => fault(`pair ${index}`)) }
  t.equal(failureLines(many).at(-1), '          and 4 more')
})
