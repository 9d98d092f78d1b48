// Who wants which multicast, on a clock of the test: whoever answers is never forgotten, whoever does not is.
import fc from 'fast-check'
import t from 'tap'
import type { Recalled } from '../../../controller/compile/snoop.ts'
import type { Heard } from '../../../controller/multicast/igmp.ts'
import { groupsPerNetwork, groupsPerPort, memberships } from '../../../controller/multicast/membership.ts'

const runs = Number(process.env['L2SM_RUNS'] ?? 60)
const dpids = ['a1', 'b2']
const places = dpids.flatMap(dpid => [1, 2].map(port => ({ dpid, port })))
const groups = ['239.0.0.1', '239.1.2.3', 'ff1e::42']
const network = 7
const budget = 100
const joins = (...of: string[]): Heard => ({ is: 'report', joins: of, leaves: [] })
const leaves = (...of: string[]): Heard => ({ is: 'report', joins: [], leaves: of })

type Host = { readonly wants: Set<string>; alive: boolean; readonly known: Set<string> }

/** Switches, hosts on their ports that answer what they are asked, and a clock. */
function world() {
  const members = memberships()
  const hosts = places.map((): Host => ({ wants: new Set(), alive: true, known: new Set() }))
  const unreachable = new Set<string>()
  const due: { at: number; act: () => void }[] = []
  let now = 0
  let asked = 0
  let delay = 0
  members.follow(network, places)
  for (const dpid of dpids) members.recall(dpid, new Map(), now)

  const say = (i: number, heard: Heard) => {
    const place = places[i]!
    if (unreachable.has(place.dpid)) return
    members.heard(network, place, heard, now)
    if (heard.is !== 'report') return
    for (const group of heard.joins) hosts[i]!.known.add(group)
    for (const group of heard.leaves) hosts[i]!.known.delete(group)
  }
  const answer = (i: number, group: string | undefined, isSix: boolean, responseMs: number) => {
    // Any moment within the time that there is.
    delay = (delay * 7919 + 104729) % 1_000_003
    due.push({
      at: now + (delay % responseMs),
      act() {
        const { wants, alive } = hosts[i]!
        const wanted = [...wants].filter(g => g.includes(':') === isSix && (group ?? g) === g)
        if (alive && wanted.length > 0) say(i, joins(...wanted))
      },
    })
  }
  const tick = () => {
    now += 250
    for (const { act } of due.filter(({ at }) => at <= now)) act()
    due.splice(0, due.length, ...due.filter(({ at }) => at > now))
    const { asks } = members.tick(now, (_, dpid) => !unreachable.has(dpid), budget)
    for (const ask of asks)
      for (const port of ask.ports) {
        asked += 1
        const i = places.findIndex(p => p.dpid === ask.dpid && p.port === port)
        answer(i, ask.group, ask.family === 'ipv6', ask.responseMs)
      }
    check()
  }
  const gets = (i: number, group: string): boolean => {
    const localNetwork = members.of(network)!.localNetworks.get(places[i]!.dpid)!
    return localNetwork.everything.has(places[i]!.port) || localNetwork.joined.get(group)?.has(places[i]!.port) === true
  }
  /** The law: of a host that lives and has said what it wants, nothing is forgotten. */
  const check = () => {
    for (const [i, { alive, wants, known }] of hosts.entries())
      for (const group of alive ? wants : [])
        if (known.has(group) && !gets(i, group)) throw new Error(`${now} ms: port ${i} does not get ${group}`)
  }
  return {
    ...{ members, hosts, unreachable, say, answer, tick, gets },
    asked: () => asked,
    wait(seconds: number) {
      for (const end = now + seconds * 1000; now < end; ) tick()
    },
    back(dpid: string) {
      unreachable.delete(dpid)
      members.recall(dpid, new Map(), now)
    },
  }
}

type Step =
  | { readonly do: 'join' | 'leave'; readonly host: number; readonly group: string }
  | { readonly do: 'die' | 'revive' | 'query'; readonly host: number }
  | { readonly do: 'cut' | 'mend'; readonly dpid: string }
  | { readonly do: 'wait'; readonly seconds: number }
const host = fc.nat(places.length - 1)
const group = fc.constantFrom(...groups)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constantFrom('join', 'join', 'leave' as const), host, group }),
  fc.record({ do: fc.constantFrom('die', 'revive', 'query' as const), host }),
  fc.record({ do: fc.constantFrom('cut', 'mend' as const), dpid: fc.constantFrom(...dpids) }),
  fc.record({ do: fc.constant('wait' as const), seconds: fc.integer({ min: 1, max: 300 }) }),
)

function take(w: ReturnType<typeof world>, it: Step): void {
  switch (it.do) {
    case 'wait':
      w.wait(it.seconds)
      return
    case 'cut':
      w.unreachable.add(it.dpid)
      return
    case 'mend':
      if (w.unreachable.has(it.dpid)) w.back(it.dpid)
      return
    case 'die':
      w.hosts[it.host]!.alive = false
      w.hosts[it.host]!.known.clear()
      return
    case 'revive':
      w.hosts[it.host]!.alive = true
      return
    case 'query':
      w.say(it.host, { is: 'query', family: 'ipv4', source: `10.0.0.${it.host + 1}`, responseMs: 10_000 })
      for (const i of places.keys()) w.answer(i, undefined, false, 10_000)
      return
    default:
      speak(w, it.host, it.group, it.do === 'join')
  }
}
function speak(w: ReturnType<typeof world>, host: number, group: string, wants: boolean): void {
  const at = w.hosts[host]!
  if (wants) at.wants.add(group)
  else {
    at.wants.delete(group)
    at.known.delete(group)
  }
  if (at.alive) w.say(host, wants ? joins(group) : leaves(group))
}

t.test(
  'whoever answers is never forgotten, whoever is silent is, whatever routers and switches do',
  async () =>
    void fc.assert(
      fc.property(fc.array(step, { maxLength: 25 }), steps => {
        const w = world()
        for (const each of steps) take(w, each)
        for (const dpid of dpids) if (w.unreachable.has(dpid)) w.back(dpid)
        w.wait(1000)
        const { localNetworks } = w.members.of(network)!
        for (const [i, { wants, alive }] of w.hosts.entries())
          for (const group of groups) {
            const has = localNetworks.get(places[i]!.dpid)!.joined.get(group)?.has(places[i]!.port) === true
            if (has !== (alive && wants.has(group)))
              throw new Error(`at the end port ${i} ${has ? 'has' : 'has not'} ${group}`)
            if (localNetworks.get(places[i]!.dpid)!.everything.has(places[i]!.port))
              throw new Error(`port ${i} still gets all`)
          }
      }),
      { numRuns: runs },
    ),
)

t.test('a switch that is away forgets nobody, however long', async t => {
  const w = world()
  take(w, { do: 'join', host: 0, group: groups[0]! })
  w.wait(5)
  w.unreachable.add('a1')
  w.wait(3600)
  t.equal(w.gets(0, groups[0]!), true)
  w.back('a1')
  const before = w.asked()
  w.wait(2)
  t.ok(w.asked() > before, 'it is asked when it is back')
  w.wait(600)
  t.equal(w.gets(0, groups[0]!), true)
})

t.test('what is left is asked about twice, and gone in some seconds', async t => {
  const w = world()
  take(w, { do: 'join', host: 0, group: groups[0]! })
  w.wait(10)
  t.equal(w.gets(0, groups[0]!), true)
  const before = w.asked()
  take(w, { do: 'leave', host: 0, group: groups[0]! })
  w.wait(1)
  t.equal(w.gets(0, groups[0]!), true)
  w.wait(2)
  t.equal(w.gets(0, groups[0]!), false)
  t.equal(w.asked() - before, 2)
})

t.test('a port that wants too much gets everything, and others keep theirs', async t => {
  const w = world()
  const [greedy, modest] = [places[0]!, places[1]!]
  w.say(1, joins(groups[0]!))
  w.wait(10)
  t.notOk(w.members.of(network)!.localNetworks.get('a1')!.everything.has(greedy.port))
  const many = Array.from({ length: groupsPerPort + 1 }, (_, i) => `239.7.${i >> 8}.${i & 255}`)
  t.equal(w.members.heard(network, greedy, joins(...many), 20_000), true)
  const localNetwork = () => w.members.of(network)!.localNetworks.get('a1')!
  t.ok(localNetwork().everything.has(greedy.port))
  t.ok(localNetwork().crowded.has(greedy.port))
  t.notOk(localNetwork().everything.has(modest.port))
  t.equal([...localNetwork().joined.values()].filter(ports => ports.has(greedy.port)).length, groupsPerPort)
  w.hosts[1]!.wants.add(groups[0]!)
  w.wait(600)
  t.notOk(localNetwork().everything.has(greedy.port), 'it fell silent')
  t.strictSame([...localNetwork().joined.keys()], [groups[0]])
})

t.test(
  'whatever is heard, a network keeps so many groups and no more',
  async () =>
    void fc.assert(
      fc.property(fc.array(fc.tuple(host, fc.nat(40)), { minLength: 1, maxLength: 60 }), reports => {
        const members = memberships()
        const many = Array.from({ length: 30 }, (_, port) => ({ dpid: 'a1', port: port + 1 }))
        members.follow(network, many)
        members.recall('a1', new Map(), 0)
        for (const [i, from] of reports)
          for (const place of many) {
            const of = Array.from({ length: 60 }, (_, k) => `239.${i + place.port}.${from}.${k}`)
            members.heard(network, place, joins(...of), 1)
          }
        const { joined } = members.of(network)!.localNetworks.get('a1')!
        if (joined.size > groupsPerNetwork) throw new Error(`${joined.size} groups`)
        for (const { port } of many) {
          const of = [...joined.values()].filter(ports => ports.has(port)).length
          if (of > groupsPerPort) throw new Error(`port ${port} has ${of} groups`)
        }
      }),
      { numRuns: 20 },
    ),
)

t.test(
  'a port that copies us too much is not listened to for some seconds, gets everything, and is asked again',
  async t => {
    const w = world()
    const localNetwork = () => w.members.of(network)!.localNetworks.get('a1')!
    take(w, { do: 'join', host: 0, group: groups[0]! })
    w.wait(10)
    const packetIns = Array.from({ length: 1000 }, () => w.members.copied(network, places[0]!, 10_000))
    t.equal(packetIns.filter(changes => changes).length, 1)
    t.strictSame([...localNetwork().suppressed], [1])
    t.strictSame([...localNetwork().everything], [1])
    w.wait(20)
    t.strictSame([...localNetwork().suppressed], [])
    t.strictSame([...localNetwork().everything], [])
    t.equal(w.gets(0, groups[0]!), true)
    for (let second = 0; second < 10; second++)
      for (let i = 0; i < 150; i++)
        if (w.members.copied(network, places[1]!, 60_000 + second * 1001)) t.fail('that is its share')
  },
)

t.test(
  'after a restart it is as the entries say; a port that they do not know gets everything until it was asked',
  async t => {
    const members = memberships()
    const found: Recalled = {
      admitted: new Set([1, 2, 3]),
      outputs: new Map([
        ['everything', new Set([2, 101])],
        ['reports', new Set([2])],
        [groups[0]!, new Set([1, 2, 101])],
      ]),
      querier: '10.0.0.9',
    }
    members.follow(network, [1, 2, 3, 4].map(port => ({ dpid: 'a1', port })).concat({ dpid: 'b2', port: 1 }))
    t.strictSame(members.of(network)!.unread, new Set(dpids))
    t.strictSame(members.recall('a1', new Map([[network, found]]), 0), [network])
    const { localNetworks, unread, kept, querier } = members.of(network)!
    t.strictSame(unread, new Set(['b2']))
    t.strictSame(kept.get('a1'), found.outputs)
    t.equal(querier, '10.0.0.9')
    t.strictSame(localNetworks.get('a1'), {
      joined: new Map([[groups[0], new Set([1])]]),
      routers: new Set([2]),
      everything: new Set([2, 4]),
      crowded: new Set(),
      suppressed: new Set(),
    })
    t.strictSame(members.recall('a1', new Map(), 1), [], 'read again, it is what we know')
    t.strictSame(members.of(network)!.localNetworks.get('a1')!.joined, new Map([[groups[0], new Set([1])]]))
  },
)

t.test('queries have a budget, and each network gets its share of it', async t => {
  const members = memberships()
  for (let n = 1; n <= 300; n++) members.follow(n, [{ dpid: 'a1', port: n }])
  members.recall('a1', new Map(), 0)
  const asked = new Map<number, number>()
  for (let now = 250; now <= 30_000; now += 250) {
    const { asks } = members.tick(now, () => true, 20)
    t.ok(asks.length <= 21)
    for (const ask of asks) asked.set(ask.network, (asked.get(ask.network) ?? 0) + 1)
  }
  t.equal(asked.size, 300)
  t.ok(Math.max(...asked.values()) - Math.min(...asked.values()) <= 2)
})
