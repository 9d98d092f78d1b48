/** Runs the system's commands: outcome as text, failure as an error that says which command, where, and what it answered. */

import { type ChildProcess, spawn } from 'node:child_process'

export type RunOptions = {
  /** Name of a network namespace under /run/netns to run in; the caller's own when left out. */
  readonly netns?: string
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  /** Milliseconds after which the command is killed and the call rejects. Default 30,000. */
  readonly timeout?: number
}

export class CommandFailed extends Error {
  readonly code: number | null
  readonly stdout: string
  constructor(command: string, code: number | null, stdout: string, stderr: string, why: string) {
    super(`${command}: ${why}${stderr === '' ? '' : `: ${stderr}`}`)
    this.name = 'CommandFailed'
    this.code = code
    this.stdout = stdout
  }
}

/** The caller's environment, with the system folders that a root shell opened by `su` lacks. */
export const environment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  PATH: [process.env['PATH'], '/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin'].filter(Boolean).join(':'),
  LC_ALL: 'C',
})

/** `nsenter`, not `ip netns exec`: that one remounts /sys, and costs a mount namespace for each call. */
export const inNamespace = (netns: string | undefined, command: string, args: readonly string[]): [string, string[]] =>
  netns === undefined ? [command, [...args]] : ['nsenter', [`--net=/run/netns/${netns}`, command, ...args]]

const running = new Set<ChildProcess>()

/** Kills what `run` has started and what still runs: it would go on when this process has ended. */
export function endCommands(): void {
  for (const child of running) child.kill('SIGKILL')
}

/** Resolves with what the command wrote to its standard output; rejects with CommandFailed if it did not exit with 0. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { netns, input, env, timeout = 30_000 } = options
  const spelled = `${netns === undefined ? '' : `[${netns}] `}${command} ${args.join(' ')}`.slice(0, 400)
  return new Promise((resolve, reject) => {
    const [file, list] = inNamespace(netns, command, args)
    // Not spawn's own `timeout`: when a command does not exist, its timer stays and keeps the process from ending.
    const signal = AbortSignal.timeout(timeout)
    const child = spawn(file, list, { env: { ...environment(), ...env }, signal, killSignal: 'SIGKILL' })
    running.add(child)
    child.on('close', () => running.delete(child))
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', text => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', text => (stderr += text))
    child.on('error', error => {
      running.delete(child)
      const why = signal.aborted ? `killed, as it took more than ${timeout} ms` : error.message
      reject(new CommandFailed(spelled, null, stdout, stderr.trim(), why))
    })
    child.on('close', (code, by) => {
      if (code === 0) return resolve(stdout)
      reject(new CommandFailed(spelled, code, stdout, stderr.trim(), code === null ? `ended by ${by}` : `exit ${code}`))
    })
    // A command that exits before it has read all of its input breaks the pipe: its exit code tells the story.
    child.stdin.on('error', () => {})
    child.stdin.end(input ?? '')
  })
}

/** One process for many `ip` commands. The batch stops at the first that fails, and the error names its line. */
export const ipBatch = (lines: readonly string[], netns?: string): Promise<string> =>
  run('ip', ['-batch', '-'], { input: `${lines.join('\n')}\n`, ...(netns === undefined ? {} : { netns }) })

/** Runs shell commands in a namespace, in one process. Stops at the first that fails. */
export const shell = (netns: string, commands: readonly string[]): Promise<string> =>
  run('sh', ['-e', '-s'], { netns, input: `${commands.join('\n')}\n` })
