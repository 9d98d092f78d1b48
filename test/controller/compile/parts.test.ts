// What is kept by rule is what a compile of everything would make, whatever has happened before: `compile` is the oracle.
import fc from 'fast-check'
import t from 'tap'
import { compile } from '../../../controller/compile/compile.ts'
import type { Item } from '../../../controller/compile/item.ts'
import type { Datapath, Location } from '../../../controller/compile/local-network.ts'
import { placeOf } from '../../../controller/compile/local-network.ts'
import { networkParts } from '../../../controller/compile/parts.ts'
import type { PathVersions } from '../../../controller/compile/rollout.ts'
import type { Snooped } from '../../../controller/compile/snoop.ts'
import { atOnce } from '../../../controller/compile/steps.ts'
import { attachmentKey } from '../../../store/keys.ts'
import type { Attachment, Network } from '../../../store/state.ts'
import { mesh } from '../../../topology/mesh.ts'
import { paths } from '../../../topology/paths.ts'
import { route } from '../../../topology/route.ts'
import { dpidOf, linkPort, linksBetween } from '../world.ts'

const runs = Number(process.env['L2SM_RUNS'] ?? 150)
const switches = 4
const ports = [1, 2, 3]
const number = 7
const macs = ['02:00:00:00:00:01', '02:00:00:00:00:02', '02:00:00:00:00:03', '02:00:00:00:00:04']

const dpid = fc.nat(switches - 1).map(dpidOf)
const port = fc.constantFrom(...ports)
const place = fc.record({ dpid, port })
const mac = fc.constantFrom(...macs)
const form = fc.constantFrom({}, { vlan: 5 }, { trunk: true as const })
const ips = [['10.0.0.1/24'], ['10.0.0.2/24', 'fd00::2'], ['10.0.0.1']]
/** What a pinned port says of itself besides. Strict ports are no trunks: the store refuses it. */
const guard = fc.record(
  {
    guard: fc.constantFrom('mac', 'strict' as const),
    ips: fc.constantFrom(...ips),
    allowedAddresses: fc.subarray([
      { ip: '10.0.0.2' },
      { ip: '10.9.0.0/16' },
      { mac: macs[3]!, ip: '10.0.0.9' },
      { mac: macs[0]!, ip: 'fd00::9' },
    ]),
    trusted: fc.subarray(['dhcp', 'router'] as const),
  },
  { requiredKeys: ['guard', 'ips'] },
)
const event = fc.oneof(
  fc.record({ is: fc.constant('level' as const), guard: fc.constantFrom(undefined, 'mac', 'strict' as const) }),
  fc.record({ is: fc.constant('attach' as const), at: place, mac: fc.option(mac, { nil: undefined }), form, guard }),
  fc.record({ is: fc.constant('detach' as const), at: place }),
  fc.record({ is: fc.constant('limit' as const), at: place, to: fc.constantFrom(undefined, 0, 70) }),
  fc.record({ is: fc.constant('limit all' as const), to: fc.constantFrom(undefined, 0, 80) }),
  fc.record({ is: fc.constant('learn' as const), at: place, mac }),
  fc.record({ is: fc.constant('forget' as const), mac }),
  fc.record({ is: fc.constant('suppress' as const), at: place }),
  fc.record({
    is: fc.constant('withhold' as const),
    at: place,
    why: fc.constantFrom('leaving' as const, 'loop' as const),
  }),
  fc.record({ is: fc.constant('mirror' as const), at: fc.option(place, { nil: undefined }) }),
  fc.record({ is: fc.constant('snoop' as const), joined: fc.option(place, { nil: undefined }) }),
  fc.record({ is: fc.constant('port' as const), at: place }),
  fc.record({ is: fc.constant('seen' as const), dpid }),
  fc.record({
    is: fc.constant('links' as const),
    edges: fc.subarray([0, 1, 2, 3].flatMap(a => [0, 1, 2, 3].filter(b => a < b).map(b => [a, b] as const))),
  }),
  fc.record({ is: fc.constant('rollout' as const) }),
)
type Event = typeof event extends fc.Arbitrary<infer E> ? E : never

/** A network and the switches under it, to which things happen. */
function world() {
  const attachments = new Map<string, Attachment>()
  const learned = new Map<string, Location>()
  const suppressed = new Set<string>()
  const withheld = new Map<string, 'leaving' | 'loop'>()
  const datapaths = new Map<string, Datapath>()
  let network: Network = { id: 'red', number, revision: 1 }
  let edges: readonly (readonly [number, number])[] = []
  let joined: { dpid: string; port: number } | undefined
  let snoops = false
  let isRolling = false
  let revision = 1
  const datapath = (present: readonly number[]): Datapath => ({
    ports: new Set([
      ...present,
      ...Array.from({ length: switches }, (_, n) => linkPort(0, n)),
      100,
      101,
      102,
      103,
      104,
    ]),
    meteredPacketIns: true,
    maxMeter: 0xffff,
    answers: present.length !== 2,
  })
  for (let n = 0; n < switches; n++) datapaths.set(dpidOf(n), datapath(ports))
  const moved = new Set<string>()

  const happen = (it: Event): void => {
    // Only a write changes attachments.
    if (['attach', 'detach', 'limit', 'limit all'].includes(it.is)) revision++
    switch (it.is) {
      case 'attach': {
        const held = it.mac !== undefined && [...attachments.values()].some(a => a.mac === it.mac)
        const pins = it.mac !== undefined && !held ? { mac: it.mac, ...it.guard } : { guard: 'learn' as const }
        const form = pins.guard === 'strict' && 'trunk' in it.form ? {} : it.form
        const attachment: Attachment = { network: 'red', ...it.at, ...form, ...pins, revision: 1 }
        for (const [key, a] of attachments) if (a.dpid === it.at.dpid && a.port === it.at.port) attachments.delete(key)
        attachments.set(attachmentKey(attachment), attachment)
        return
      }
      case 'detach':
        for (const [key, a] of attachments) if (a.dpid === it.at.dpid && a.port === it.at.port) attachments.delete(key)
        return
      case 'limit':
        for (const [key, a] of attachments) {
          if (a.dpid !== it.at.dpid || a.port !== it.at.port) continue
          const { broadcast: _, rate: __, ...rest } = a
          const rate = { send: { kbps: 1000 + (it.to ?? 0) }, receive: { kbps: 2000 } }
          attachments.set(key, it.to === undefined ? rest : { ...rest, broadcast: it.to, rate })
        }
        return
      case 'limit all': {
        const { broadcast: _, ...rest } = network
        network = it.to === undefined ? rest : { ...rest, broadcast: it.to }
        return
      }
      case 'learn':
        learned.set(it.mac, { mac: it.mac, ...it.at })
        moved.add(it.mac)
        return
      case 'forget':
        learned.delete(it.mac)
        moved.add(it.mac)
        return
      case 'suppress': {
        const key = placeOf(number, it.at.dpid, it.at.port)
        if (!suppressed.delete(key)) suppressed.add(key)
        return
      }
      case 'withhold': {
        const key = placeOf(number, it.at.dpid, it.at.port)
        if (withheld.get(key) === it.why) withheld.delete(key)
        else withheld.set(key, it.why)
        return
      }
      case 'mirror': {
        const { mirror: _, ...rest } = network
        network = it.at ? { ...rest, mirror: { ...it.at, number: 99 } } : rest
        return
      }
      case 'level': {
        const { guard: _, ...rest } = network
        network = it.guard ? { ...rest, guard: it.guard } : rest
        revision++
        return
      }
      case 'snoop':
        snoops = !snoops
        joined = it.joined
        return
      case 'port': {
        const before = datapaths.get(it.at.dpid)
        if (!before) return
        const has = ports.filter(p => (p === it.at.port ? !before.ports.has(p) : before.ports.has(p)))
        datapaths.set(it.at.dpid, datapath(has))
        return
      }
      case 'seen':
        if (!datapaths.delete(it.dpid)) datapaths.set(it.dpid, datapath(ports))
        return
      case 'links':
        edges = it.edges
        return
      case 'rollout':
        isRolling = !isRolling
    }
  }

  let kept: { readonly key: string; readonly versions: PathVersions } | undefined
  const pathVersions = (): PathVersions => {
    const members = new Set([...attachments.values()].map(a => a.dpid))
    if (network.mirror) members.add(network.mirror.dpid)
    const key = JSON.stringify([[...members].sort(), edges, isRolling])
    if (kept?.key === key) return kept.versions
    const links = linksBetween(edges)
    const one = { epoch: 0, route: route(members, paths(mesh(links))) } as const
    const other = { epoch: 1, route: route(members, paths(mesh(links.slice(0, 4)))) } as const
    kept = { key, versions: isRolling ? [one, other] : [one] }
    return kept.versions
  }
  const snooped = (): Snooped | undefined => {
    if (!snoops) return undefined
    const at = new Map([...new Set([...attachments.values()].map(a => a.dpid))].map(d => [d, localSnooping(d)]))
    return { localNetworks: at, unread: new Set(), kept: new Map(), querier: undefined }
  }
  const localSnooping = (d: string) => ({
    joined: new Map(joined?.dpid === d ? [['239.1.2.3', new Set([joined.port])]] : []),
    ...{
      routers: new Set<number>(),
      everything: new Set<number>(),
      crowded: new Set<number>(),
      suppressed: new Set<number>(),
    },
  })

  return {
    happen,
    inputs: () => {
      const it = {
        ...{
          network,
          datapaths,
          pathVersions: pathVersions(),
          vlans: undefined,
          suppressed,
          withheld,
          snooped: snooped(),
          attachments,
          revision,
        },
        learned: {
          at: (address: string) => learned.get(address),
          forget: ({ mac: gone }: Location) => void learned.delete(gone),
          moved: new Set(moved),
        },
      }
      moved.clear()
      return it
    },
    full: () =>
      compile(
        {
          ...{ network, attachments: [...attachments.values()], suppressed, withheld, snooped: snooped() },
          learned: [...learned.values()].filter(({ dpid: d, port: p }) =>
            [...attachments.values()].some(a => a.dpid === d && a.port === p && a.guard === 'learn'),
          ),
        },
        datapaths,
        pathVersions(),
      ),
  }
}

const spelled = (items: Iterable<Item>) => [...items].map(({ key, form }) => `${key} => ${form}`).sort()

t.test(
  'after any history, parts kept by rule and a switch that took what was touched are as if compiled anew',
  async t => {
    fc.assert(
      fc.property(fc.array(event, { minLength: 1, maxLength: 25 }), events => {
        const it = world()
        const kept = networkParts()
        const held = new Map<string, Map<string, Item>>()
        for (const [i, happened] of events.entries()) {
          it.happen(happened)
          // Several things may have happened before it is compiled.
          if (i % 3 === 1 && i < events.length - 1) continue
          for (const [d, touched] of atOnce(kept.update(it.inputs()))) {
            const content = held.get(d) ?? new Map<string, Item>()
            held.set(d, content)
            for (const [key, item] of touched)
              if (item) content.set(key, item)
              else content.delete(key)
          }
          const full = it.full()
          for (let n = 0; n < switches; n++) {
            const wanted = spelled(new Map((full.get(dpidOf(n)) ?? []).map(item => [item.key, item])).values())
            const here = kept.parts.get(dpidOf(n))
            const rules = spelled(new Map([...(here?.values() ?? [])].flat().map(item => [item.key, item])).values())
            if (rules.join('\n') !== wanted.join('\n'))
              throw new Error(
                `kept on switch ${n} after ${JSON.stringify(happened)}:\n${rules.join('\n')}\nanew:\n${wanted.join('\n')}`,
              )
            const has = spelled(held.get(dpidOf(n))?.values() ?? [])
            if (has.join('\n') !== wanted.join('\n'))
              throw new Error(
                `held by switch ${n} after ${JSON.stringify(happened)}:\n${has.join('\n')}\nanew:\n${wanted.join('\n')}`,
              )
          }
        }
      }),
      { numRuns: runs },
    )
    t.pass('all the same')
  },
)
