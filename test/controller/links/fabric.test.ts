// What the mesh is, as switches, ports and links come and go.
import t from 'tap'
import { atOnce } from '../../../controller/compile/steps.ts'
import { knownFabric } from '../../../controller/links/fabric.ts'
import { plannedLinks } from '../../../controller/links/planned-links.ts'
import type { PortDesc } from '../../../openflow/index.ts'
import type { Session } from '../../../openflow/session/session.ts'
import type { State } from '../../../store/state.ts'
import { endpointKey, type Link, linkKey } from '../../../topology/topology.ts'

const [a, b] = ['000000000000000a', '000000000000000b']
const there: Link = { from: { dpid: a, port: 9 }, to: { dpid: b, port: 8 } }
const back: Link = { from: there.to, to: there.from }

/** A switch with these ports, as far as the fabric looks at it. */
const switchWith = (dpid: string, ...ports: number[]): Session =>
  ({
    dpid,
    features: { nTables: 254 },
    ports: () => new Map(ports.map(port => [port, {} as PortDesc])),
    can: { bundles: true, nicira: true, maxMeter: 0x3ffff },
  }) as unknown as Session

const world = () => {
  const state = {
    declaredLinks: new Map<string, Link>(),
    discoveredLinks: new Map([there, back].map(link => [linkKey(link), link])),
    deadLinks: new Set<string>(),
    accessPorts: new Set<string>(),
    attachments: new Map<string, unknown>(),
    ...{ nodes: new Map(), nodeLinks: new Map(), nodeAt: new Map(), peers: new Map() },
    overlay: { full: true, allocated: 0 },
  }
  const now = () => state as unknown as State
  const fabric = knownFabric(now, plannedLinks(now))
  atOnce(fabric.remesh())
  return { state, fabric, joined: () => fabric.current().paths.mesh.get(a)?.get(b)?.port }
}

t.test('links of switches that nobody has seen yet are believed', async t => t.equal(world().joined(), 9))

t.test('a switch that comes with all that its links need changes nothing', async t => {
  const { fabric } = world()
  t.strictSame(fabric.ports(switchWith(a, 1, 9)), { changed: [1, 9], ofLinks: false })
  t.strictSame(fabric.ports(switchWith(a, 1, 9)), { changed: [], ofLinks: false })
  t.strictSame(fabric.ports(switchWith(a, 9, 2)), { changed: [2, 1], ofLinks: false })
  t.equal(atOnce(fabric.remesh()), false)
})

t.test('a link goes with either of its ports, and comes back with it', async t => {
  for (const [dpid, port] of [
    [a, 9],
    [b, 8],
  ] as const) {
    const { fabric, joined } = world()
    t.equal(fabric.ports(switchWith(dpid, 1)).ofLinks, true)
    t.equal(atOnce(fabric.remesh()), true)
    t.equal(joined(), undefined)
    t.strictSame(fabric.ports(switchWith(dpid, 1, port)), { changed: [port], ofLinks: true })
    t.equal(atOnce(fabric.remesh()), true)
    t.equal(joined(), 9)
    t.equal(fabric.ports(switchWith(dpid, 1)).ofLinks, true)
  }
})

t.test("a port that is or was a pod's ends a link that was found, not one that was declared", async t => {
  for (const pods of ['accessPorts', 'attachments'] as const) {
    const { state, fabric, joined } = world()
    if (pods === 'accessPorts') state.accessPorts.add(endpointKey(there.to))
    else state.attachments.set(endpointKey(there.to), {})
    t.equal(atOnce(fabric.remesh()), true)
    t.equal(joined(), undefined)
    for (const link of [there, back]) state.declaredLinks.set(linkKey(link), link)
    t.equal(atOnce(fabric.remesh()), true)
    t.equal(joined(), 9)
  }
})

t.test('a link that is dead in one direction joins nobody', async t => {
  for (const dead of [there, back]) {
    const { state, fabric, joined } = world()
    state.deadLinks.add(linkKey(dead))
    t.equal(atOnce(fabric.remesh()), true)
    t.equal(joined(), undefined)
    state.deadLinks.clear()
    t.equal(atOnce(fabric.remesh()), true)
    t.equal(joined(), 9)
  }
})

t.test('copies are limited in the switch where it can do that', async t => {
  const { fabric } = world()
  const metered = (can: Partial<Session['can']>) => {
    const session = switchWith(a, 1)
    fabric.ports({ ...session, can: { ...session.can, ...can } })
    return fabric.current().datapaths.get(a)?.meteredPacketIns
  }
  t.equal(metered({}), true)
  t.equal(metered({ nicira: false }), false)
  t.equal(metered({ maxMeter: 256 }), true, 'enough for its port: it is a count, not the highest id')
  t.equal(metered({ maxMeter: 0 }), false)
})
