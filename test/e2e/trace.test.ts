// Traces against `ofproto/trace`: on real bridges with random networks, random frames at random ports, each followed to all of its
// ends. L2SM_SEED starts elsewhere, L2SM_ROUNDS and L2SM_FRAMES (of a round) do more:
// 5 and 2000 are 10,000.
import t from 'tap'
import type { TraceView, VisitView } from '../../controller/view/trace.ts'
import { needs } from '../../lab/install.ts'
import type { Mesh } from '../../lab/mesh.ts'
import type { Node } from '../../lab/node.ts'
import type { Pod } from '../../lab/pod.ts'
import { type AttachmentSpec, attach, deleteNetwork, putDeclaredLink, putNetwork } from '../../store/desired.ts'
import { isRefusal } from '../../store/refusals.ts'
import { putVlink } from '../../store/vlinks.ts'
import { makeStage, type Stage } from '../ovs/stage.ts'
import { type Places, readTrace } from '../ovs/trace.ts'
import { arp, ethernet, icmp, icmpv6, ipv4, ipv6, neighbour, type Tag, tcp, udp } from '../reference/frames.ts'
import { newRandom, type Random } from '../reference/random.ts'

const first = Number(process.env['L2SM_SEED'] ?? 1)
const rounds = Number(process.env['L2SM_ROUNDS'] ?? 2)
/** Of a round, over both meshes. */
const framesEach = Number(process.env['L2SM_FRAMES'] ?? 200)
const ids = ['red', 'blue', 'green', 'white', 'pair']
const vids = [0, 5, 9, 100, 101, 102, 103]

type Arrival = { readonly node: Node; readonly port: number; readonly vni?: number; readonly frame: Buffer }

/** Networks with members, tags, trunks, a mirror and a vlink, as the seed has it. What is refused is left out. */
async function randomNetworks(stage: Stage, r: Random): Promise<void> {
  const { mesh } = stage
  for (const id of ids) await stage.store.write(draft => deleteNetwork(draft, id))
  const free = mesh.pods().map(pod => ({ pod, dpid: mesh.node(pod.node).dpid, port: pod.port }))
  const take = () => free.splice(r.below(free.length), 1)[0]!
  for (const id of ids.slice(0, 2 + r.below(3))) {
    const spec = {
      ...(r.chance(0.4) && { multicast: 'snoop' as const }),
      ...(free.length > 5 && r.chance(0.4) && { mirror: take() }),
    }
    const made = await stage.store.write(draft => putNetwork(draft, id, spec))
    if (isRefusal(made)) throw new Error(made.detail)
    for (let i = 2 + r.below(2); i > 0 && free.length > 2; i--) {
      const { pod, dpid, port } = take()
      const how = r.one<Partial<AttachmentSpec>>([
        {},
        {},
        { mac: pod.mac },
        { mac: pod.mac },
        { vlan: 5 },
        { vlan: 9, mac: pod.mac },
        { trunk: true },
      ])
      const attached = await stage.store.write(draft => attach(draft, { network: id, dpid, port, ...how }))
      if (isRefusal(attached)) throw new Error(attached.detail)
    }
  }
  const [from, to] = [take(), take()]
  const path = [...new Set([from.dpid, to.dpid])]
  await stage.store.write(draft =>
    putVlink(draft, 'pair', { from, to, path, reversePath: path.toReversed(), reroute: true }),
  )
  const named = [...stage.store.state().networks.keys()]
  for (const id of named) await stage.settled(id)
}

/** Where a frame may come in: ports of pods, of links, and of the cable. */
function randomArrival(r: Random, stage: Stage): Arrival {
  const { mesh } = stage
  const node = r.one(mesh.nodes)
  const pods = mesh.pods().filter(pod => pod.node === node.number)
  const cables = [...stage.store.state().declaredLinks.values()].filter(link => link.from.dpid === node.dpid)
  const frame = randomFrame(r, mesh.pods())
  const numbers = [...stage.store.state().networks.values()].flatMap(n => [
    n.number,
    n.mirror?.number ?? 1,
    n.vlink?.reverseNumber ?? 1,
  ])
  const vni = r.one([...numbers, ...numbers, r.one(numbers) + 0x80_0000, 0, 0xfffffe, 77])
  return r.one<() => Arrival>([
    () => ({ node, port: r.one(pods).port, frame }),
    () => ({ node, port: r.one(pods).port, frame }),
    () => ({ node, port: r.one([...node.links.values()]), vni, frame }),
    () =>
      cables.length > 0 ? { node, port: r.one(cables).from.port, frame } : { node, port: r.one(pods).port, frame },
  ])()
}

function randomFrame(r: Random, pods: readonly Pod[]): Buffer {
  const macs = pods.map(pod => pod.mac)
  const groups = [
    'ff:ff:ff:ff:ff:ff',
    '01:00:5e:00:00:01',
    '01:00:5e:01:02:03',
    '33:33:00:00:00:01',
    '33:33:00:01:00:03',
    '01:80:c2:00:00:0e',
    '01:80:c2:00:00:03',
  ]
  const tag = (): Tag => ({ vid: r.one(vids), pcp: r.below(2), tpid: r.one([0x8100, 0x8100, 0x88a8]) })
  const tags = r.one<() => Tag[]>([() => [], () => [], () => [], () => [tag()], () => [tag(), tag()]])()
  const l2 = {
    dst: r.one([...macs, ...groups]),
    src: r.one([...macs, ...macs, '02:00:00:00:77:01', '03:00:00:00:00:01']),
    tags,
  }
  const [src, dst] = [
    r.one(['10.0.0.1', '10.0.0.2', '0.0.0.0']),
    r.one(['10.0.0.1', '224.0.0.1', '224.0.0.22', '239.1.2.3']),
  ]
  const six = { src: r.one(['fe80::1', '::', 'fe80::2']), dst: r.one(['fe80::1', 'ff02::1', 'ff02::16', 'ff05::3']) }
  const pad = Buffer.alloc(r.below(30))
  return r.one<() => Buffer>([
    () => arp(l2, { op: r.one([1, 2]), sha: l2.src, spa: src, tpa: dst }, pad),
    () => ipv4(l2, { src, dst }, udp(68, 67, pad)),
    () => ipv4(l2, { src, dst }, tcp(1, 2, pad)),
    () => ipv4(l2, { src, dst }, icmp(8, 0, pad)),
    () => ipv4(l2, { src, dst }, { proto: 2, body: Buffer.from([r.one([0x11, 0x16, 0x17]), 0, 0, 0, 239, 1, 2, 3]) }),
    () => ipv6(l2, six, udp(1, 2, pad)),
    () => ipv6(l2, six, icmpv6(r.one([128, 130, 131, 143, 134]), 0, Buffer.alloc(20))),
    () => ipv6(l2, six, neighbour(r.one(['solicit', 'advert']), 'fe80::1', [1, l2.src])),
    () => ethernet(l2, r.one([0x88cc, 0x88b5, 0x0100, 0x8847]), pad),
  ])()
}

/** Datapath ports of a node's switch, and tunnels by their other end. */
async function placesOf(mesh: Mesh, node: Node): Promise<Places> {
  const shown = await node.ovs.appctl('dpif/show')
  const own = new RegExp(`^  ${node.bridge}:\\n((?:    .*\\n?)*)`, 'm').exec(shown)?.[1] ?? ''
  const lines = [...own.matchAll(/^ +(\S+) (\d+)\/(\d+):/gm)]
  return {
    ports: new Map(
      lines.map(([, name, ofport, dp]) => [Number(dp), name === node.bridge ? 0xfffffffe : Number(ofport)]),
    ),
    tunnels: new Map([...node.links].map(([other, port]) => [mesh.node(other).address, port])),
  }
}

/** What leaves a switch, sorted: as the trace has it, and as Open vSwitch says. */
const leaving = (node: Node, { copies }: VisitView): string[] =>
  copies
    .flatMap(({ port, vni = 0, end }) => {
      if (end.is === 'controller') return ['controller']
      if (end.is === 'lost' && !/dead/.test(end.why)) return []
      return [`${port}@${[...node.links.values()].includes(port!) ? vni : 0}`]
    })
    .sort()

async function theirs(
  mesh: Mesh,
  node: Node,
  places: Places,
  { port, vni = 0, frame }: VisitView,
): Promise<{ left: string[]; text: string }> {
  const far = [...node.links].find(([, each]) => each === port)?.[0]
  const tunnel = far === undefined ? '' : `,tun_id=${vni},tun_src=${mesh.node(far).address},tun_dst=${node.address}`
  const text = await node.ovs.appctl('ofproto/trace', node.bridge, `in_port=${port}${tunnel}`, frame)
  return { left: [...readTrace(text, places)].sort(), text }
}

if (needs(t)) {
  const rings = [
    [1, 2],
    [2, 3],
    [3, 4],
    [4, 1],
  ] as const
  for (const [name, links, cabled] of [
    ['a full mesh', 'full', false],
    ['a ring with a cable in it', rings.slice(1), true],
  ] as const)
    t.test(`in ${name} each frame goes where ofproto/trace says, switch by switch`, async t => {
      const nodes = links === 'full' ? 3 : 4
      const stage = await makeStage(t, { nodes, podsPerNode: 4, links, vlanRange: { first: 100, last: 119 } })
      t.setTimeout(120_000 * Math.max(1, rounds / 2))
      const { mesh } = stage
      if (cabled) {
        const { ports } = await mesh.cable(1, 2)
        const [from, to] = [1, 2].map((number, i) => ({ dpid: mesh.node(number).dpid, port: ports[i]! })) as [
          { dpid: string; port: number },
          { dpid: string; port: number },
        ]
        await stage.ask(draft => putDeclaredLink(draft, { from, to, carries: 'vid' }))
      }
      const places = new Map<string, Places>()
      const wrong: string[] = []
      const seen = { visits: 0, copies: 0, deepest: 0, controller: 0 }
      /** What differs. */
      const compared = async (
        { node, port, vni, frame }: Arrival,
        tables: 'both' | 'desired' | 'held',
      ): Promise<string[]> => {
        const start = { dpid: node.dpid, port, ...(vni !== undefined && { vni }) }
        const answer = await stage.controller.trace({ ...start, tables, frame: frame.toString('hex') })
        if ('expected' in answer) throw new Error(JSON.stringify(answer))
        const faults: string[] = []
        if (answer.differ)
          faults.push(`held and desired differ: ${JSON.stringify(answer.traces.map(({ ends }) => ends))}`)
        const { visits, certain } = answer.traces.at(-1) as TraceView
        if (!certain) faults.push(`not certain: ${JSON.stringify(visits)}`)
        for (const visit of visits) {
          const at = mesh.nodes.find(each => each.dpid === visit.dpid)!
          const ours = leaving(at, visit)
          const { left, text } = await theirs(mesh, at, places.get(at.dpid)!, visit)
          seen.visits += 1
          seen.copies += ours.length
          seen.controller += ours.filter(each => each === 'controller').length
          if (ours.join() === left.join()) continue
          const where = `switch ${visit.dpid}, port ${visit.port}, ${visit.frame}`
          faults.push(`${where}\n ours ${ours}\n theirs ${left}\n${JSON.stringify(visit.steps, null, 1)}\n${text}`)
        }
        seen.deepest = Math.max(seen.deepest, visits.length)
        return faults
      }
      for (let round = 0; round < rounds; round++) {
        const r = newRandom((first + round) * 2 + (cabled ? 1 : 0))
        await randomNetworks(stage, r)
        for (const node of mesh.nodes) places.set(node.dpid, await placesOf(mesh, node))
        for (let i = 0; i < framesEach / 2; i++) {
          const arrival = randomArrival(r, stage)
          let faults = await compared(arrival, i < 20 ? 'both' : 'desired')
          // Addresses are learned and forgotten meanwhile: between two questions the tables may have become others.
          for (let again = 0; faults.length > 0 && again < 3; again++) faults = await compared(arrival, 'held')
          wrong.push(...faults.map(fault => `round ${round}: ${fault}`))
        }
      }
      t.strictSame(wrong.slice(0, 3), [], `${wrong.length} of ${seen.visits} switches`)
      t.comment(JSON.stringify(seen))
      t.ok(seen.copies > rounds * 20 && seen.deepest > 2 && seen.controller > 0, JSON.stringify(seen))
    })
}
