// Which limits a frame passes, asked of reference switches.
import fc from 'fast-check'
import t from 'tap'
import { limitOfMeter } from '../../../controller/compile/cookie.ts'
import { changeOf } from '../../../controller/compile/diff.ts'
import { defaultBroadcastLimit, limitRefusal } from '../../../controller/compile/limits.ts'
import { encode } from '../../../openflow/index.ts'
import { attachmentKey } from '../../../store/attachments.ts'
import { apply, newSwitch, process, type Switch } from '../../reference/index.ts'
import * as world from '../world.ts'

const runs = Number(globalThis.process.env['L2SM_RUNS'] ?? 60)

/** The switches of a placement, programmed. */
function programmed(placement: world.Placement): Map<string, Switch> {
  const switches = new Map<string, Switch>()
  for (const [dpid, content] of world.desired(placement)) {
    const s = Number.parseInt(dpid, 16) - 1
    const links = world.linkPortsOf(s, placement.switches)
    const isPlain = (port: number) => placement.plain === true && world.isPlain(s, port - world.linkPort(s, 0))
    const sw = newSwitch({
      dpid,
      ports: [1, 2, 3, ...links.filter(isPlain)],
      tunnels: links.filter(port => !isPlain(port)),
    })
    for (const step of world.messages(new Map(), content)) apply(sw, encode(changeOf(step)))
    switches.set(dpid, sw)
  }
  return switches
}

type Passed = { readonly send: number; readonly broadcast: number; readonly receive: number }
const none: Passed = { send: 0, broadcast: 0, receive: 0 }

t.test(
  'a frame passes the limits of the port where it enters, each once, and on to a known address the limit there',
  async t => {
    let seen = 0
    fc.assert(
      fc.property(world.changes(true), ({ after }) => {
        const switches = programmed(after)
        for (const [key, member] of after.members) {
          const from = world.stationOf(key)
          const sw = switches.get(from.dpid)!
          const others = [...after.members].filter(([other, m]) => other !== key && m.network === member.network)
          const passed = (to: string): Passed => {
            const tags = from.vlan === undefined ? [] : [from.vlan]
            const counts = { ...none }
            for (const id of process(sw, from.port, world.frame(to, world.macOf(from), ...tags)).meters) {
              const limit = limitOfMeter(id)
              if (!limit) continue
              const of = attachmentKey({ dpid: from.dpid, ...limit })
              if (limit.kind !== 'receive' && of !== key) throw new Error(`${key} to ${to} passes a limit of ${of}`)
              counts[limit.kind]++
            }
            return counts
          }
          const expect = (to: string, wanted: Passed) => {
            seen++
            if (JSON.stringify(passed(to)) !== JSON.stringify(wanted))
              throw new Error(`${key} to ${to}: ${JSON.stringify(passed(to))}, expected ${JSON.stringify(wanted)}`)
          }
          const send = member.limits === 'all' ? 1 : 0
          const flooded = { send, broadcast: member.limits === 'off' ? 0 : 1, receive: 0 }
          for (const to of [world.broadcast, '33:33:00:00:00:01', '01:00:5e:01:02:03', '02:99:00:00:00:01'])
            expect(to, flooded)
          for (const [other, { address, limits }] of others) {
            const to = world.stationOf(other)
            const isHere = to.dpid === from.dpid
            if (address === 'unknown') expect(world.macOf(to), flooded)
            else expect(world.macOf(to), { ...none, send, receive: isHere && limits === 'all' ? 1 : 0 })
          }
        }
      }),
      { numRuns: runs },
    )
    t.ok(seen > 0)
  },
)

t.test(
  'what comes over a link passes no limit of who sends, and the one of the known address that it goes to',
  async () => {
    fc.assert(
      fc.property(world.changes(), ({ after, switches: count }) => {
        const switches = programmed(after)
        for (const [dpid, sw] of switches)
          for (const tunnel of world.linkPortsOf(Number.parseInt(dpid, 16) - 1, count))
            for (let number = 1; number <= 3; number++)
              for (const to of [
                world.broadcast,
                '02:99:00:00:00:01',
                ...[...after.members.keys()].map(key => world.macOf(world.stationOf(key))),
              ])
                for (const id of process(sw, tunnel, world.frame(to, '02:88:00:00:00:01'), BigInt(number)).meters) {
                  const limit = limitOfMeter(id)
                  const at = limit && { dpid, ...limit }
                  if (limit && (limit.kind !== 'receive' || world.macOf(at!) !== to))
                    throw new Error(`a frame from a link to ${to} passes the ${limit.kind} limit of port ${limit.port}`)
                }
      }),
      { numRuns: Math.ceil(runs / 3) },
    )
  },
)

t.test('a switch that cannot hold the meters has no limits, and says why', async t => {
  const ports = new Set([1, 2, 3, 4])
  t.equal(limitRefusal({ maxMeter: 0, ports }, 1, 'broadcast'), 'it has no meters')
  t.equal(limitRefusal({ maxMeter: 12, ports }, 1, 'broadcast'), undefined)
  t.equal(limitRefusal({ maxMeter: 11, ports }, 1, 'broadcast'), 'it holds 11 meters, and its 4 ports need 12')
  t.equal(limitRefusal({ maxMeter: 19, ports }, 1, 'send'), 'it holds 19 meters, and its 4 ports need 20')
  t.match(limitRefusal({ maxMeter: 1000, ports }, 0x1_0000, 'receive'), /port 65536 has no meter/)
  t.equal(limitRefusal({ maxMeter: 1000, ports, unmetered: 'it refused' }, 1, 'send'), 'it refused')
  t.ok(defaultBroadcastLimit >= 1000, 'a stream of 1,000 frames a second to an unknown address is not touched')
})
