// What the proof costs: of everything, and after one attachment, link or address more. The data plane is compiled as the controller
// would, and held in memory; no switch takes part.
import { compile } from '../controller/compile/compile.ts'
import { base } from '../controller/compile/default-flows.ts'
import type { Item } from '../controller/compile/item.ts'
import type { Datapaths, Location } from '../controller/compile/local-network.ts'
import type { DataPlane, PlaneNetwork } from '../controller/proof/data-plane.ts'
import { newProver } from '../controller/proof/prover.ts'
import type { Proof } from '../controller/proof/report.ts'
import type { Attachment, Network } from '../store/state.ts'
import { mesh } from '../topology/mesh.ts'
import { paths } from '../topology/paths.ts'
import { route } from '../topology/route.ts'
import type { Steps } from '../topology/steps.ts'
import type { Endpoint, Link, Port } from '../topology/topology.ts'
import type { Bench } from './bench.ts'
import { median, print, quantile } from './machine.ts'
import { dpidOf, linkPort } from './world.ts'

type Scene = {
  readonly switches: number
  readonly networks: number
  /** Ports of a network, each on another switch. */
  readonly ports: number
}

const cpu = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1000
}
const accessPort = (network: number): number => 1 + network
const macOf = (n: number, p: number) =>
  [2, n >>> 8, n, p >>> 16, p >>> 8, p].map(byte => (byte & 255).toString(16).padStart(2, '0')).join(':')

/** A full mesh of tunnels, and networks over some of its switches; links may be taken away. */
function planeOf({ switches, networks, ports }: Scene) {
  const cut = new Set<string>()
  const key = (a: number, b: number) => (a < b ? `${a} ${b}` : `${b} ${a}`)
  const numberAt = new Map(Array.from({ length: switches }, (_, s) => [dpidOf(s), s]))
  const link = ({ dpid, port }: Endpoint): Link | undefined => {
    const from = numberAt.get(dpid)!
    const to = port - linkPort(0)
    if (to < 0 || to >= switches || to === from || cut.has(key(from, to))) return undefined
    return { from: { dpid, port }, to: { dpid: dpidOf(to), port: linkPort(from) } }
  }
  const placeOf = (n: number, p: number): number => (n * 7 + p * Math.max(1, Math.floor(switches / ports))) % switches
  const attachmentsOf = (n: number, count: number): Attachment[] =>
    Array.from({ length: count }, (_, p) => ({
      ...{ network: `n${n}`, dpid: dpidOf(placeOf(n, p)), port: accessPort(n), revision: 1 },
      ...(p % 2 === 0 ? { guard: 'mac' as const, mac: macOf(n, p) } : { guard: 'learn' as const }),
    }))
  const portsAt: Map<number, Port>[] = Array.from({ length: switches }, () => new Map())
  const put = (s: number, number: number) => portsAt[s]!.set(number, portOf(number))
  const known = new Map<number, Port>()
  const portOf = (number: number): Port => {
    let port = known.get(number)
    if (!port) known.set(number, (port = { number, name: `p${number}`, mac: '02:00:00:00:00:01', up: true }))
    return port
  }
  for (let s = 0; s < switches; s++) for (let to = 0; to < switches; to++) if (to !== s) put(s, linkPort(to))
  const attachments: Attachment[][] = []
  const learned: Location[][] = []
  const items = new Map<string, Map<number, readonly Item[]>>()
  for (let s = 0; s < switches; s++) items.set(dpidOf(s), new Map([[0, base('0123456789')]]))
  const datapaths: Datapaths = new Map(
    Array.from({ length: switches }, (_, s) => [
      dpidOf(s),
      {
        ports: new Set(Array.from({ length: networks + 1 }, (_, i) => i + 1)),
        meteredPacketIns: true,
        maxMeter: 0x3_0000,
      },
    ]),
  )
  /** Compiles a network; which of its parts came out otherwise. */
  const compileOne = (n: number): string[] => {
    const members = new Set(attachments[n]!.map(a => a.dpid))
    const links: Link[] = []
    for (const a of members)
      for (const b of members) {
        const it = a === b ? undefined : link({ dpid: a, port: linkPort(numberAt.get(b)!) })
        if (it) links.push(it)
      }
    const subject = {
      network: { id: `n${n}`, number: n + 1, revision: 1 } satisfies Network,
      ...{ attachments: attachments[n]!, learned: learned[n]!, suppressed: new Set<string>() },
    }
    const parts = compile(subject, datapaths, [{ epoch: 0, route: route(members, paths(mesh(links))) }])
    const touched: string[] = []
    for (const [dpid, now] of parts) {
      const before = items.get(dpid)!.get(n + 1) ?? []
      const was = new Map(before.map(item => [item.key, item]))
      // What comes out the same is kept, as the controller keeps it.
      const kept = now.map(item => (was.get(item.key)?.form === item.form ? was.get(item.key)! : item))
      if (kept.length === before.length && kept.every((item, i) => item === before[i])) continue
      items.get(dpid)!.set(n + 1, kept)
      touched.push(dpid)
    }
    return touched
  }
  for (let n = 0; n < networks; n++) {
    for (let p = 0; p < ports; p++) put(placeOf(n, p), accessPort(n))
    attachments.push(attachmentsOf(n, ports - 1))
    learned.push(
      attachments[n]!.filter(a => a.guard === 'learn').map((a, i) => ({
        mac: macOf(n, 0x8000 + i),
        dpid: a.dpid,
        port: a.port,
      })),
    )
    compileOne(n)
  }
  const network = (number: number): PlaneNetwork | undefined =>
    attachments[number - 1] && {
      id: `n${number - 1}`,
      number,
      numbers: [number],
      members: () => attachments[number - 1]!,
    }
  const plane: DataPlane = {
    ...{ tables: 'desired', revision: 1, link, network, isDead: () => false, at: () => [] },
    switches: new Map(
      Array.from({ length: switches }, (_, s) => {
        const dpid = dpidOf(s)
        const of = items.get(dpid)!
        const all = function* (owner?: number) {
          if (owner !== undefined) yield* of.get(owner) ?? []
          else for (const some of of.values()) yield* some
        }
        return [dpid, { dpid, ports: portsAt[s]!, isOpenVSwitch: true, items: all }]
      }),
    ),
    networks: () => Array.from({ length: networks }, (_, n) => n + 1),
  }
  return { plane, cut, key, compileOne, attachmentsOf, attachments, learned, placeOf }
}

const show = (title: string, figures: Readonly<Record<string, number>>): void =>
  print(
    title,
    Object.entries(figures).map(([name, value]) => [name, value < 10 ? value.toFixed(2) : value.toFixed(0)]),
  )

/** Runs to the end; the longest that it kept the processor between two of its pauses (ms). */
function run(steps: Steps<Proof>): { readonly proof: Proof; readonly longest: number } {
  let longest = 0
  for (;;) {
    const from = performance.now()
    const { done, value } = steps.next()
    longest = Math.max(longest, performance.now() - from)
    if (done) return { proof: value, longest }
  }
}

function everything(scene: Scene) {
  const made = planeOf(scene)
  globalThis.gc?.()
  const before = process.memoryUsage().rss
  const start = cpu()
  const prover = newProver(made.plane)
  const read = cpu() - start
  const { proof, longest } = run(prover.prove())
  const took = cpu() - start
  if (proof.is !== 'proved') throw new Error(`not proved: ${JSON.stringify(proof.counterexamples.slice(0, 3))}`)
  const { entries } = proof.covers
  const memory = (process.memoryUsage().rss - before) / 2 ** 20
  show(`${scene.networks} networks of ${scene.ports - 1} ports on ${scene.switches} switches, ${entries} entries`, {
    'CPU-s': took / 1000,
    'of it reading tables': read / 1000,
    'µs an entry': (took * 1000) / entries,
    MiB: memory,
    'longest turn (ms)': longest,
  })
  return { ...made, prover }
}

function increments(scene: Scene, rounds: number): void {
  const { prover, compileOne, attachmentsOf, attachments, learned, cut, key, placeOf } = everything(scene)
  const changed = (n: number) => {
    for (const dpid of compileOne(n)) prover.itemsChanged(dpid, n + 1)
  }
  const changes: Readonly<Record<string, (n: number) => () => void>> = {
    'attachment more': n => {
      attachments[n] = attachmentsOf(n, scene.ports)
      changed(n)
      return () => prover.networkChanged(n + 1)
    },
    'address more': n => {
      const at = attachments[n]!.find(a => a.guard === 'learn')!
      learned[n] = [...learned[n]!, { mac: macOf(n, 0xff00), dpid: at.dpid, port: at.port }]
      changed(n)
      return () => {}
    },
    'link less': n => {
      const [a, b] = [placeOf(n, 0), placeOf(n, 1)]
      cut.add(key(a, b))
      const ends = [dpidOf(a), dpidOf(b)]
      for (const [i, of] of attachments.entries())
        if (ends.every(end => of.some(({ dpid }) => dpid === end))) changed(i)
      return () => prover.switchesChanged(ends)
    },
  }
  for (const [what, change] of Object.entries(changes)) {
    const times: number[] = []
    for (let i = 0; i < rounds; i++) {
      const n = (i * 37) % scene.networks
      const tell = change(n)
      const from = cpu()
      tell()
      const { proof } = run(prover.prove())
      if (proof.is !== 'proved')
        throw new Error(`not proved: ${JSON.stringify(proof.counterexamples[0], undefined, 1)}`)
      times.push(cpu() - from)
    }
    show(`one ${what}`, { 'median ms': median(times), 'p99 ms': quantile(times, 0.99) })
  }
}

export const proof: Bench = {
  about: 'the proof of isolation: of everything, and after one change',
  async run({ small, long }) {
    increments({ switches: small ? 22 : 100, networks: small ? 50 : 1000, ports: 11 }, small ? 20 : 200)
    for (const networks of long ? [10, 50, 100, 1000] : [small ? 2 : 10])
      everything({ switches: small ? 20 : 1000, networks, ports: small ? 11 : 101 })
  },
}
