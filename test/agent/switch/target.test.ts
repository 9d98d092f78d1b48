import t from 'tap'
import { meterLines } from '../../../agent/restart.ts'
import { isAhead, longestRestore, makerOf, spellDeadline } from '../../../agent/switch/desired.ts'
import { established } from '../../../agent/switch/target.ts'

// As a kernel printed it: a listener, a connection to 198.18.0.254:6653, one that is closing.
const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1FF6 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 010012C6:B3A2 FE0012C6:19FD 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0 20 4 30 10 -1
   2: 010012C6:B3A4 FD0012C6:19FD 06 00000000:00000000 00:00000000 00000000     0        0 3 1 0 20 4 30 10 -1`

t.test('a connection that stands is told from others', async t => {
  t.ok(established(table, { host: '198.18.0.254', port: 6653 }))
  t.notOk(established(table, { host: '198.18.0.254', port: 6633 }))
  t.notOk(established(table, { host: '198.18.0.253', port: 6653 }), 'one that is closing')
  t.notOk(established('', { host: '198.18.0.254', port: 6653 }))
})

t.test('meters are put back as they were printed', async t => {
  const printed =
    'OFPST_METER_CONFIG reply (OF1.3) (xid=0x2):\nmeter=65538 pktps burst bands=\ntype=drop rate=100 burst_size=100\n'
  t.same(meterLines(printed), ['meter=65538,pktps,burst,band=type=drop,rate=100,burst_size=100'])
  t.same(meterLines(`${printed}\nmeter=7 kbps bands=\ntype=drop rate=5\n`).at(-1), 'meter=7,kbps,band=type=drop,rate=5')
  t.same(meterLines('OFPST_METER_CONFIG reply (OF1.3) (xid=0x2):\n'), [])
})

t.test('a deadline counts since the start of the machine, and is never far away', async t => {
  const now = { boot: 'b', uptime: 1000 }
  const deadline = spellDeadline(now, longestRestore, 'pid:[1]/7/8')
  t.ok(isAhead(deadline, now))
  t.equal(makerOf(deadline), 'pid:[1]/7/8')
  t.ok(isAhead(deadline, { ...now, uptime: 1149 }))
  t.notOk(isAhead(deadline, { ...now, uptime: 1151 }))
  t.notOk(isAhead(deadline, { ...now, boot: 'another' }))
  for (const text of [undefined, '', 'b', 'b/x', 'b/5000', '1795797022235']) t.notOk(isAhead(text, now), String(text))
})
