// 100,000 flows into one real Open vSwitch: first load, read back and compare, all of them changed at once. Ours is the very
// loop that the controller runs for a switch; beside it ovs-ofctl, and prepared bytes on a connection like ours.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cookie } from '../controller/compile/cookie.ts'
import { base } from '../controller/compile/default-flows.ts'
import { changeOf, diff, plan } from '../controller/compile/diff.ts'
import { type Content, entry, type FlowItem } from '../controller/compile/item.ts'
import { run } from '../controller/switch/reconcile.ts'
import type { Reconciler, Wanted } from '../controller/switch/reconciler.ts'
import { newSwitch, type Switch, touch } from '../controller/switch/state.ts'
import { sentenceOf, severityOf } from '../controller/view/recorded.ts'
import { changeBatch, encodeAll, encodeEntry, type FlowSet, flowMod, flowSet, formatFlow } from '../openflow/index.ts'
import type { Bench } from './bench.ts'
import { type Bridge, bridge, silentRecord } from './bridge.ts'
import { alternate, cpuOf, cpuOfChildren, print, timed } from './machine.ts'
import { bundled } from './raw.ts'

const perNetwork = 100
/** The ports that the flows lead to, before the change and after it. */
const before = 101
const after = 102
const instance = '0123456789'

/** What a large switch holds most of: entries that send a network's addresses on other switches into a link. */
function network(number: number, port: number): readonly FlowItem[] {
  const of = { metadata: BigInt(number), cookie: cookie('network', number) }
  const hex = (n: number) => n.toString(16).padStart(2, '0')
  return Array.from({ length: perNetwork }, (_, i) =>
    entry(number, 'deliver', 'there', {
      match: {
        metadata: of.metadata,
        eth_dst: `02:00:${hex(number >>> 16)}:${hex((number >>> 8) & 255)}:${hex(number & 255)}:${hex(i)}`,
      },
      apply: [
        { type: 'set_field', field: 'tunnel_id', value: of.metadata },
        { type: 'output', port, maxLen: 0 },
      ],
      cookie: of.cookie,
    }),
  )
}
const networks = (count: number, port: number): ReadonlyMap<number, readonly FlowItem[]> =>
  new Map(Array.from({ length: count / perNetwork }, (_, i) => [i + 1, network(i + 1, port)]))

/** The controller's loop for one switch, without the rest of the controller. */
function loopFor({ session }: Bridge): {
  /** Has the switch hold this, as when it connects: reads it first. */
  load(content: ReadonlyMap<number, readonly FlowItem[]>): Promise<void>
  /** The same of a switch that is known, as when the networks change. */
  change(content: ReadonlyMap<number, readonly FlowItem[]>): Promise<void>
  /** Reads and compares; rejects if the switch does not hold what it should. */
  compare(): Promise<void>
} {
  const sw: Switch = { ...newSwitch(session.dpid), session }
  let compiled: ReadonlyMap<number, Wanted> = new Map()
  let sent = 0
  const r: Reconciler = {
    instance,
    complete: () => false,
    compiled: () => compiled,
    at: () => compiled.keys(),
    base: () => base(instance),
    learnt: () => {},
    refused: () => {},
    wasKnown: () => false,
    firstRead: () => {},
    isRetained: () => false,
    fresh: async () => {},
    progress: () => {},
    later: () => {},
    soon: () => {},
    metrics: { ...silentRecord, flowMods: (_, count) => void (sent += count) },
    emit: event => severityOf(event) !== 'info' && console.error(sentenceOf(event)),
  }
  const want = (content: ReadonlyMap<number, readonly FlowItem[]>) => {
    compiled = new Map(
      [...content].map(([number, items]) => {
        const parts = new Map([[session.dpid, new Map([['flows', items]])]])
        return [number, { network: { id: `n${number}`, number, revision: 1 }, revision: 1, serial: 1, parts }]
      }),
    )
  }
  return {
    async load(content) {
      want(content)
      sw.compare = 'connected'
      await run(r, sw)
    },
    async change(content) {
      want(content)
      for (const number of content.keys()) touch(sw, number, 'all')
      await run(r, sw)
    },
    async compare() {
      sw.compare = 'audit'
      sent = 0
      await run(r, sw)
      if (sent > 0) throw new Error(`what was read back is not what was sent: ${sent} differences`)
    },
  }
}

/** These flows as bytes. */
function entriesOf(content: Content): FlowSet {
  const set = flowSet(1)
  for (const item of content.values()) if (item.kind === 'flow') set.put(encodeEntry(item))
  return set
}

/** All of a set as flow-mods that add it. */
function additions(set: FlowSet) {
  const batch = changeBatch()
  for (const slot of set.slots()) set.read(slot, (bytes, at, length) => batch.flow('add', bytes, at, length))
  return batch.take()
}

/** Reads and compares by bytes; rejects if the switch does not hold what it should. */
async function compareBytes({ session }: Bridge, set: FlowSet): Promise<void> {
  const { bodies } = await session.readFlows()
  const comparison = set.compare()
  for (const body of bodies) comparison.take(body)
  const differ = comparison.changed.length + comparison.extra.length + comparison.missing().length
  if (differ > 0 || comparison.same() !== set.size()) throw new Error(`${differ} flows differ`)
}

/** Milliseconds, and the processor seconds meanwhile of us or of the command that we ran, and of ovs-vswitchd. */
type Figures = { readonly ms: number; readonly ours: number; readonly switch: number }

async function figures({ ovs }: Bridge, work: () => Promise<unknown>): Promise<Figures> {
  const children = cpuOfChildren()
  const switchBefore = cpuOf(ovs.pid)
  const { ms, cpu } = await timed(work)
  return { ms, ours: cpu + cpuOfChildren() - children, switch: cpuOf(ovs.pid) - switchBefore }
}

const rowsOf = (count: number, results: Readonly<Record<string, Figures>>): string[][] => [
  ['', 'ms', 'flows/s', 'CPU s, client', 'CPU s, switch'],
  ...Object.entries(results).map(([name, { ms, ours, switch: theirs }]) => [
    name,
    ms.toFixed(0),
    `${Math.round(count / ms)}k`,
    ours.toFixed(2),
    theirs.toFixed(2),
  ]),
]

/** Throws if the switch does not hold as many flows that lead to this port. */
async function expectFlows({ ovs }: Bridge, count: number, port: number): Promise<void> {
  const text = await ovs.ofctl('br0', 'dump-aggregate', `table=2,out_port=${port}`)
  const found = Number(/flow_count=(\d+)/.exec(text)?.[1])
  if (found !== count) throw new Error(`the switch holds ${found} flows to port ${port}, expected ${count}`)
}

export const flows: Bench = {
  about: '100,000 flows into one Open vSwitch: first load, read back and compare, all changed atomically',
  async run({ folder, small }) {
    const count = small ? 10_000 : 100_000
    const rounds = 3
    // Before there is a switch: it would take a controller for dead that prepares for so long.
    const prepared = prepare(count)
    const b = await bridge(folder)
    try {
      await measure(b, prepared, count, rounds)
    } finally {
      await b.close()
    }
  },
}

type Prepared = ReturnType<typeof prepare>

/** The flows before and after the change, as each contender takes them. */
function prepare(count: number) {
  const [first, second] = [networks(count, before), networks(count, after)]
  const all = (of: typeof first): Content =>
    new Map([...base(instance), ...[...of.values()].flat()].map(item => [item.key, item]))
  const changes = (of: typeof first) => plan(diff(all(of), new Map()), new Map()).arrive.map(changeOf)
  const text = (of: typeof first) => [...all(of).values()].map(f => formatFlow(f as FlowItem)).join('\n')
  const [inOrder, atOnce, changed] = [encodeAll(changes(first)), bundled(changes(first)), bundled(changes(second))]
  return {
    ...{ first, second, changes, inOrder, atOnce, changed, entries: entriesOf(all(first)) },
    texts: [text(first), text(second)] as const,
  }
}

async function measure(b: Bridge, prepared: Prepared, count: number, rounds: number): Promise<void> {
  const { ovs, session, raw } = b
  const { first, second, changes, inOrder, atOnce, changed, entries, texts } = prepared
  const [file, file2] = [join(ovs.folder, 'first'), join(ovs.folder, 'second')]
  await Promise.all([writeFile(file, texts[0]), writeFile(file2, texts[1])])
  const loop = loopFor(b)
  const ofctl = async (...args: string[]) => void (await ovs.ofctl('br0', args[0]!, ...args.slice(1)))
  const wipe = flowMod({ command: 'delete', tableId: 0xff })

  const loading = (work: () => Promise<unknown>) => async () => {
    await session.apply([wipe])
    const found = await figures(b, work)
    await expectFlows(b, count, before)
    return found
  }
  const loads = await alternate(rounds, {
    'raw bytes, in order': loading(() => raw.write(inOrder)),
    'raw bytes, one bundle': loading(() => raw.write(atOnce)),
    'l2sm, in order (encode, send)': loading(() => session.apply(changes(first))),
    'l2sm, bytes of entries, in order': loading(() => session.apply(additions(entries))),
    'l2sm, bytes of entries, one bundle': loading(() => session.bundle(additions(entries))),
    "l2sm, the controller's way (read, diff, plan, one bundle)": loading(() => loop.load(first)),
    'ovs-ofctl add-flows': loading(() => ofctl('add-flows', file)),
    'ovs-ofctl --bundle add-flows': loading(() => ofctl('add-flows', '--bundle', file)),
  })
  print(`first load of ${count} flows, medians of ${rounds}`, rowsOf(count, loads))

  await session.apply([wipe])
  await loop.load(first)
  const compares = await alternate(rounds, {
    'raw read, thrown away': () => figures(b, () => raw.dump()),
    'l2sm, by bytes (read, compare)': () => figures(b, () => compareBytes(b, entries)),
    'l2sm (read, decode, spell, compare)': () => figures(b, () => loop.compare()),
    'ovs-ofctl dump-flows': () => figures(b, () => ofctl('dump-flows')),
    'ovs-ofctl diff-flows': () => figures(b, () => ofctl('diff-flows', file)),
  })
  print(`read back and compare ${count} flows`, rowsOf(count, compares))

  print('kept for a comparison by bytes', [
    ['', 'bytes a flow'],
    ['flowSet', (entries.memory() / entries.size()).toFixed(0)],
  ])

  const changing = (work: () => Promise<unknown>) => async () => {
    await loop.load(first)
    const found = await figures(b, work)
    await expectFlows(b, count, after)
    return found
  }
  const changesAtOnce = await alternate(rounds, {
    'raw bytes, one bundle': changing(() => raw.write(changed)),
    'l2sm (diff, plan, one bundle)': changing(() => loop.change(second)),
    'ovs-ofctl --bundle replace-flows': changing(() => ofctl('replace-flows', '--bundle', file2)),
  })
  print(`all of ${count} flows changed, atomically`, rowsOf(count, changesAtOnce))
}
