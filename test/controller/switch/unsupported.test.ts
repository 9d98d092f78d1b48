// Which switches can run our pipeline: by what they say, and what they leave out counts for them.
import t from 'tap'
import { unsupported } from '../../../controller/switch/unsupported.ts'
import type { TableFeatures } from '../../../openflow/index.ts'
import type { Capabilities } from '../../../openflow/session/session.ts'

const all = 0xffff_ffff_ffff_ffffn
const table = (tableId: number, given: Partial<TableFeatures> = {}): TableFeatures => ({
  tableId,
  name: `t${tableId}`,
  metadataMatch: all,
  metadataWrite: all,
  config: 0,
  maxEntries: 4096,
  properties: [],
  ...given,
})
const tables = (given: Partial<TableFeatures> = {}) => [0, 1, 2, 3].map(id => table(id, given))
const shown = (can: Partial<Capabilities>, nTables = 8) =>
  unsupported({
    features: { datapathId: 1n, nBuffers: 0, nTables, auxiliaryId: 0, capabilities: 0 },
    can: { bundles: false, nicira: false, maxMeter: 0, ...can },
  })
const groups = (types: number, most: number) => ({
  types,
  capabilities: 0,
  maxGroups: [most, most, most, most],
  actions: [0, 0, 0, 0],
})

t.test('a switch that says nothing of its tables is believed', async t => t.equal(shown({}), undefined))

t.test('one whose instruction lists are empty is believed too', async t =>
  t.equal(shown({ tables: tables({ properties: [{ type: 'instructions', instructions: [] }] }) }), undefined),
)

t.test('too few tables, no metadata and no groups are each named', async t =>
  t.equal(
    shown({ tables: [table(0, { metadataMatch: 0n, metadataWrite: 0n })], groups: groups(0b10, 64) }, 1),
    'it has 1 flow table, and 3 are needed (admit, guard, deliver); its table 0 does not carry the metadata bits ' +
      '0x3ffffffff (it matches 0x0, writes 0x0); it has no groups of type all',
  ),
)

t.test('metadata of 32 bits is too little: where a frame came from needs more', async t =>
  t.match(shown({ tables: tables({ metadataMatch: 0xffff_ffffn }) }), /table 1 does not carry .*matches 0xffffffff/),
)

t.test('an instruction or a field that a table lists others of, but not it, is missing', async t => {
  const instructions = ['apply_actions', 'write_metadata'].map(type => ({ type })) as never
  t.match(
    shown({ tables: tables({ properties: [{ type: 'instructions', instructions }] }) }),
    'table 0 does not follow goto_table',
  )
  const fields = ['in_port', 'eth_dst', 'eth_type', 'vlan_vid', 'metadata'].map(field => ({
    field: field as 'in_port',
    hasMask: false,
    length: 4,
  }))
  t.match(shown({ tables: [table(0, { properties: [{ type: 'match', fields }] })] }), 'table 0 does not match eth_src')
})

t.test('a tunnel id need not be matched: who has no tunnels has none', async t => {
  const fields = ['in_port', 'eth_dst', 'eth_src', 'eth_type', 'vlan_vid', 'metadata'].map(field => ({
    field: field as 'in_port',
    hasMask: false,
    length: 4,
  }))
  t.equal(shown({ tables: tables({ properties: [{ type: 'match', fields }] }) }), undefined)
})

t.test('groups of which it can hold none are as good as none', async t =>
  t.equal(shown({ groups: groups(0b1111, 0) }), 'it can hold no group of type all'),
)
