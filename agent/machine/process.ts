/** Processes, named so that another one with the same number is not taken for them (proc(5)). */

import { readFileSync, readlinkSync } from 'node:fs'

/** The namespace of process numbers, our number there, and clock ticks from boot to our start. */
export const ourselves = (): string => [namespace(), process.pid, startOf(process.pid)].join('/')

/** Whether a process is known to have ended: one of another namespace can not be seen. */
export function hasEnded(name: string): boolean {
  const [where, pid, start] = name.split('/')
  return where === namespace() && start !== undefined && startOf(Number(pid)) !== start
}

const namespace = (): string => readlinkSync('/proc/self/ns/pid')

function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The second field, the name in parentheses, may hold spaces. Field 3 is the state, 22 the start; a corpse has ended.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? undefined : fields[19]
  } catch {
    return undefined
  }
}
