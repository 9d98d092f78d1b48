/** The table of who hears whom, as it happens. */

import { setTimeout as sleep } from 'node:timers/promises'
import type * as schemas from '../../api/contract/schemas.ts'
import { changes, confirmed, draw, isWanted, judge, type Matrix, summary } from './matrix.ts'
import type { Rest } from './rest.ts'
import type { Screen } from './screen.ts'
import type { Stage } from './stage.ts'

/** Milliseconds from one look to the next. */
const period = 1000
/** How many of the last changes stay in sight. */
const remembered = 6

/** Runs until the process is told to end; rejects when frames can't be sent or received any more. */
export async function watch(stage: Stage, screen: Screen): Promise<never> {
  const { members, rest } = stage
  const history: string[] = []
  let last: Matrix | undefined
  for (;;) {
    const began = performance.now()
    const [matrix, controller] = await Promise.all([look(stage), controllerState(rest)])
    const clock = new Date().toTimeString().slice(0, 8)
    if (last !== undefined) history.push(...changes(members, last, matrix).map(change => `${clock}  ${change}`))
    history.splice(0, history.length - remembered)
    last = matrix
    const table = draw(members, matrix, screen.width() - indent.length, screen.paint)
    const wanted = matrix.flat().every(isWanted)
    const state = screen.paint(wanted ? 'once' : 'missing', summary(matrix))
    screen.show(
      ['', ...table, '', ...history].map(line => `${indent}${line}`.trimEnd()),
      [`${indent}${clock}  ${state}`, `${indent}${' '.repeat(clock.length)}  controller: ${controller}`],
    )
    await sleep(Math.max(100, period - (performance.now() - began)))
  }
}

const indent = '  '

/** What is heard now. Only frames that pods received count. */
export async function look({ frames, members }: Pick<Stage, 'frames' | 'members'>): Promise<Matrix> {
  const once = async () => {
    const [broadcast, unicast] = await Promise.all([
      frames.reach(members, { kind: 'broadcast' }),
      frames.reach(members, { kind: 'unicast' }),
    ])
    return judge(members, broadcast, unicast)
  }
  const first = await once()
  return first.flat().includes('missing') ? confirmed(first, await once()) : first
}

/** The table is not made of this: it stands beside it. */
async function controllerState({ base }: Rest): Promise<string> {
  try {
    const answer = await fetch(`${base}/readyz`, { signal: AbortSignal.timeout(900) })
    if (answer.ok) return 'ready'
    const { reasons } = (await answer.json()) as schemas.Wire<typeof schemas.Ready>
    return `not ready: ${reasons[0]}`
  } catch {
    return 'does not answer; the switches keep their flows'
  }
}
