import { existsSync, readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { decode, encode } from '../../openflow/index.ts'
import { differences, readRyu } from './ryu.ts'
import { foreign } from './vectors.ts'

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
