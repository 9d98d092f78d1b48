// What is proved of compiled tables, for random networks; and that no damage to them is missed, and none made up: reference switches say
// where frames go.
import fc from 'fast-check'
import t from 'tap'
import { type Content, flowItem } from '../../../controller/compile/item.ts'
import { atOnce } from '../../../controller/compile/steps.ts'
import type { Counterexample } from '../../../controller/proof/counterexample.ts'
import { newProver } from '../../../controller/proof/prover.ts'
import { isBreach, type Proof } from '../../../controller/proof/report.ts'
import { foreignOwner } from '../../../controller/switch/content.ts'
import { parseFlow } from '../../../openflow/index.ts'
import { endpointKey } from '../../../topology/topology.ts'
import { type Delivery, type Fabric, send } from '../../reference/index.ts'
import { fabricOf } from '../reference-fabric.ts'
import * as world from '../world.ts'
import { planeOf } from './random-plane.ts'
import { type Place, sabotages } from './sabotage.ts'

const runs = Number(process.env['L2SM_RUNS'] ?? 5)

const proofOf = (...args: Parameters<typeof planeOf>): Proof => atOnce(newProver(planeOf(...args)).prove())

for (const nicira of [true, false])
  t.test(
    `whatever networks there are, what is compiled is proved (${nicira ? 'Open vSwitch' : 'plain OpenFlow 1.3'})`,
    async () =>
      void fc.assert(
        fc.property(world.changes(true), ({ after }) => {
          const proof = proofOf(after, world.desired(after, nicira), nicira)
          if (proof.is !== 'proved') throw new Error(JSON.stringify(proof.counterexamples, undefined, 1))
        }),
        { numRuns: runs },
      ),
  )

/** A port that no network has: none of the stations is there. */
const nobody = 9

/** Where a flow is to be put: two ports of one switch, in different networks. Undefined: there are none. */
function placeIn(placement: world.Placement, turn: number): (Place & { readonly dpid: string }) | undefined {
  const members = [...placement.members].filter(([key]) => key.split('/').length === 2)
  const pairs = members.flatMap(([a, m]) =>
    members.flatMap(([b, o]) =>
      m.network !== o.network && world.stationOf(a).dpid === world.stationOf(b).dpid ? [[a, b, m, o] as const] : [],
    ),
  )
  if (pairs.length === 0) return undefined
  const [a, b, m, o] = pairs[turn % pairs.length]!
  const [own, other] = [world.stationOf(a), world.stationOf(b)]
  const links = world
    .links(placement.switches, placement.plain)
    .filter(l => l.from.dpid === own.dpid && l.carries !== 'vid')
  const number = (name: string) => world.networkNames.indexOf(name) + 1
  return {
    ...{ dpid: own.dpid, own: own.port, other: other.port, nobody, otherMac: world.macOf(other) },
    ...{
      ownNumber: number(m.network),
      otherNumber: number(o.network),
      link: links[turn % (links.length || 1)]?.from.port,
    },
  }
}

function damaged(contents: ReadonlyMap<string, Content>, dpid: string, text: string): ReadonlyMap<string, Content> {
  const { tableId, priority, match, instructions } = parseFlow(text)
  const item = flowItem(foreignOwner, {
    ...{ tableId: tableId ?? 0, priority: priority ?? 0x8000, match, instructions: instructions ?? [], cookie: 0n },
  })
  return new Map(contents).set(dpid, new Map(contents.get(dpid)).set(item.key, item))
}

/** Whether this frame, sent there, breaks the law in the way that was said. */
function isTrue({ fault, frame, from, at }: Counterexample, fabric: Fabric, tunnel: number): boolean {
  const { arrivals, loops, packetIns }: Delivery = send(
    fabric,
    endpointKey(from!),
    Buffer.from(frame!, 'hex'),
    BigInt(tunnel),
  )
  // By which tag it comes out matters only where it is a member's that should get it.
  const asAsked = (tags: readonly number[]) => tags[0] === at?.vlan || fault !== 'lost'
  const there = at && arrivals.filter(a => a.at === endpointKey(at) && asAsked(world.tagsOf(a.frame))).length
  if (fault === 'loop') return loops.length > 0
  if (fault === 'controller') return packetIns.length > 0
  if (fault === 'spoofed') return arrivals.length > 0
  if (fault === 'lost') return there === 0
  return fault === 'twice' ? there! > 1 : there! > 0
}

/** Frames that would show a breach: from every port, to everybody, of some kinds. */
function crosses(placement: world.Placement, fabric: Fabric): string | undefined {
  const stations = world.endpoints(placement.switches)
  const network = (key: string) => world.networkOf(placement, key)
  for (const from of stations)
    for (const to of [world.broadcast, '02:99:00:00:00:01', ...stations.map(world.macOf)]) {
      const key = endpointKey(from) + (from.vlan === undefined ? '' : `/${from.vlan}`)
      const frame = world.frame(to, world.macOf(from), ...(from.vlan === undefined ? [] : [from.vlan]))
      const { arrivals } = send(fabric, endpointKey(from), frame)
      for (const arrival of arrivals) {
        const at = [arrival.at, ...world.tagsOf(arrival.frame)].join('/')
        const mirror = placement.mirrors.get(network(key) ?? '')
        if (mirror && endpointKey(mirror) === arrival.at) continue
        if (network(key) === undefined || network(at) !== network(key)) return `${key} to ${to} comes out at ${at}`
      }
    }
  return undefined
}

for (const [i, { name, is, flow }] of sabotages.entries())
  t.test(
    `${name}: ${is === 'harmless' ? 'no frame crosses, and none is said to' : 'what crosses is found, and what is found crosses'}`,
    async () =>
      void fc.assert(
        fc.property(world.changes(true), fc.nat(100), ({ after }, turn) => {
          const place = placeIn(after, turn)
          const text = place && flow(place)
          if (text === undefined) return
          const contents = damaged(world.desired(after), place!.dpid, text)
          const fabric = fabricOf(after, contents, true, [nobody])
          const { counterexamples } = proofOf(after, contents, true, [nobody])
          const wrong = counterexamples.filter(it => it.frame !== undefined && it.fault !== 'unknown')
          for (const it of wrong)
            if (!isTrue(it, fabric, it.tunnel ?? 0))
              throw new Error(`${text}: not so: ${JSON.stringify(it, undefined, 1)}`)
          const breaches = wrong.filter(isBreach)
          if (is === 'harmless' && breaches.length > 0)
            throw new Error(`${text}: ${JSON.stringify(breaches[0], undefined, 1)}`)
          const seen = crosses(after, fabric)
          if (seen && !breaches.some(({ fault }) => fault === 'crosses' || fault === 'stray'))
            throw new Error(`${text}: ${seen}, and that was not found`)
        }),
        { numRuns: Math.ceil(runs / 2), seed: i + 1 },
      ),
  )
