// Programs that benches run beside each other: started, watched from outside, ended.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { environment } from '../lab/command.ts'
import { encode, framing } from '../openflow/index.ts'
import { folder } from './sandbox.ts'

export type Command = { readonly argv: readonly string[]; readonly env?: Readonly<Record<string, string>> }

/** In the sandbox every port is free. */
export const openflowPort = 6653
export const httpPort = 8181

const root = new URL('..', import.meta.url).pathname

/** Our controller, as it is started everywhere. Its compiled code is kept in `cache`. */
export const l2sm = (store: string, cache: string, ...flags: readonly string[]): Command => ({
  argv: [
    ...[process.execPath, ...flags, join(root, 'cli/l2sm.ts'), 'controller', '--log-level', 'warn'],
    ...['--openflow', `tcp:127.0.0.1:${openflowPort}`, '--http', `127.0.0.1:${httpPort}`, '--store', store],
  ],
  env: { NODE_COMPILE_CACHE: cache },
})

/** `L2SM_BENCH_PROFILE=FOLDER`: leaves CPU profiles of the controller there. */
export const profiling = process.env['L2SM_BENCH_PROFILE']
  ? ['--cpu-prof', `--cpu-prof-dir=${process.env['L2SM_BENCH_PROFILE']}`]
  : []

export const testController: Command = {
  argv: ['ovs-testcontroller', `ptcp:${openflowPort}:127.0.0.1`],
  env: { OVS_RUNDIR: folder() ?? tmpdir() },
}

export const python = join(tmpdir(), 'l2sm-bench-venv', 'bin', 'python')
export const osKen: Command = { argv: [python, join(root, 'bench/os_ken_app.py')] }

export type Peer = {
  readonly name: string
  readonly command: Command
  /** Whether it is installed. */
  there(): boolean
  readonly install: string
}
export const peers: readonly Peer[] = [
  {
    name: 'ovs-testcontroller',
    command: testController,
    there: () => ['/usr/bin', '/usr/sbin'].some(folder => existsSync(join(folder, 'ovs-testcontroller'))),
    install: 'apt-get install openvswitch-testcontroller',
  },
  {
    name: 'os-ken',
    command: osKen,
    there: () => existsSync(join(tmpdir(), 'l2sm-bench-venv', 'bin', 'python')),
    install: 'see bench/README.md: os-ken from PyPI, in a virtual environment',
  },
]

export type Started = {
  readonly pid: number
  readonly child: ChildProcess
  /** Rejects with its last words when it ends by itself. */
  readonly died: Promise<never>
}

export function start({ argv, env }: Command): Started {
  const [file, ...args] = argv
  const child = spawn(file!, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...environment(), ...env } })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', text => (said = (said + text).slice(-2000)))
  const died = new Promise<never>((_, reject) => {
    child.on('error', reject)
    child.on('exit', code => reject(new Error(`${argv.join(' ')} ended with ${code}: ${said}`)))
  })
  died.catch(() => {})
  return { pid: child.pid!, child, died }
}

/** Asked politely: only so does Node keep what it compiled. */
export async function end({ child }: Started): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}

/** Resolves when somebody who listens on the port, as soon as it does, has greeted a switch and asked for its features. */
export async function asksForFeatures(port: number): Promise<void> {
  for (;;) {
    if (await greeted(port)) return
    await sleep(2)
  }
}

const featuresRequest = 5
const greeted = (port: number): Promise<boolean> =>
  new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    const { push } = framing()
    const done = (asked: boolean) => {
      socket.destroy()
      resolve(asked)
    }
    socket.on('error', () => done(false))
    socket.on('close', () => done(false))
    socket.on('connect', () =>
      socket.write(encode({ type: 'hello', xid: 1, elements: [{ type: 'versionbitmap', versions: [4] }] })),
    )
    socket.on('data', chunk => push(chunk, message => message[1] === featuresRequest && done(true)))
  })

/** Resolves when `path` is answered with 200. */
export async function answers(port: number, path: string): Promise<void> {
  for (;;) {
    const status = await fetch(`http://127.0.0.1:${port}${path}`).then(
      async r => {
        await r.arrayBuffer()
        return r.status
      },
      () => 0,
    )
    if (status === 200) return
    await sleep(5)
  }
}
