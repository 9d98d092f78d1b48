// Attacks that other tests make already: which, and that they are still there. They run with `npm test` and `npm run test:e2e`.
import { readFileSync } from 'node:fs'
import t from 'tap'
import { type Attack, attack } from './table.ts'

type Shown = Attack & { readonly file: string; readonly test: string }
const shown = (id: string, attack: string, criterion: string, file: string, test: string): Shown => ({
  ...{ id, attack, criterion },
  ...{ file: `test/${file}`, test },
})

const isolation = 'ovs/controller-isolation.test.ts'
const rows: readonly Shown[] = [
  shown(
    'A04',
    '802.1Q 1 to 4095, QinQ, stacks of tags',
    'none arrives',
    isolation,
    'a frame with a VLAN tag goes nowhere, whatever the tag',
  ),
  shown(
    'A05',
    'LLDP from pods, made up and forged',
    'no link',
    isolation,
    'what pods send to bridges and neighbours reaches nobody and makes no link',
  ),
  shown(
    'A05',
    'probes replayed, altered, of another controller',
    'no link',
    'controller/links/discovery.test.ts',
    'probes that are forged, altered, old or of another controller make no link',
  ),
  shown(
    'A10',
    'a broadcast storm at line rate',
    'limited at its port; streams of others lose 0',
    'e2e/limits.test.ts',
    'a storm in one network: streams of the others lose nothing, whatever it is made of',
  ),
  shown(
    'A11',
    'BPDU, PAUSE, LACP: 01:80:c2:00:00:0x',
    'dropped',
    isolation,
    'what pods send to bridges and neighbours reaches nobody and makes no link',
  ),
  shown(
    'A12',
    'a bridge between two interfaces of one network',
    'cut off, told, and let in again when it is gone',
    'e2e/loops.test.ts',
    'a bridge between two interfaces of one network: cut off, told, and let in again when it is gone',
  ),
  shown(
    'A18',
    'a switch with a certificate of another dpid, or without',
    'closed',
    'e2e/tls.test.ts',
    'Open vSwitch with a datapath that its certificate does not name is refused',
  ),
  shown(
    'A18',
    'the dpid of a switch that lives',
    'refused, the first stays',
    'e2e/faults-switch.test.ts',
    'a second switch of the same number is refused while the first one answers',
  ),
  shown(
    'A19',
    'TLS 1.0 and 1.1, no cipher, plain text',
    'refused',
    'openflow/session/tls.test.ts',
    'what is older than TLS 1.2, or without encryption, is refused',
  ),
  shown(
    'A20',
    'forged packet-ins and ports',
    'its own dpid alone',
    'controller/links/discovery.test.ts',
    'a pod is never the end of a link, whatever comes in by its port',
  ),
  shown(
    'A21',
    'a second main connection',
    'one session',
    'ovs/session.test.ts',
    'a switch that connects twice is live once',
  ),
  shown(
    'A21',
    'a flood of messages of one switch',
    'others are not slowed, memory is bounded',
    'openflow/session/token-bucket.test.ts',
    'a switch that floods for seconds does not slow the others, nor fills our memory',
  ),
  shown(
    'A22',
    'messages damaged anywhere',
    'that connection ends',
    'openflow/session/server.test.ts',
    'a switch of which nothing can be read any more loses its connection',
  ),
  shown(
    'A23',
    'karaf/karaf, no credential',
    '401 unless asked for by name',
    'cli/credentials.test.ts',
    'the well-known login works only when it was asked for by name, and is warned of at each start',
  ),
  shown(
    'A25',
    '__proto__, keys twice',
    '400',
    'api/http/json.test.ts',
    'what JSON.parse reads is read the same, unless a key stands twice or is __proto__',
  ),
  shown('A26', '../, %2f, NUL in an id', '400', 'api/bad-input.test.ts', 'an id is taken exactly when it is one'),
  shown(
    'A30',
    '2,000 guesses of a token',
    'few compared, the right one passes',
    'api/http/auth.test.ts',
    'of 2,000 guesses few are told that they were compared, and the right one among them is let in',
  ),
]

for (const { file, test, ...row } of rows)
  attack(t, row, async t => {
    t.ok(readFileSync(file, 'utf8').includes(`t.test('${test}'`), `${file} has the test ${test}`)
    return file
  })
