// Benches start daemons that detach, and leave files. So they run in namespaces of their own: when the process that opened
// these ends, however it ends, the kernel ends everything in them, and one folder is all there is to remove.
import { spawn, spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { environment } from '../lab/command.ts'

const variable = 'L2SM_BENCH_FOLDER'

/** The folder that benches work in; undefined outside of the sandbox. */
export const folder = (): string | undefined => process.env[variable]

/** Own processes and own network, and user 0 in them also for who is not root, where the kernel lets him. */
const namespaces = [
  ...(process.getuid?.() === 0 ? [] : ['--user', '--map-root-user']),
  ...['--net', '--pid', '--fork', '--kill-child', '--mount-proc'],
]

/** Runs `script` once more, inside. Resolves with its exit code; nothing of it is left then. */
export async function runInside(script: string, args: readonly string[]): Promise<number> {
  const refused = spawnSync('unshare', [...namespaces, 'true'], { encoding: 'utf8', env: environment() })
  if (refused.status !== 0) {
    console.error(`bench: needs namespaces, and the kernel refuses them: ${refused.stderr ?? refused.error?.message}`)
    return 1
  }
  const path = await mkdtemp(join(tmpdir(), 'l2sm-bench-'))
  const child = spawn('unshare', [...namespaces, process.execPath, script, ...args], {
    // The pipe tells the inside that we are gone, even when we were killed.
    stdio: ['pipe', 'inherit', 'inherit'],
    env: { ...environment(), [variable]: path },
  })
  let signal: NodeJS.Signals | undefined
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => {
      signal ??= name
      child.kill('SIGKILL')
    })
  const { promise, resolve, reject } = Promise.withResolvers<number | null>()
  child.on('error', reject)
  child.on('close', resolve)
  try {
    const code = await promise
    return signal ? 128 + constants.signals[signal] : (code ?? 1)
  } finally {
    // What was just killed may still be letting go of its files.
    await rm(path, { recursive: true, force: true, maxRetries: 20 })
  }
}

/** Inside: brings loopback up, and ends when who started us was killed. */
export function settleIn(path: string): void {
  spawnSync('ip', ['link', 'set', 'lo', 'up'], { env: environment() })
  process.stdin.on('end', () => {
    rmSync(path, { recursive: true, force: true })
    process.exit(1)
  })
  process.stdin.resume()
}
