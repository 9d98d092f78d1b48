import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type t from 'tap'
import { inNamespace } from '../../lab/command.ts'

/** The file of the command. */
export const l2sm = fileURLToPath(new URL('../../cli/l2sm.ts', import.meta.url))

export type Environment = { readonly [name: string]: string }

/** Nothing of ours around us reaches the command, whatever the shell of who tests has set. */
const environment = (more: Environment): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('L2SM_') && name !== 'NODE_OPTIONS'),
  ),
  ...more,
})

/** Where to run it: a network namespace under /run/netns; and what a shell does first, such as setting a limit. */
export type Place = { readonly netns?: string; readonly first?: string }

const running = new Set<ChildProcess>()
// A test that runs out of time ends without its teardown.
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

const start = (args: readonly string[], env: Environment, { netns, first }: Place = {}) => {
  const command = [process.execPath, l2sm, ...args]
  const [program, ...rest] = first === undefined ? command : ['sh', '-c', `${first} && exec "$0" "$@"`, ...command]
  const [file, words] = inNamespace(netns, program!, rest)
  const child = spawn(file, words, { env: environment(env), stdio: ['ignore', 'pipe', 'pipe'] })
  running.add(child)
  child.on('exit', () => running.delete(child))
  return child
}

/** Runs the command to its end. */
export const run = async (args: readonly string[], env: Environment = {}, place: Place = {}) => {
  const child = start(args, env, place)
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', text => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', text => {
    stderr += text
  })
  const [code] = await once(child, 'close')
  return { code: code as number | null, stdout, stderr }
}

type Line = { readonly level: number; readonly msg: string; readonly [field: string]: unknown }

/** `l2sm controller` on ports of its own, until it is ready; it is killed when the test is over. */
export const startController = async (
  test: Pick<typeof t, 'teardown'>,
  args: readonly string[],
  env: Environment = {},
  place: Place = {},
) => {
  const child = start(['controller', ...args], env, place)
  const ended = once(child, 'close') as Promise<[code: number | null, signal: string | null]>
  test.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const log: Line[] = []
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', text => {
    stderr += text
  })
  const ready = Promise.withResolvers<Line>()
  createInterface(child.stdout).on('line', text => {
    const line: Line = JSON.parse(text)
    log.push(line)
    if (line.msg === 'ready') ready.resolve(line)
  })
  const [line] = await Promise.race([
    ready.promise.then(line => [line] as const),
    ended.then(([code]) => {
      throw new Error(`it ended with ${code} before it was ready: ${stderr} ${log.at(-1)?.msg ?? ''}`)
    }),
  ])
  const { http, openflow } = line as unknown as { readonly http: string; readonly openflow: readonly string[] }
  return {
    pid: child.pid!,
    http,
    openflow,
    log,
    base: `http://127.0.0.1:${http.split(':').at(-1)}`,
    /** Sends a signal that does not end it. */
    hangUp: () => void child.kill('SIGHUP'),
    /** Resolves with the exit code, or the signal that it died of. */
    async stop(signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL') {
      child.kill(signal)
      const [code, died] = await ended
      return code ?? died
    },
  }
}
