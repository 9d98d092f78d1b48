import { existsSync, readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { decode, encode, encodeAll, formatFlowStats } from '../../../openflow/index.ts'
import { differences, readRyu } from '../ryu.ts'
import { openVswitch, openVswitchFlows } from '../vectors/open-vswitch.ts'
import { bytesOf, foreign, written } from '../vectors.ts'

t.test('messages that the Ryu project wrote down', async t => {
  if (!existsSync(foreign)) {
    console.error(`NOT TESTED: there is no ${foreign}; only the vectors of this repository are`)
    t.pass('not there', { skip: `no ${foreign}` })
    return
  }
  const names = readdirSync(foreign).filter(name => name.endsWith('.packet'))
  t.ok(names.length >= 60, `${names.length} messages`)
  for (const name of names) {
    const bytes = readFileSync(new URL(name, foreign))
    const message = decode(bytes)
    t.same(encode(message), bytes, `${name} encodes back to the same bytes`)
    const json = new URL(`${name}.json`, foreign)
    if (!existsSync(json)) continue
    const { xid: _, ...value } = message
    t.same(differences(value, readRyu(readFileSync(json, 'utf8'))), [], `${name} means what its JSON says`)
  }
})

for (const [name, wire, value] of written) {
  t.test(`written by hand: ${name}`, async t => {
    const bytes = bytesOf(wire)
    t.equal(bytes.readUInt16BE(2), bytes.length, 'the hex is as long as it says')
    t.same(decode(bytes), value, 'reads')
    t.same(encode(value), bytes, 'writes')
  })
}

t.test('many messages in one buffer are the messages one after the other', async t =>
  t.same(encodeAll(written.map(([, , value]) => value)), Buffer.concat(written.map(([, wire]) => bytesOf(wire)))),
)

t.test('messages that Open vSwitch sent', async t => {
  for (const [name, hex] of openVswitch) {
    const bytes = Buffer.from(hex, 'hex')
    const message = decode(bytes)
    t.ok(name.startsWith(message.type), `${name} has its type`)
    t.same(encode(message), bytes, `${name} encodes back to the same bytes`)
  }
})

t.test('flows that Open vSwitch sent are printed as ovs-ofctl printed them', async t => {
  for (const [hex, printed] of openVswitchFlows) {
    const bytes = Buffer.from(hex, 'hex')
    const message = decode(bytes)
    t.same(encode(message), bytes)
    if (message.type !== 'multipart_reply' || message.body.type !== 'flow') throw new Error('not a flow reply')
    t.equal(formatFlowStats(message.body.flows[0]!).replace(/duration=\S+ /, ''), printed)
  }
})
