// Who has an address that two ports claim: decided by the clock that is handed in, never by an event that may not come.
import t from 'tap'
import {
  type Contest,
  contests,
  contestTimes,
  type Presence,
  type Step,
} from '../../../controller/learning/contests.ts'
import { type Place, samePlace } from '../../../controller/learning/learned-addresses.ts'

const mac = 0x0200_0000_0001
const network = 5
const A: Place = { dpid: '0000000000000001', port: 1 }
const B: Place = { dpid: '0000000000000002', port: 1 }
const C: Place = { dpid: '0000000000000003', port: 1 }

/** Switches, machines and a clock: what is asked is answered after a while, and time goes by ticks. */
function world({ at = A }: { at?: Place } = {}) {
  const disputes = contests()
  const it = {
    now: 0,
    /** Where the address is. */
    holder: at as Place | undefined,
    presence: 'there' as Presence,
    /** What the holder's entry has counted; undefined: its switch does not count. Null: it never answers. */
    packets: 10n as bigint | undefined | null,
    /** Whether the machine at the holder's port answers a probe. */
    isAlive: false,
    probes: 0,
    /** Its switch does not answer an echo request, either. */
    isDeaf: false,
    moves: [] as { at: number; to: Place }[],
    conflicts: [] as { holder: Place; claimant: Place }[],
    suppressed: [] as Place[],
    isWatched: false,
    take(steps: readonly Step[]) {
      for (const step of steps)
        if (step.is === 'move') {
          it.holder = step.to
          it.moves.push({ at: it.now, to: step.to })
        } else if (step.is === 'conflict') it.conflicts.push({ holder: step.holder, claimant: step.claimant })
        else if (step.is === 'suppress') it.suppressed.push(step.at)
        else if (step.is === 'watch') it.isWatched = step.isWatched
        else asked(step.contest, step.probe)
    },
    claim(claimant: Place) {
      if (it.holder && samePlace(it.holder, claimant)) disputes.spoke(network, mac, it.now)
      else if (it.holder) it.take(disputes.claimed({ network, mac, holder: it.holder, claimant }, it.presence, it.now))
    },
    /** Until then; `every` so many milliseconds `does` is done. */
    run(until: number, every = Infinity, does = () => {}) {
      for (let next = it.now; it.now < until; it.now += 50) {
        if (it.now >= next) {
          does()
          next += every
        }
        if (it.now % 100 === 0)
          it.take(disputes.tick(it.now, { holderOf: () => it.holder, presence: () => it.presence }))
      }
    },
    disputes,
  }
  const asked = (contest: Contest, probe: boolean) => {
    const { packets } = it
    if (!it.isDeaf) disputes.answered(contest, it.now)
    if (packets !== null) it.take(disputes.counted(contest, packets, it.now))
    if (!probe) return
    it.probes += 1
    if (it.isAlive && typeof it.packets === 'bigint') it.packets += 1n
    if (it.isAlive && it.isWatched) disputes.spoke(network, mac, it.now)
  }
  return it
}

t.test('a machine that moves and says so for 0.8 s, then is silent, is followed within 2 s (a1)', async t => {
  const w = world()
  w.run(800, 160, () => w.claim(B))
  w.run(5000)
  t.equal(w.moves.length, 1)
  t.match(w.moves[0], { to: B })
  t.ok(w.moves[0]!.at <= 2000, `after ${w.moves[0]!.at} ms`)
  t.ok(w.probes >= 2, 'and the holder was asked first')
  t.strictSame(w.conflicts, [])
  t.strictSame([...w.disputes.all()], [])
})

t.test('one claim is enough', async t => {
  const w = world()
  w.claim(B)
  w.run(2000)
  t.match(w.moves, [{ to: B }])
})

t.test(
  'a holder that is silent but answers when it is asked keeps its address, and the thief is suppressed (a4)',
  async t => {
    const w = world()
    w.isAlive = true
    w.run(10_000, 50, () => w.suppressed.length === 0 && w.claim(B))
    t.strictSame(w.moves, [])
    t.strictSame(w.suppressed, [B])
    t.match(w.conflicts[0], { holder: A, claimant: B })
    w.claim(B)
    t.strictSame(w.suppressed, [B, B], 'listened to again, it is suppressed at its first claim')
    w.run(w.now + contestTimes.offence)
    w.claim(B)
    t.equal(w.suppressed.length, 2, 'but not for ever')
  },
)

t.test('a holder that speaks by itself keeps its address', async t => {
  const w = world()
  w.run(4000, 100, () => {
    w.claim(B)
    w.packets = (w.packets ?? 0n) + 1n
  })
  t.strictSame(w.moves, [])
})

t.test('who had the address first gets it back as soon as it speaks, and who took it from there does not', async t => {
  const w = world()
  // A firewalled machine: it answers no probe.
  w.run(3000, 50, () => w.claim(B))
  t.match(w.moves, [{ to: B }])
  w.claim(A)
  t.match(w.moves.at(-1), { at: 3000, to: A })
  w.isAlive = true
  w.run(8000, 50, () => w.suppressed.length === 0 && w.claim(B))
  t.equal(w.moves.length, 2)
  t.strictSame(w.suppressed, [B])
})

t.test('a robbed machine is told apart from one that moves back', async t => {
  const robbed = world()
  robbed.run(1500, 50, () => robbed.claim(B))
  robbed.claim(A)
  t.match(robbed.conflicts, [{ holder: A, claimant: B }])
  const moved = world()
  moved.run(1500, 50, () => moved.claim(B))
  moved.run(20_000)
  moved.claim(A)
  t.match(moved.moves.at(-1), { to: A })
  t.strictSame(moved.conflicts, [])
})

t.test('a port that is gone holds nothing: a claim wins at once', async t => {
  const w = world()
  w.presence = 'gone'
  w.claim(B)
  t.match(w.moves, [{ at: 0, to: B }])
  const later = world()
  later.isAlive = true
  later.claim(B)
  later.run(500)
  later.presence = 'gone'
  later.run(700)
  t.match(later.moves, [{ to: B }], 'also when it goes while it is asked')
})

t.test(
  'a switch that is away, or that no way leads to, holds nothing for longer than it takes to come back (a2)',
  async t => {
    const w = world()
    w.presence = 'unreachable'
    w.claim(B)
    w.run(5000)
    t.match(w.moves, [{ to: B }])
    t.ok(w.moves[0]!.at <= 2000, `after ${w.moves[0]!.at} ms`)
    const back = world()
    back.isAlive = true
    back.presence = 'unreachable'
    back.claim(B)
    back.run(500)
    back.presence = 'there'
    back.run(5000)
    t.strictSame(back.moves, [], 'it came back, and its machine answers')
  },
)

t.test('a switch that answers nothing any more is out of reach, though its connection stands', async t => {
  const w = world()
  w.packets = null
  w.isDeaf = true
  w.claim(B)
  w.run(5000)
  t.match(w.moves, [{ to: B }])
  t.ok(w.moves[0]!.at <= 2000, `after ${w.moves[0]!.at} ms`)
})

t.test('an address in two parts of a mesh that was cut does not go to and fro ever again', async t => {
  const w = world()
  w.presence = 'unreachable'
  w.run(60_000, 100, () => {
    w.claim(A)
    w.claim(B)
  })
  t.ok(w.moves.length <= 7, `${w.moves.length} moves in a minute`)
})

t.test("a virtual router's address follows the one that sends from it now within 2 s (VRRP)", async t => {
  const w = world()
  w.packets = 10n
  // The old master's last word comes after the first of the new one.
  w.claim(B)
  w.run(300)
  w.packets = 11n
  w.run(3000, 1000, () => w.claim(B))
  t.match(w.moves, [{ to: B }])
  t.ok(w.moves[0]!.at <= 2000, `after ${w.moves[0]!.at} ms`)
  t.strictSame([w.conflicts, w.suppressed], [[], []])
})

t.test('a switch that does not count is not a machine that does not speak (a3)', async t => {
  const w = world()
  w.packets = undefined
  w.run(4000, 100, () => w.claim(B))
  t.strictSame(w.moves, [])
  t.equal(w.isWatched, true, 'its frames are copied to us meanwhile')
  w.isAlive = true
  w.run(30_000, 100, () => w.suppressed.length === 0 && w.claim(B))
  t.strictSame(w.moves, [])
  t.strictSame(w.suppressed, [B])
  t.equal(w.isWatched, false, 'and no more when it is over')
})

t.test('where nothing is counted, a machine that has moved is followed all the same, only later', async t => {
  for (const packets of [undefined, null]) {
    const w = world()
    w.packets = packets
    w.claim(B)
    w.run(contestTimes.uncounted + contestTimes.answer + 1000)
    t.match(w.moves, [{ to: B }])
  }
})

t.test('an entry that times out meanwhile frees the address for who claims it', async t => {
  const w = world()
  w.isAlive = true
  w.claim(B)
  w.run(500)
  w.holder = undefined
  w.run(700)
  t.match(w.moves, [{ to: B }])
})

t.test('what a switch held before it went away gets its address back when its machine speaks', async t => {
  const w = world({ at: B })
  w.disputes.remember(network, mac, A, 0)
  w.claim(A)
  t.match(w.moves, [{ at: 0, to: A }])
  t.strictSame(w.conflicts, [])
})

t.test('of several claimants the first is heard first', async t => {
  const w = world()
  w.run(3000, 100, () => {
    w.claim(B)
    w.claim(C)
  })
  t.match(w.moves[0], { to: B })
})

t.test('an address that was given to a port is claimed in vain, and who goes on is suppressed', async t => {
  const w = world()
  for (; w.now < 3000; w.now += 100) w.take(w.disputes.claimedPinned({ network, mac, holder: A, claimant: B }, w.now))
  t.strictSame(w.moves, [])
  t.equal(w.conflicts.length, 3)
  t.strictSame(w.suppressed[0], B)
})

t.test('who contests very many addresses costs no more than a few', async t => {
  const disputes = contests()
  for (let i = 0; i < 10_000; i++)
    disputes.claimed({ network, mac: mac + i, holder: A, claimant: { dpid: B.dpid, port: i % 3 } }, 'there', 0)
  t.ok([...disputes.all()].length <= 48)
})
