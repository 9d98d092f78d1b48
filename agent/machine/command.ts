/** Runs the system's commands: outcome as text, failure as an error that says which command and what it answered. */

import { execFile } from 'node:child_process'

export type RunOptions = {
  readonly input?: string
  /** Milliseconds after which the command is killed. Default 20,000. */
  readonly timeout?: number
}

/** Resolves with what the command wrote to its standard output; rejects if it did not exit with 0. */
export const run = (command: string, args: readonly string[], options: RunOptions = {}): Promise<string> =>
  new Promise((resolve, reject) => {
    const { input, timeout = 20_000 } = options
    // A shell opened by `su`, and some containers, lack the system's folders.
    const PATH = [process.env['PATH'], '/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin']
      .filter(Boolean)
      .join(':')
    const env = { ...process.env, PATH, LC_ALL: 'C' }
    const child = execFile(
      command,
      [...args],
      { env, timeout, killSignal: 'SIGKILL', maxBuffer: 64 << 20 },
      (error, stdout, stderr) => {
        if (!error) return resolve(stdout)
        const why = error.killed ? `killed, as it took more than ${timeout} ms` : stderr.trim() || error.message
        reject(new Error(`${command} ${args.join(' ')}`.slice(0, 200).concat(`: ${why}`)))
      },
    )
    // A command that ends before it has read all of its input breaks the pipe: its exit code tells the story.
    child.stdin?.on('error', () => {})
    child.stdin?.end(input ?? '')
  })

/**
 * One process for many `ip` commands, and it goes on to its end though we be killed. Stops at the first that fails, or
 * with `force` does what can be done; the error names a line that failed.
 */
export const ipBatch = async (
  lines: readonly string[],
  how: 'force' | 'stop' = 'stop',
  family?: 4 | 6,
): Promise<void> => {
  if (lines.length === 0) return
  try {
    await run('ip', [...(family ? [`-${family}`] : []), ...(how === 'force' ? ['-force'] : []), '-batch', '-'], {
      input: `${lines.join('\n')}\n`,
    })
  } catch (error) {
    const { message } = error as Error
    const line = lines[Number(/Command failed -:(\d+)/.exec(message)?.[1]) - 1]
    throw new Error(
      line === undefined
        ? message
        : `ip ${line}: ${message.replace(/^.*?: /, '').replace(/\s+Command failed.*$/s, '')}`,
    )
  }
}
