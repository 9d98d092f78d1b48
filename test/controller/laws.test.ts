// What holds of the core for random networks, asked of reference switches: where does this frame go?
import fc from 'fast-check'
import t from 'tap'
import { applied, diff, isEmpty, plan } from '../../controller/compile/diff.ts'
import type { Content } from '../../controller/compile/item.ts'
import { attachmentKey } from '../../store/attachments.ts'
import { endpointKey } from '../../topology/topology.ts'
import { type Fabric, send } from '../reference/index.ts'
import { fabricOf, tell } from './reference-fabric.ts'
import type { Placement } from './world.ts'
import * as world from './world.ts'

const runs = Number(process.env['L2SM_RUNS'] ?? 60)

/** Everybody that hears a broadcast of `from`, how often. No loop, and no two entries that contend for a frame. */
function hear(fabric: Fabric, from: string, to = world.broadcast, as = macAt(from)): ReadonlyMap<string, number> {
  const { vlan, ...at } = world.stationOf(from)
  const tags = vlan === undefined ? [] : [vlan]
  const { arrivals, loops, ambiguous } = send(fabric, endpointKey(at), world.frame(to, as, ...tags))
  if (loops.length > 0) throw new Error(`a frame from ${from} loops: ${JSON.stringify(loops[0])}`)
  if (ambiguous.size > 0) throw new Error(`two entries of one priority match a frame from ${from} in ${[...ambiguous]}`)
  const counts = new Map<string, number>()
  for (const arrival of arrivals) {
    const key = [arrival.at, ...world.tagsOf(arrival.frame)].join('/')
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  return counts
}
const macAt = (key: string) => world.macOf(world.stationOf(key))
const keys = (switches: number) => world.endpoints(switches).map(attachmentKey)
const membersOf = (p: Placement, network: string) =>
  [...p.members].filter(([, m]) => m.network === network).map(([key]) => key)

/** Who should get a frame from this port to this address: by what the operator asked for, nothing else. */
function expected(p: Placement, from: string, to: string): Map<string, number> {
  const heard = new Map<string, number>()
  for (const { vlink } of p.vlinks.values()) {
    const ends = world.endsOf(vlink)
    if (ends.includes(from)) return heard.set(ends[ends[0] === from ? 1 : 0]!, 1)
  }
  const sender = p.members.get(from)
  if (!sender) return heard
  const others = membersOf(p, sender.network).filter(key => key !== from)
  const owner = others.find(key => macAt(key) === to && p.members.get(key)!.address !== 'unknown')
  for (const key of to === macAt(from) ? [] : owner ? [owner] : others) heard.set(key, 1)
  const mirror = p.mirrors.get(sender.network)
  if (mirror) heard.set(`${mirror.dpid}/${mirror.port}`, 1)
  return heard
}
const sorted = (m: ReadonlyMap<string, number>) => [...m].sort(([a], [b]) => (a < b ? -1 : 1))

for (const nicira of [true, false])
  t.test(
    `every member gets a broadcast once, a known address gets its frames, nobody else gets anything (${nicira ? 'Open vSwitch' : 'plain OpenFlow 1.3'})`,
    async () =>
      void fc.assert(
        fc.property(world.changes(true), ({ after, switches }) => {
          const fabric = fabricOf(after, world.desired(after, nicira), nicira)
          for (const from of keys(switches))
            for (const to of [
              world.broadcast,
              '33:33:00:00:00:01',
              '02:99:00:00:00:01',
              ...keys(switches).map(macAt),
            ]) {
              if (to === macAt(from)) continue
              if (JSON.stringify(sorted(hear(fabric, from, to))) !== JSON.stringify(sorted(expected(after, from, to))))
                throw new Error(
                  `${from} to ${to}: ${JSON.stringify(sorted(hear(fabric, from, to)))}, expected ${JSON.stringify(sorted(expected(after, from, to)))}`,
                )
            }
        }),
        { numRuns: runs },
      ),
  )

t.test(
  'a pinned port that sends from another address is not heard',
  async () =>
    void fc.assert(
      fc.property(world.changes(), ({ after, switches }) => {
        const fabric = fabricOf(after, world.desired(after))
        for (const from of keys(switches)) {
          if (world.networkOf(after, from)?.startsWith('vlink')) continue
          const heard = hear(fabric, from, world.broadcast, '02:66:66:66:66:66').size
          const speaks = after.members.get(from)?.address
          if ((speaks === undefined || speaks === 'pinned') && heard > 0) throw new Error(`${from} spoofs`)
        }
      }),
      { numRuns: runs },
    ),
)

t.test(
  'after every single message, in any order between switches, no frame leaves its network and none comes twice',
  async () =>
    void fc.assert(
      fc.property(
        world.changes(),
        fc.array(fc.nat(100), { minLength: 1, maxLength: 40 }),
        ({ before, after, switches }, order) => {
          const from = world.desired(before)
          const to = world.desired(after)
          const fabric = fabricOf(before, from)
          const left = [...to].map(([dpid, content]) => ({
            dpid,
            steps: [...world.messages(from.get(dpid)!, content)],
          }))
          for (let turn = 0; ; turn++) {
            const waiting = left.filter(l => l.steps.length > 0)
            if (waiting.length === 0) break
            const next = waiting[order[turn % order.length]! % waiting.length]!
            tell(fabric, next.dpid, next.steps.shift()!)
            checkPrefix(fabric, before, after, switches)
          }
          for (const sender of keys(switches)) {
            const heard = JSON.stringify(sorted(hear(fabric, sender)))
            const wanted = JSON.stringify(sorted(expected(after, sender, world.broadcast)))
            if (heard !== wanted) throw new Error(`at the end ${sender} is heard by ${heard}, expected ${wanted}`)
          }
        },
      ),
      { numRuns: Math.ceil(runs / 3) },
    ),
)

/** A port is in one network at a time: all that it hears, and all that it says, is of that network, old or new. */
function checkPrefix(fabric: Fabric, before: Placement, after: Placement, switches: number): void {
  const networks = (key: string) => [world.networkOf(before, key), world.networkOf(after, key)]
  const hears = new Map<string, Set<string>>()
  const note = (key: string, network: string) => hears.set(key, (hears.get(key) ?? new Set()).add(network))
  for (const from of keys(switches))
    for (const to of [world.broadcast, ...keys(switches).map(macAt)]) {
      const heard = hear(fabric, from, to)
      if (heard.size === 0) continue
      for (const [at, times] of heard) {
        if (times > 1) throw new Error(`${at} got a frame from ${from} ${times} times`)
        if (at === from) throw new Error(`${from} got its own frame back`)
      }
      const common = networks(from).filter(
        (n): n is string => n !== undefined && [...heard.keys()].every(k => networks(k).includes(n)),
      )
      if (common.length === 0)
        throw new Error(`${from} (${networks(from)}) was heard by ${[...heard.keys()]}, of other networks`)
      if (new Set(common).size > 1) continue
      note(from, common[0]!)
      for (const at of heard.keys()) note(at, common[0]!)
    }
  for (const [key, of] of hears) if (of.size > 1) throw new Error(`${key} is in ${[...of]} at once`)
}

t.test(
  'what is sent makes the switch what it should be; and a switch that is right is sent nothing',
  async () =>
    void fc.assert(
      fc.property(world.changes(true), ({ before, after }) => {
        const from = world.desired(before)
        for (const [dpid, to] of world.desired(after)) {
          const actual = from.get(dpid)!
          const changes = diff(to, actual)
          const bodies = (c: Content) => JSON.stringify([...c].map(([key, item]) => [key, item.form]).sort())
          if (bodies(applied(actual, changes)) !== bodies(to))
            throw new Error(`switch ${dpid} does not become what it should`)
          if (!isEmpty(diff(to, to)) || world.inOrder(plan(diff(to, to), to)).length > 0)
            throw new Error('something is sent for nothing')
        }
      }),
      { numRuns: runs },
    ),
)

t.test(
  "a frame with tags that are not its port's, or with more of them, is heard by nobody, but by trunks of its own network",
  async () =>
    void fc.assert(
      fc.property(
        world.changes(),
        fc.boolean(),
        fc.array(fc.constantFrom(0, 5, 7, 9), { minLength: 1, maxLength: 3 }),
        ({ after, switches }, nicira, tags) => {
          const fabric = fabricOf(after, world.desired(after, nicira), nicira)
          for (const { dpid, port, vlan } of world.endpoints(switches)) {
            const key = attachmentKey({ dpid, port, vlan })
            const member = after.members.get(key)
            if (world.networkOf(after, key)?.startsWith('vlink')) continue
            const sent = [...(vlan === undefined ? [] : [vlan]), ...tags]
            const own = after.members.get(attachmentKey({ dpid, port, vlan: sent[0] }))
            // One tag, and the port has it: that is no foreign tag.
            if (sent.length === 1 && (own || (sent[0] === 0 && member))) continue
            const frame = world.frame(world.broadcast, macAt(key), ...sent)
            for (const { at, frame: seen } of send(fabric, endpointKey({ dpid, port }), frame).arrivals) {
              const trunk = vlan === undefined && member?.trunk === true
              const [outer] = world.tagsOf(seen)
              const there = [attachmentKey({ ...world.stationOf(at), vlan: outer }), at].map(
                k => after.members.get(k)?.network,
              )
              if (!trunk || !there.includes(member!.network))
                throw new Error(`tags ${sent} from ${key} came out of ${at} with ${world.tagsOf(seen)}`)
            }
          }
        },
      ),
      { numRuns: runs },
    ),
)
