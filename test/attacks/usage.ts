// What a process has taken of its machine so far: figures that hold however busy the machine is.
import { readFileSync } from 'node:fs'

export type Usage = {
  /** Processor time, user and system. */
  readonly cpuSeconds: number
  /** Resident now, and at most so far; bytes. */
  readonly resident: number
  readonly peak: number
}

/** Ticks of /proc/PID/stat in a second: fixed for user space (proc(5), sysconf _SC_CLK_TCK). */
const ticks = 100

export function usageOf(pid: number): Usage {
  // The name of the program, in brackets, may hold blanks.
  const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1]!.split(' ')
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  const kib = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1024
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticks,
    resident: kib('VmRSS'),
    peak: kib('VmHWM'),
  }
}

export const mib = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MiB`
export const seconds = (value: number): string => `${value.toFixed(1)} CPU-s`
