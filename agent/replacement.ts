/**
 * Open vSwitch in a pod of its own, which is replaced. The pod that goes asks for its flows to be kept, by a file beside the database's
 * socket, and waits for the answer, another file (images/openvswitch.sh); the agent saves them, and gives them to the one that comes.
 */

import { existsSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from './log.ts'
import { restartAround } from './restart.ts'
import { longestRestore } from './switch/desired.ts'

/** Milliseconds after which it is looked for a question again. */
const often = 250
/** Milliseconds that the next pod may take to come: the flows are the agent's no longer than that. */
const patience = (longestRestore - 30) * 1000

/** @param nodeOf Whose bridges these are; undefined as long as the agent has no plan, and the switch no flows. */
export function followReplacements(socket: string, nodeOf: () => string | undefined, log: Log): { close(): void } {
  const folder = dirname(socket)
  const [asked, answered] = [join(folder, 'replacing'), join(folder, 'replacing.saved')]
  // Questions of a pod that is long gone.
  const forget = () => {
    for (const path of [asked, answered]) rmSync(path, { force: true })
  }
  let busy = false
  const replace = async (node: string) => {
    busy = true
    const before = daemonAt(folder)
    const next = async () => {
      writeFileSync(answered, '')
      for (let waited = 0; daemonAt(folder) === before || daemonAt(folder) === undefined; waited += 20) {
        if (waited > patience) throw new Error(`no other ovs-vswitchd came within ${patience / 1000} s`)
        await sleep(20)
      }
    }
    try {
      await restartAround(socket, node, next, log)
    } catch (error) {
      // The pod must not wait for what will not come; and the controller writes what is missing.
      log.warn({}, `Open vSwitch was replaced without its flows: ${(error as Error).message}`)
    } finally {
      forget()
      busy = false
    }
  }
  forget()
  const timer = setInterval(() => {
    const node = nodeOf()
    if (!busy && node !== undefined && existsSync(asked)) void replace(node)
  }, often)
  return { close: () => clearInterval(timer) }
}

/** Which start of ovs-vswitchd this is: it makes its control socket anew. Its process id says nothing, for pods count their own. */
function daemonAt(folder: string): string | undefined {
  try {
    const { ino, ctimeMs } = statSync(join(folder, 'ovs-vswitchd.ctl'))
    return `${ino}/${ctimeMs}`
  } catch {
    return undefined
  }
}
