// What holds of guarded networks whatever an operator does: asked of reference switches, frame by frame.
import fc from 'fast-check'
import t from 'tap'
import { broadcast } from '../../reference/frames.ts'
import type { Arrival, Fabric } from '../../reference/index.ts'
import { desired, type Guarded, keyOf, machineAt, sent, type Wish } from '../guarded.ts'
import { type Machine, says } from '../machine.ts'
import { fabricOf, tell } from '../reference-fabric.ts'
import * as world from '../world.ts'

const runs = Number(process.env['L2SM_RUNS'] ?? 40)
const switches = 2
const machines = [0, 1].flatMap(s => [1, 2, 3].map(port => machineAt({ s, port })))
type At = (typeof machines)[number]
const virtual = { mac: '00:00:5e:00:01:01', ip: '10.0.9.9' }

const wish: fc.Arbitrary<Wish | undefined> = fc.option(
  fc.record({
    network: fc.constantFrom('red', 'blue'),
    guard: fc.constantFrom('learn', 'mac', 'strict' as const),
    allowedAddresses: fc.subarray([virtual, { ip: '10.0.0.2' }, { ip: '10.9.0.0/16' }, { ip: 'fd09::/32' }]),
  }),
  { nil: undefined, freq: 5 },
)
const guarded: fc.Arbitrary<Guarded> = fc
  .tuple(
    fc.tuple(...machines.map(() => wish)),
    fc.constantFrom(undefined, 'strict' as const),
    fc.constantFrom(undefined, 'strict' as const),
  )
  .map(([wishes, red, blue]) => ({
    switches,
    networks: [
      { id: 'red', number: 1, ...(red && { guard: red }) },
      { id: 'blue', number: 2, ...(blue && { guard: blue }) },
    ],
    ports: machines.flatMap((at, i) => (wishes[i] ? [[at, wishes[i]] as const] : [])),
  }))

const wishOf = ({ ports }: Guarded, key: string): Wish | undefined => ports.find(([at]) => keyOf(at) === key)?.[1]
const networkOf = (it: Guarded, key: string) => wishOf(it, key)?.network

/** What a machine says that all others answer or hear. */
const questions = (me: At): Buffer[] => [
  says.ipv4(me),
  says.ipv6(me),
  says.arp(me, me.ip4),
  says.ipv4(me, { to: virtual.mac }),
  ...machines.flatMap(to =>
    to === me ? [] : [says.ipv4(me, { to: to.mac, dst: to.ip4 }), says.arp(me, to.ip4), says.solicit(me, to.ip6)],
  ),
]

/** A switch has made an answer of a question: then it comes back, and says where the address is. */
function isAnswer({ frame }: Arrival, asked: Buffer, me: At, states: readonly Guarded[]): boolean {
  const from = frame.subarray(6, 12)
  const isArp = frame.readUInt16BE(12) === 0x0806
  // What was asked for, and where the answer says that it is.
  const [wanted, ip, at] = isArp
    ? [asked.subarray(38, 42), frame.subarray(28, 32), frame.subarray(22, 28)]
    : [asked.subarray(62, 78), frame.subarray(62, 78), frame.subarray(80, 86)]
  const owner = machines.find(({ mac }) => from.equals(bytes(mac)))
  const isFor = frame.subarray(0, 6).equals(bytes(me.mac)) && frame[isArp ? 21 : 54] === (isArp ? 2 : 136)
  if (!owner || owner === me || !isFor || !ip.equals(wanted) || !at.equals(from)) return false
  const network = (state: Guarded) => networkOf(state, keyOf(owner)) === networkOf(state, keyOf(me))
  const mayHave = (state: Guarded) =>
    ip.equals(isArp ? Buffer.from(owner.ip4.split('.').map(Number)) : addressOf(owner.ip6)) ||
    wishOf(state, keyOf(owner))?.allowedAddresses?.some(each => isArp && each.ip === [...ip].join('.'))
  return states.some(state => network(state) && mayHave(state))
}
const bytes = (mac: string): Buffer => Buffer.from(mac.replaceAll(':', ''), 'hex')
const addressOf = (ip6: string): Buffer => {
  const [, tail = ''] = ip6.split('::')
  const bytes = Buffer.alloc(16)
  bytes.writeUInt16BE(0xfd00, 0)
  for (const [i, group] of tail.split(':').entries()) bytes.writeUInt16BE(Number.parseInt(group, 16), 12 + i * 2)
  return bytes
}

/** Nothing leaves its network, nobody gets a frame twice, and what comes back to its sender is an answer. */
function check(fabric: Fabric, before: Guarded, after: Guarded): void {
  for (const me of machines)
    for (const frame of questions(me)) {
      const arrivals = sent(fabric, me, frame)
      const own = keyOf(me)
      const networks = [networkOf(before, own), networkOf(after, own)]
      const seen = new Set<string>()
      for (const arrival of arrivals) {
        const what = `${frame.toString('hex')} of ${own} at ${arrival.at}`
        if (seen.has(arrival.at)) throw new Error(`twice: ${what}`)
        seen.add(arrival.at)
        if (arrival.at === own) {
          if (!isAnswer(arrival, frame, me, [before, after]))
            throw new Error(`back, and no answer: ${what}: ${arrival.frame.toString('hex')}`)
          continue
        }
        const there = [networkOf(before, arrival.at), networkOf(after, arrival.at)]
        if (!networks.some(network => network !== undefined && there.includes(network)))
          throw new Error(`in another network: ${what}`)
      }
    }
}

const plain = { answers: false, meteredPacketIns: false, maxMeter: 0 }
/** Switches that answer take a change in one bundle; those without bundles do not answer (Open vSwitch has both). */
for (const nicira of [true, false])
  t.test(
    `${nicira ? 'after every bundle' : 'after every single message'}, in any order between switches, no frame leaves its network, and none comes twice`,
    async () =>
      void fc.assert(
        fc.property(guarded, guarded, fc.array(fc.nat(10), { minLength: 1, maxLength: 20 }), (one, other, order) => {
          const [before, after] = [one, other].map(it => ({ ...it, datapath: nicira ? {} : plain })) as [
            Guarded,
            Guarded,
          ]
          const [from, to] = [desired(before), desired(after)]
          const fabric = fabricOf({ switches }, from, nicira)
          const left = [...to].map(([dpid, content]) => ({
            dpid,
            steps: [...world.messages(from.get(dpid)!, content)],
          }))
          for (let turn = 0; ; turn++) {
            const waiting = left.filter(({ steps }) => steps.length > 0)
            if (waiting.length === 0) break
            const next = waiting[order[turn % order.length]! % waiting.length]!
            for (const step of next.steps.splice(0, nicira ? next.steps.length : 1)) tell(fabric, next.dpid, step)
            // Each twentieth message: the entries of one strict port are some dozens.
            if (nicira || turn % 20 === 0) check(fabric, before, after)
          }
          check(fabric, after, after)
        }),
        { numRuns: Math.ceil(runs / 8), endOnFailure: true },
      ),
  )

/** Whether a strict port may say this, by what its attachment says; written without a look at the compiler. */
function isTrue(
  me: Machine,
  { allowedAddresses = [] }: Wish,
  { mac, sha, ip }: { mac: string; sha: string; ip: string },
): boolean {
  if (sha !== mac) return false
  const allows = ({ ip: text }: { ip: string }) => {
    const [prefix = '', length = '32'] = text.split('/')
    const bits = (address: string) =>
      address
        .split('.')
        .map(byte => Number(byte).toString(2).padStart(8, '0'))
        .join('')
    return !text.includes(':') && bits(prefix).slice(0, Number(length)) === bits(ip).slice(0, Number(length))
  }
  const mine = allowedAddresses.filter(each => (each.mac ?? me.mac) === mac)
  return (mac === me.mac && ip === me.ip4) || mine.some(allows)
}

t.test(
  'what a strict port says in ARP is heard if it is so, and else by nobody',
  async () =>
    void fc.assert(
      fc.property(
        guarded,
        fc.constantFrom(...machines),
        fc.constantFrom(virtual.mac, ...machines.map(({ mac }) => mac)),
        fc.constantFrom(virtual.mac, ...machines.map(({ mac }) => mac)),
        fc.constantFrom(virtual.ip, '10.9.1.1', '10.8.1.1', '0.0.0.0', ...machines.map(({ ip4 }) => ip4)),
        (it, me, mac, sha, ip) => {
          const own = wishOf(it, keyOf(me))
          if (own?.guard !== 'strict') return
          const fabric = fabricOf({ switches }, desired(it))
          const heard = sent(fabric, me, says.arp(me, '10.0.77.77', { src: mac, sha, spa: ip, dst: broadcast }))
          const others = it.ports.filter(([at, w]) => w.network === own.network && at !== me).length
          const expected = isTrue(me, own, { mac, sha, ip }) ? others : 0
          if (heard.length !== expected) throw new Error(`heard by ${heard.length}, expected ${expected}`)
        },
      ),
      { numRuns: runs * 3 },
    ),
)
