// `l2sm trace` and `l2sm explain`: what they print, and what their exit codes say. The answers are a controller's over HTTP.
import t, { type Test } from 'tap'
import { runExplain } from '../../cli/explain.ts'
import { runProve } from '../../cli/prove.ts'
import { runTrace } from '../../cli/trace.ts'
import type { ExplainAnswer } from '../../controller/view/explain.ts'
import type { ProofAnswer } from '../../controller/view/proof.ts'
import type { TraceAnswer, TraceQuestion } from '../../controller/view/trace.ts'
import { startApi, stillController } from '../api/harness.ts'

const [one, two] = ['00000000000000a1', '00000000000000b2'] as const

const yes: ExplainAnswer = {
  ...{
    revision: 3,
    reaches: 'yes',
    summary: 'They reach each other, over 1 link',
    findings: [],
    rttMs: 0.5,
    mtu: 1450,
  },
  ...{ from: { dpid: one, port: 1, network: 'red', name: 'web' }, to: { dpid: two, port: 1, network: 'red' } },
  way: [{ from: { dpid: one, port: 102 }, to: { dpid: two, port: 101 }, rttMs: 0.5, mtu: 1450 }],
}
const no: ExplainAnswer = {
  ...{ revision: 3, reaches: 'no', summary: 'port 1 has no carrier' },
  findings: [{ check: 'port-down', sentence: 'port 1 has no carrier', remedy: 'ip link set p1 up', dpid: one }],
}
const traced: TraceAnswer = {
  ...{ revision: 3, frame: 'ff', words: 'in_port=1' },
  traces: [
    {
      ...{ tables: 'held', unread: [], certain: true, ends: ['out of port 2 of switch a'] },
      visits: [
        {
          ...{ dpid: one, port: 1, frame: 'ff', groups: [] },
          steps: [
            {
              table: 0,
              tableName: 'admit',
              entry: 'priority=1 actions=output:2',
              owner: 'network red',
              why: 'Why.',
              frame: 'in_port=1',
              notes: [],
              doubts: ['a doubt'],
            },
          ],
          copies: [
            {
              step: 0,
              groups: [{ group: 5, bucket: 1 }],
              port: 2,
              frame: 'ff',
              end: { is: 'port', uses: [{ network: 'red', is: 'member', name: 'db' }] },
            },
          ],
        },
      ],
    },
  ],
}

async function started(t: Test, more: Parameters<typeof stillController>[0]) {
  const { base } = await startApi(t, { controller: stillController(more).controller })
  return async (run: typeof runExplain, ...argv: string[]) => {
    const said: string[] = []
    const complained: string[] = []
    const env = { L2SM_CONTROLLER: base }
    const code = await run({ argv, env, say: text => said.push(text), complain: line => complained.push(line) })
    return { code, text: said.join('\n'), complained: complained.join('\n') }
  }
}

t.test('explain says yes with the way, no with the reason and what to do, and its exit code says which', async t => {
  const asked: unknown[] = []
  const ask = await started(t, {
    explain: async question => {
      asked.push(question)
      return question.to === 'db' ? yes : no
    },
  })
  t.strictSame(await ask(runExplain, 'web', 'db', '--size', '1400'), {
    code: 0,
    text: [
      'YES  They reach each other, over 1 link.',
      `  from  ${one}/1, web, network red`,
      `  to    ${two}/1, network red`,
      `  over  switch ${one} port 102 to switch ${two} port 101, 0.5 ms there and back, MTU 1450`,
    ].join('\n'),
    complained: '',
  })
  t.match(await ask(runExplain, 'web', 'cache'), {
    code: 1,
    text: 'NO\n  why   port 1 has no carrier\n  do    ip link set p1 up',
  })
  t.strictSame(asked, [
    { from: 'web', to: 'db', size: 1400 },
    { from: 'web', to: 'cache' },
  ])
  const json = await ask(runExplain, 'web', 'cache', '-o', 'json')
  t.equal(json.code, 1)
  t.strictSame(JSON.parse(json.text), no)
})

t.test('prove says what it covers, or shows a frame, and its exit code says which', async t => {
  const proved: ProofAnswer = {
    ...{
      result: 'proved',
      tables: 'held',
      revision: 7,
      counterexamples: [],
      unread: [],
      assumptions: ['Switches do.'],
    },
    ...{ covers: { switches: 2, networks: 1, ports: 3, entries: 20 }, models: { openVSwitch: 2, openFlow13: 0 } },
  }
  const refuted: ProofAnswer = {
    ...proved,
    ...{ result: 'refuted', tables: 'desired' },
    counterexamples: [
      {
        ...{ fault: 'crosses', sentence: 'A frame of red comes out at a port of blue', breaksIsolation: true },
        ...{ network: 'red', frame: 'ffff', from: { dpid: one, port: 1 }, at: { dpid: two, port: 2, vlan: 7 } },
        blame: { dpid: two, tableId: 2, entry: 'priority=1 actions=output:2' },
        path: [],
      },
    ],
  }
  const ask = await started(t, { proof: async tables => (tables === 'held' ? proved : refuted) })
  t.strictSame(await ask(runProve), {
    code: 0,
    text: 'PROVED  1 networks, 3 ports, 20 entries of 2 switches, as held at revision 7\n  rests on  Switches do.',
    complained: '',
  })
  t.match(await ask(runProve, '--tables', 'desired'), {
    code: 1,
    text: [
      'REFUTED  1 networks, 3 ports, 20 entries of 2 switches, as desired at revision 7',
      '  crosses, network red: A frame of red comes out at a port of blue',
      `    send   into switch ${one} port 1`,
      '    frame  ffff',
      `    at     switch ${two} port 2, VLAN 7`,
      `    blame  switch ${two} table=2, priority=1 actions=output:2`,
    ].join('\n'),
  })
  t.equal((await ask(runProve, '--tables', 'dreamt')).code, 2)
})

t.test('trace prints each step, whose it is, and where the copies go', async t => {
  const asked: TraceQuestion[] = []
  const ask = await started(t, {
    trace: async question => {
      asked.push(question)
      return traced
    },
  })
  const { code, text } = await ask(
    runTrace,
    `of:${one}/1`,
    '--src',
    '02:00:00:00:00:01',
    '--arp',
    'request',
    '--ip-dst',
    '10.0.0.2',
  )
  t.equal(code, 0)
  for (const line of [
    /0 admit +priority=1 actions=output:2/,
    /network red: Why\./,
    /\? a doubt/,
    /> group 5, bucket 1: port 2: network red, db/,
    /out of port 2/,
  ])
    t.match(text, line)
  t.strictSame(asked, [
    { dpid: one, port: 1, tables: 'held', frame: { src: '02:00:00:00:00:01', arp: 'request', ipDst: '10.0.0.2' } },
  ])
})

t.test('what is asked wrongly, refused, or not answered is 2, and says what was expected', async t => {
  const ask = await started(t, { trace: async () => ({ where: 'src', got: 'x', expected: 'a MAC address' }) })
  t.match(await ask(runTrace, 'a'), { code: 2, complained: /expected DPID\/PORT/ })
  t.match(await ask(runTrace, `${one}/1`, '--src', 'x'), {
    code: 2,
    complained: /query\/src cannot be .*expected a MAC address/,
  })
  t.match(await ask(runTrace, `${one}/1`, '--frame', 'ff', '--src', 'x'), {
    code: 2,
    complained: /no fields beside a frame/,
  })
  t.match(await ask(runTrace, `${one}/1`, '--colour', 'x'), { code: 2, complained: /unknown option/ })
  t.match(await ask(runExplain, 'web'), { code: 2, complained: /missing required argument/ })
  t.match(await ask(runExplain, 'a', 'b', '-o', 'xml'), { code: 2, complained: /expected text or json/ })
  t.match(await ask(runExplain, 'a', 'b', '--controller', 'nowhere'), { code: 2, complained: /expected http:/ })
  t.match(await ask(runExplain, 'a', 'b', '--controller', 'http://127.0.0.1:1'), {
    code: 2,
    complained: /ECONNREFUSED|refused/,
  })
})
