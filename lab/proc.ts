/** What /proc says of processes. It changes under our eyes: what is gone reads as empty. */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** Clock ticks from boot to the start of a process, base 36; undefined when there is no such process, or only its corpse. */
export function startTime(pid: number): string | undefined {
  const stat = readOrEmpty(`/proc/${pid}/stat`)
  // proc(5): the second field, the name in parentheses, may hold spaces and parentheses. Field 3 is the state, 22 the start.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const start = fields[19]
  return start === undefined || fields[0] === 'Z' || fields[0] === 'X' ? undefined : Number(start).toString(36)
}

/** Waits up to 10 s for a process to be gone: all its threads ended, its files closed, its locks released. */
export async function waitForEnd(pid: number): Promise<void> {
  const first = startTime(pid)
  for (let waited = 0; ; waited += 2) {
    const now = startTime(pid)
    // The first thread can be a corpse while others still hold the files.
    const threads = list(`/proc/${pid}/task`).length
    if (
      threads === 0 ||
      (now === undefined && threads === 1) ||
      (first !== undefined && now !== undefined && now !== first)
    )
      return
    if (waited >= 10_000) throw new Error(`process ${pid} still runs 10 s after it was told to end`)
    await sleep(2)
  }
}

export const list = (folder: string): string[] => orElse(() => readdirSync(folder), [])
export const readOrEmpty = (path: string): string => orElse(() => readFileSync(path, 'utf8'), '')
export const readlinkOrEmpty = (path: string): string => orElse(() => readlinkSync(path), '')

export function orElse<T>(read: () => T, absent: T): T {
  try {
    return read()
  } catch {
    return absent
  }
}
