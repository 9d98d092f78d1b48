// `npm run test:chaos [-- --seed N --minutes N --round N --events 0,2 --deaths]`: random meshes of real switches, random events, and
// numbered frames between all members of two networks all the while. Every loss is pinned to the hop where it happened; what no event
// explains fails the round, as do frames that came twice, to another network, or back to their sender. A mesh a minute,
// seeds counting up from the first. `--round` and `--events` repeat a part of one seed: that is how a fault becomes small.
import { parseArgs } from 'node:util'
import { requirements, spell as spellMissing } from '../../lab/install.ts'
import { planOf, spell } from './plan.ts'
import { playRound, type RoundResult } from './round.ts'
import { makeStage, now } from './stage.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    minutes: { type: 'string', default: '5' },
    round: { type: 'string' },
    events: { type: 'string' },
    repeat: { type: 'string', default: '1' },
    /** Nodes die without a word, too. */
    deaths: { type: 'boolean', default: false },
    /** A round that lost frames without a reason is played once more, and fails if it does again: for machines that others use. */
    again: { type: 'boolean', default: false },
  },
})
const missing = requirements()
if (missing.length > 0) throw new Error(`chaos needs ${spellMissing(missing)}`)

const first = Number(values.seed ?? Math.floor(Date.now() / 60_000) % 1_000_000)
const end = now() + Number(values.minutes) * 60_000
const kept = values.events?.split(',').map(Number)
let [passed, failed] = [0, 0]

function tell(result: RoundResult, name: string): void {
  const { frames, deliveries, explained, faults, busy } = result
  const fair = [...explained]
    .map(([why, { count, lastMs }]) => `${count} in ${(lastMs / 1000).toFixed(1)} s (${why})`)
    .join(', ')
  console.log(
    `  ${faults.length > 0 ? 'not ok' : 'ok    '} ${name}: ${frames} frames sent, ${deliveries} to arrive; lost for a reason: ${fair || 0}${busy ? ' (a busy machine: twice the time is given)' : ''}`,
  )
  for (const fault of faults.slice(0, 25)) console.log(`         FAULT ${fault}`)
  if (faults.length > 25) console.log(`         and ${faults.length - 25} faults more`)
  if (faults.length > 0) for (const line of result.log) console.log(`           ${line}`)
}

/** What came twice, to others, or back, is never a matter of time. */
const isLoss = (fault: string): boolean => !/came|got|reached|crossed/.test(fault)

async function playSeed(seed: number): Promise<void> {
  const plan = planOf(seed, values.deaths)
  const networks = plan.networks.map(({ id, nodes, how }) => `${id} (${how}) on ${nodes.join(' ')}`).join('; ')
  console.log(`seed ${seed}: ${plan.nodes} switches, links ${plan.links.map(l => l.join('-')).join(' ')}; ${networks}`)
  const ends: (() => unknown)[] = []
  try {
    const stage = await makeStage({ teardown: end => void ends.unshift(end) }, plan)
    const mine = now() + 60_000
    const rounds =
      values.round === undefined ? undefined : Array<number>(Number(values.repeat)).fill(Number(values.round))
    for (let i = 0; rounds ? i < rounds.length : now() < Math.min(mine, end); i++) {
      const index = rounds?.[i] ?? i
      const events = plan.round(index).events.filter((_, n) => kept?.includes(n) ?? true)
      console.log(`  round ${index}: ${events.map(spell).join('; ')}`)
      let result = await playRound(stage, plan, events)
      tell(result, `seed ${seed} round ${index}`)
      if (values.again && result.healed && result.faults.length > 0 && result.faults.every(isLoss)) {
        console.log(`  AGAIN  seed ${seed} round ${index}`)
        result = await playRound(stage, plan, events)
        tell(result, `seed ${seed} round ${index}, once more`)
      }
      if (result.faults.length > 0) failed++
      else passed++
      if (!result.healed) break
    }
  } catch (error) {
    failed++
    console.log(`  not ok seed ${seed}: ${error instanceof Error ? error.stack : error}`)
  } finally {
    for (const end of ends) await end()
  }
}

for (let seed = first; seed === first || (now() < end && values.round === undefined); seed++) await playSeed(seed)
console.log(`\n${passed} passed, ${failed} failed`)
process.exit(failed > 0 ? 1 : 0)
