import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Store } from '../../store/store.ts'
import { dpid } from './backends.ts'

export type Said = {
  readonly found: number[]
  readonly acked: number[]
  readonly nacked: [number, string][]
  readonly lines: string[]
}

export const writer = fileURLToPath(new URL('./writer.ts', import.meta.url))

/** Starts a writer (see writer.ts), before it a wrapper such as strace. `until` may kill it; answers what it said. */
export const runWriter = async (
  args: readonly (string | number)[],
  options: { readonly wrapper?: readonly string[]; readonly onLine?: (line: string, kill: () => void) => void } = {},
): Promise<Said> => {
  // Without the hooks that the test runner puts into NODE_OPTIONS of every child: they triple the time that one takes to
  // start. env execs, so the child that is killed is the writer itself.
  const plain = ['env', '-u', 'NODE_OPTIONS', process.execPath]
  const command = [...(options.wrapper ?? []), ...plain, writer, ...args.map(String)]
  const child = spawn(command[0]!, command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  let errors = ''
  const kill = () => void child.kill('SIGKILL')
  options.onLine?.('start', kill)
  child.stdout.setEncoding('utf8').on('data', (part: string) => {
    const lines = part.split('\n').slice(0, -1)
    text += part
    for (const line of lines) options.onLine?.(line, kill)
  })
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    errors += part
  })
  await once(child, 'close')
  if (errors !== '' && child.signalCode !== 'SIGKILL') throw new Error(`${command.join(' ')}:\n${errors}`)
  const lines = text.split('\n').filter(line => line !== '')
  const of = (word: string) => lines.filter(line => line.startsWith(`${word} `)).map(line => line.split(' '))
  return {
    lines,
    found: (of('open')[0]?.[1] ?? '')
      .split(',')
      .filter(n => n !== '')
      .map(Number),
    acked: of('ack').map(([, n]) => Number(n)),
    nacked: of('nack').map(([, n, code]) => [Number(n), code!]),
  }
}

/** The writes that are in the store; throws when one is there in part, or the indexes disagree. */
export const writesIn = (store: Store): Set<number> => {
  const { networks, members, attachments, revision } = store.state()
  const found = new Set<number>()
  for (const id of networks.keys()) {
    const n = Number(id.slice(1))
    const ports = [...(members.get(id)?.keys() ?? [])].sort().join()
    if (ports !== `${dpid(n)}/1,${dpid(n)}/2`) throw new Error(`network ${id} is there in part: ports ${ports}`)
    found.add(n)
  }
  if (attachments.size !== 2 * networks.size) throw new Error(`${attachments.size} ports in ${networks.size} networks`)
  if (revision !== networks.size) throw new Error(`revision ${revision} after ${networks.size} writes`)
  return found
}
