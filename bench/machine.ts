import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { cpus, loadavg, totalmem } from 'node:os'
import { environment } from '../lab/command.ts'

/** First line of what a command prints, or undefined where it is not installed. */
export function version(command: string, ...args: string[]): string | undefined {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', env: environment() })
  return status === 0 ? (stdout || stderr).trim().split('\n')[0] : undefined
}

/** What the figures were measured on: without it they say nothing. */
export const machine = (): string =>
  [
    `${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, load ${load()}`,
    `Node ${process.version}, ${version('ovs-vswitchd', '--version') ?? 'no Open vSwitch'}`,
  ].join('\n')

/** How many wanted a processor in the last minute: beyond the number of processors, wall times say little. */
export const load = (): string => loadavg()[0]!.toFixed(1)

/** The value below which this share of all lies; 0.5 is the median. */
export const quantile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))]!
export const median = (values: readonly number[]): number => quantile(values, 0.5)

/** Milliseconds that this took, and the processor seconds of this process meanwhile. */
export async function timed(work: () => Promise<unknown> | unknown): Promise<{ ms: number; cpu: number }> {
  const cpu = process.cpuUsage()
  const began = performance.now()
  await work()
  const ms = performance.now() - began
  const used = process.cpuUsage(cpu)
  return { ms, cpu: (used.user + used.system) / 1e6 }
}

/** What was measured in one go, by name. */
export type Sample = Readonly<Record<string, number>>

/** Runs the contenders in turn, A B C A B C ..., and answers the medians of each. */
export async function alternate<T extends Sample>(
  rounds: number,
  contenders: Readonly<Record<string, () => Promise<T>>>,
): Promise<Readonly<Record<string, T>>> {
  const samples = new Map<string, T[]>(Object.keys(contenders).map(name => [name, []]))
  for (let round = 0; round < rounds; round++)
    for (const [name, run] of Object.entries(contenders)) samples.get(name)!.push(await run())
  return Object.fromEntries([...samples].map(([name, of]) => [name, medians(of)]))
}

/** The median of each value by itself. */
export const medians = <T extends Sample>(samples: readonly T[]): T =>
  Object.fromEntries(Object.keys(samples[0]!).map(name => [name, median(samples.map(s => s[name]!))])) as T

/** Processor seconds that a process, with all its threads, has used so far; to 10 ms. */
export function cpuOf(pid: number): number {
  const { utime, stime } = stat(pid)
  return (utime + stime) / ticksPerSecond
}
/** The same of the children that this process has waited for. */
export function cpuOfChildren(): number {
  const { cutime, cstime } = stat(process.pid)
  return (cutime + cstime) / ticksPerSecond
}
/** As `cpuOf`, to the nanosecond: of the threads that the process has now. */
export const cpuOfThreads = (pid: number): number =>
  readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => {
    const [ns] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')
    return sum + Number(ns) / 1e9
  }, 0)
const ticksPerSecond = 100 // sysconf(_SC_CLK_TCK), which Linux keeps at 100 for all that read /proc (proc(5))

function stat(pid: number): { utime: number; stime: number; cutime: number; cstime: number } {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The second field, the name in parentheses, may hold anything.
  const [utime, stime, cutime, cstime] = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11)
    .map(Number)
  return { utime: utime!, stime: stime!, cutime: cutime!, cstime: cstime! }
}

/** The most memory that a process had in use at any time, in MiB. */
export const peakMemory = (pid: number): number => memory(pid, 'VmHWM')
export const memoryNow = (pid: number): number => memory(pid, 'VmRSS')
function memory(pid: number, name: string): number {
  const kib = new RegExp(`${name}:\\s*(\\d+) kB`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kib) / 1024
}

export function print(title: string, rows: readonly (readonly string[])[]): void {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map(row => row[i]?.length ?? 0)))
  console.log(`\n${title}`)
  for (const row of rows)
    console.log(`  ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ')}`)
}
