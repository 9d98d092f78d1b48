// 100,000 flows into one real Open vSwitch: first load, read back and compare, atomic change; beside ovs-ofctl and a client
// that only writes bytes it has prepared.
import { writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { commit } from '../controller/commit.ts'
import { readSteps } from '../controller/content.ts'
import { cookie } from '../controller/cookie.ts'
import { applied, diff, isEmpty, plan } from '../controller/diff.ts'
import { type Content, entry, type FlowItem } from '../controller/item.ts'
import { atOnce } from '../controller/steps.ts'
import { encode, encodeAll, flowMod, formatFlow } from '../openflow/index.ts'
import { type Bridge, bridge } from './bridge.ts'
import { alternate, print, timed } from './machine.ts'

/** Entries such as a network's addresses on other switches: most of what a large switch holds. */
export function flows(count: number, port: number): Content {
  const items = new Map<string, FlowItem>()
  for (let i = 0; i < count; i++) {
    const network = 1 + Math.floor(i / 100)
    const mac = `02:00:${(i >>> 24) & 255}:${i >>> 16}:${i >>> 8}:${i}`
      .split(':')
      .map((part, at) => (at < 2 ? part : (Number(part) & 255).toString(16).padStart(2, '0')))
      .join(':')
    const item = entry(network, 'deliver', 'there', {
      match: { metadata: BigInt(network), eth_dst: mac },
      apply: [
        { type: 'set_field', field: 'tunnel_id', value: BigInt(network) },
        { type: 'output', port, maxLen: 0 },
      ],
      cookie: cookie('network', network),
    })
    items.set(item.key, item)
  }
  return items
}

const empty: Content = new Map()
const clear = ({ session }: Bridge) =>
  session.apply([flowMod({ command: 'delete', tableId: 0xff, cookie: 0n, cookieMask: 0n })])

/** Writes prepared bytes and waits for the barrier behind them. */
function raw(socket: string, bytes: Buffer): Promise<void> {
  const barrier = encode({ type: 'barrier_request', xid: 7 })
  return new Promise((resolve, reject) => {
    const peer = connect(socket)
    peer.on('error', reject)
    peer.on('data', data => {
      if (data.includes(Buffer.from([4, 21, 0, 8, 0, 0, 0, 7]))) peer.end(resolve)
    })
    peer.write(encode({ type: 'hello', xid: 0, elements: [{ type: 'versionbitmap', versions: [4] }] }))
    peer.write(bytes)
    peer.write(barrier)
  })
}

export async function flowsBench(count: number, rounds: number): Promise<void> {
  const b = await bridge()
  try {
    const first = flows(count, 101)
    const second = flows(count, 102)
    const steps = plan(diff(first, empty), empty)
    const file = join(b.ovs.directory, 'flows.txt')
    await writeFile(file, [...first.values()].map(f => formatFlow(f as FlowItem)).join('\n'))
    const bytes = encodeAll(steps.arrive.map(s => s.change))
    const load = (run: () => Promise<unknown>) => async () => {
      await clear(b)
      return (await timed(run)).ms
    }
    const apply = async (to: Content, from: Content) => {
      const refused = await commit(b.session, plan(diff(to, from), from))
      if (refused.size > 0) throw new Error([...refused.values()][0])
    }
    const loads = await alternate(rounds, {
      'ovs-ofctl add-flows': load(() => b.ovs.ofctl('br0', 'add-flows', [file])),
      'ovs-ofctl --bundle add-flows': load(() => b.ovs.ofctl('br0', 'add-flows', ['--bundle', file])),
      'raw bytes, one barrier': load(() => raw(b.socket, bytes)),
      'l2sm, in order (diff, encode, send, barrier)': load(async () =>
        b.session.apply(steps.arrive.map(s => s.change)),
      ),
      'l2sm, one atomic bundle (diff, encode, send, commit)': load(() => apply(first, empty)),
    })
    await clear(b)
    await apply(first, empty)
    const compares: number[] = []
    let change = 0
    for (let round = 0; round < rounds; round++) {
      compares.push(
        (
          await timed(async () => {
            const found = { flows: await b.session.flows(), groups: [], meters: [] }
            const { ours } = atOnce(readSteps(b.session.dpid, found))
            if (!isEmpty(diff(first, new Map(ours.map(item => [item.key, item])))))
              throw new Error('what was read back is not what was sent')
          })
        ).ms,
      )
      change = (await timed(() => apply(second, first))).ms
      await apply(first, applied(first, diff(second, first)))
    }
    const rate = (ms: number) => `${Math.round(count / ms)}k flows/s`
    print(`${count} flows into one Open vSwitch (median of ${rounds})`, [
      ...Object.entries(loads).map(([name, ms]) => [name, `${ms.toFixed(0)} ms`, rate(ms)]),
      ['l2sm: read back and compare', `${compares.toSorted((a, z) => a - z)[rounds >> 1]!.toFixed(0)} ms`, ''],
      ['l2sm: all of them changed, atomically', `${change.toFixed(0)} ms`, rate(change)],
    ])
  } finally {
    await b.close()
  }
}
