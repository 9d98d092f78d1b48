/** Commands of l2sm as processes of their own, started as a user would start them. */

import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { environment, inNamespace } from '../../lab/command.ts'

export type Program = {
  readonly pid: number
  /** How it ended: 'SIGKILL', 'exit code 1'. */
  readonly ended: Promise<string>
  kill(signal: NodeJS.Signals): void
}

const l2sm = fileURLToPath(new URL('../l2sm.ts', import.meta.url))

/**
 * @param words `controller`, or another command, and its options.
 * @param log The path of the file that takes what it prints.
 */
export function spawnProgram(words: readonly string[], log: string, netns?: string): Program {
  const file = openSync(log, 'a')
  const [command, args] = inNamespace(netns, process.execPath, [l2sm, ...words])
  // The kernel ends it with us, should we be killed. In a process group of its own it hears no Ctrl-C: we tell it.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', command, ...args], {
    env: withoutOptions(environment()),
    stdio: ['ignore', file, file],
    detached: true,
  })
  closeSync(file)
  const ended = new Promise<string>(resolve => {
    child.on('error', error => resolve(error.message))
    child.on('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
  })
  return { pid: child.pid ?? 0, ended, kill: signal => void child.kill(signal) }
}

/** What the caller has set for programs of their own is not meant for these. */
const withoutOptions = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('L2SM_')))

/** What it said, oldest first. */
export const linesOf = (log: string): string[] => readFileSync(log, 'utf8').split('\n').slice(0, -1)

/** Pino writes JSON lines; what a crash writes is none. */
function parse(line: string): { msg?: string; dpid?: string; error?: string } {
  try {
    return JSON.parse(line)
  } catch {
    return { msg: line }
  }
}

/** The line that it writes when it listens for switches and for HTTP. */
export const isReady = (line: string): boolean => parse(line).msg === 'ready'

/** Its last words, for when it failed. */
export const lastWords = (log: string): string =>
  linesOf(log)
    .slice(-5)
    .map(parse)
    .map(({ dpid, msg, error }) => `  ${[dpid, msg, error].filter(word => word !== undefined).join(': ')}`)
    .join('\n')

/** The first port from `first` on that nobody listens on. */
export async function freePort(host: string, first: number): Promise<number> {
  for (let port = first; port < first + 100; port++) if (await isFree(host, port)) return port
  throw new Error(`no port from ${first} to ${first + 99} is free on ${host}`)
}

const isFree = (host: string, port: number): Promise<boolean> =>
  new Promise(resolve => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, host, () => server.close(() => resolve(true)))
  })
