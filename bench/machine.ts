import { spawnSync } from 'node:child_process'
import { cpus, loadavg, totalmem } from 'node:os'

/** First line of what a command prints, or undefined where it is not installed. */
export function version(command: string, ...args: string[]): string | undefined {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  return status === 0 ? (stdout || stderr).trim().split('\n')[0] : undefined
}

/** What the figures were measured on: without it they say nothing. */
export const machine = (): string =>
  [
    `${cpus().length} x ${cpus()[0]?.model ?? 'unknown processor'}, ${Math.round(totalmem() / 2 ** 30)} GiB, load ${loadavg()[0]!.toFixed(1)}`,
    `Node ${process.version}, ${version('ovs-vswitchd', '--version') ?? 'no Open vSwitch'}`,
  ].join('\n')

export const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!

/** Milliseconds that this took, and the processor seconds of this process meanwhile. */
export async function timed(work: () => Promise<unknown> | unknown): Promise<{ ms: number; cpu: number }> {
  const cpu = process.cpuUsage()
  const began = performance.now()
  await work()
  const ms = performance.now() - began
  const used = process.cpuUsage(cpu)
  return { ms, cpu: (used.user + used.system) / 1e6 }
}

/** Runs the contenders in turn, A B C A B C ..., and answers the median of each. */
export async function alternate(
  rounds: number,
  contenders: Readonly<Record<string, () => Promise<number>>>,
): Promise<Readonly<Record<string, number>>> {
  const results = new Map<string, number[]>(Object.keys(contenders).map(name => [name, []]))
  for (let round = 0; round < rounds; round++)
    for (const [name, run] of Object.entries(contenders)) results.get(name)!.push(await run())
  return Object.fromEntries([...results].map(([name, values]) => [name, median(values)]))
}

export function print(title: string, rows: readonly (readonly string[])[]): void {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map(row => row[i]?.length ?? 0)))
  console.log(`\n${title}`)
  for (const row of rows)
    console.log(`  ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ')}`)
}
