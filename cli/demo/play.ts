/** The two ways to play the demo: to watch, and to prove. Each answers the exit code. */

import type { Received } from '../../lab/frames.ts'
import { removeOwned, sweep } from '../../lab/leftovers.ts'
import { checks } from './checks.ts'
import { guide } from './guide.ts'
import { watch } from './live.ts'
import { failureLines, type Outcome, type Result, resultLine, verdictLine } from './report.ts'
import { screenOn } from './screen.ts'
import { buildStage, type Stage, step } from './stage.ts'

type Say = (line: string) => void

/** Until the process is told to end. */
export async function show(nodes: number, say: Say): Promise<number> {
  const stage = await announced(nodes, say)
  try {
    const { mesh, rest, controller, numbers, link } = stage
    const { directory } = mesh
    const place = { base: rest.base, directory, bridge: mesh.node(1).bridge, link, red: numbers.red }
    const started = { pid: controller.pid(), options: controller.options }
    say('')
    for (const line of guide({ ...place, ...started })) say(line)
    return await watch(stage, screenOn(process.stdout, process.env))
  } finally {
    await stage.close()
  }
}

export async function check(nodes: number, say: Say): Promise<number> {
  const began = performance.now()
  const stage = await announced(nodes, say)
  const results: Result[] = []
  const tell = (result: Result) => {
    results.push(result)
    say(resultLine(result))
    for (const line of failureLines(result)) say(line)
  }
  say('')
  try {
    const heard: Received[] = []
    const nobody = stage.members.filter(({ network }) => network === undefined)
    await stage.frames.capture(nobody, received => heard.push(received), { probes: true })
    for (const { name, run } of checks) tell({ name, ...(await run({ ...stage, heard }).catch(asFault)) })
  } finally {
    await stage.close()
  }
  tell({ name: 'taken away', ...leftOver() })
  say('')
  say(verdictLine(results, (performance.now() - began) / 1000))
  return results.every(({ faults }) => faults.length === 0) ? 0 : 1
}

async function announced(nodes: number, say: Say): Promise<Stage> {
  say('l2sm demo: isolated layer-2 networks over a mesh of Open vSwitches, in network namespaces')
  say('')
  const before = Object.values(sweep()).flat().length
  if (before > 0) say(step('swept', `${before} things that a killed run had left behind`))
  return buildStage(nodes, say)
}

/** What of ours is still there; it goes now. */
function leftOver(): Outcome {
  const left = removeOwned(({ pid }) => pid === process.pid)
  const faults = Object.entries(left).flatMap(([what, names]) =>
    names.map((name: string | number) => ({ what: `${what}: ${name}`, expected: 'to be gone', got: 'it was there' })),
  )
  return { faults, proved: 'no process, namespace, interface or folder is left' }
}

/** A check that can't be carried out has not proved anything. */
const asFault = (error: Error) => ({
  proved: '',
  faults: [{ what: 'the check itself', expected: 'to be carried out', got: error.message }],
})
