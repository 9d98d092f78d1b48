// What holds of every table that is compiled, read by the letter and as sloppy switches read it.
import fc from 'fast-check'
import t from 'tap'
import { type FlowItem, flowItem, type Item } from '../../../controller/compile/item.ts'
import { type Doing, metadataBits, pipeline } from '../../../controller/compile/pipeline.ts'
import { type Action, formatFlow, type Match, vid } from '../../../openflow/index.ts'
import { examples } from '../../golden/examples.ts'
import * as world from '../world.ts'

type Bits = { readonly value: bigint; readonly mask: bigint }
const full = (1n << 128n) - 1n

/** A field's value as a number, whatever it is written as. */
function number(value: unknown): bigint {
  if (typeof value !== 'string') return BigInt(value as number | bigint)
  if (value.includes('.')) return value.split('.').reduce((sum, octet) => sum * 256n + BigInt(octet), 0n)
  if (/^([0-9a-f]{2}:){5}/.test(value)) return BigInt(`0x${value.replaceAll(':', '')}`)
  const [head = '', tail] = value.split('::')
  const groups = (text = '') => (text === '' ? [] : text.split(':'))
  const zeros = tail === undefined ? 0 : 8 - groups(head).length - groups(tail).length
  const all = [...groups(head), ...Array<string>(zeros).fill('0'), ...groups(tail)]
  return all.reduce((sum, group) => sum * 0x1_0000n + BigInt(`0x${group}`), 0n)
}
const bitsOf = (field: unknown): Bits => {
  if (typeof field !== 'object' || field === null) return { value: number(field), mask: full }
  const { value, mask } = field as { value: unknown; mask: unknown }
  return { value: number(value), mask: number(mask) }
}

/** Switches were seen that take a VID of 0, without a mask, for any tag. */
const sloppily = (name: string, bits: Bits): Bits =>
  name === 'vlan_vid' && bits.value === BigInt(vid.present) ? { ...bits, mask: BigInt(vid.present) } : bits
const exactly = (_: string, bits: Bits): Bits => bits

/** Whether there can be a frame that both match: no field keeps them apart. */
const meet = (a: Match, b: Match, read: typeof exactly): boolean =>
  Object.entries(a).every(([name, field]) => {
    const other = b[name as keyof Match]
    if (field === undefined || other === undefined) return true
    const [x, y] = [read(name, bitsOf(field)), read(name, bitsOf(other))]
    return ((x.value ^ y.value) & x.mask & y.mask) === 0n
  })

function contenders(items: Iterable<Item>, read: typeof exactly): string[] {
  const byPlace = Map.groupBy(
    [...items].filter(item => item.kind === 'flow'),
    ({ tableId, priority }) => `${tableId} ${priority}`,
  )
  const found: string[] = []
  for (const flows of byPlace.values())
    for (const [i, a] of flows.entries())
      for (const b of flows.slice(i + 1))
        if (meet(a.match, b.match, read)) found.push(`${formatFlow(a)} | ${formatFlow(b)}`)
  return found
}

/** What an entry does that its table does not declare, and masks of bits that are not in use. */
function undeclared({ tableId, match, instructions }: FlowItem): string[] {
  const table = Object.values(pipeline)[tableId]!
  const declared = new Set<string>([...table.does, ...table.mayDo])
  const actions = instructions.flatMap(i => (i.type === 'apply_actions' ? i.actions : []))
  const done = [...instructions.map(i => i.type).filter(type => type !== 'apply_actions'), ...actions.map(doing)]
  const fields = new Set<string>([...table.match, ...table.snooping, ...table.limiting, ...table.strict])
  const written = instructions.flatMap(i => (i.type === 'write_metadata' ? [i.metadata, i.metadataMask] : []))
  const matched = match.metadata === undefined ? [] : Object.values(bitsOf(match.metadata))
  return [
    ...done.filter(doing => !declared.has(doing)),
    ...Object.keys(match).filter(field => !fields.has(field)),
    ...[...written, ...matched]
      .filter(bits => (bits & ~metadataBits) !== 0n)
      .map(bits => `metadata 0x${bits.toString(16)}`),
  ]
}
/** Nicira's copy to the controller stands for an output where there is one. */
const doing = (action: Action): Doing | string =>
  action.type === 'set_field' ? `set ${action.field}` : action.type === 'controller2' ? 'output' : action.type

const compiled = function* (): Iterable<readonly [string, readonly Item[]]> {
  for (const [name, { switches }] of Object.entries(examples))
    for (const [dpid, items] of switches) yield [`${name} ${dpid}`, items]
}

t.test('no two entries of a table that one frame could meet have one priority, in the examples', async t => {
  for (const [where, items] of compiled()) {
    t.strictSame(contenders(items, exactly), [], where)
    t.strictSame(contenders(items, sloppily), [], `${where}, read sloppily`)
  }
})

t.test('nor in random networks', async () => {
  fc.assert(
    fc.property(world.changes(true), fc.boolean(), ({ before }, metered) =>
      [...world.desired(before, metered).values()].every(content => {
        const wrong = [...contenders(content.values(), exactly), ...contenders(content.values(), sloppily)]
        if (wrong.length > 0) throw new Error(wrong.join('\n'))
        return true
      }),
    ),
    { numRuns: Number(process.env['L2SM_RUNS'] ?? 60) },
  )
})

t.test('the law can tell: a tag and a priority tag of one priority contend where VID 0 is any tag', async t => {
  const entry = { tableId: 0, priority: 100, instructions: [], cookie: 0n }
  const at = (vlan_vid: number) => flowItem(1, { ...entry, match: { in_port: 2, vlan_vid } })
  t.equal(contenders([at(vid.present), at(vid.present | 7)], exactly).length, 0)
  t.equal(contenders([at(vid.present), at(vid.present | 7)], sloppily).length, 1)
  t.equal(contenders([at(0), at(0)], exactly).length, 1)
})

t.test('entries do and match what their table declares, and no bit of the metadata beyond', async t => {
  for (const [where, items] of compiled())
    for (const item of items) if (item.kind === 'flow') t.strictSame(undeclared(item), [], where)
  fc.assert(
    fc.property(world.changes(true), fc.boolean(), ({ before }, metered) =>
      [...world.desired(before, metered).values()].every(content =>
        [...content.values()].every(item => item.kind !== 'flow' || undeclared(item).length === 0),
      ),
    ),
    { numRuns: 20 },
  )
})
