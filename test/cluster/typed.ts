// What our pages tell to type, typed.
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../../lab/command.ts'
import { binary } from '../../lab/k8s/binaries.ts'
import type { Installed } from './installed.ts'

const root = new URL('../..', import.meta.url).pathname

/** The blocks of shell commands of a page, or of its part that begins with these words. */
export const shellOf = (page: string, from = ''): readonly string[] => {
  const text = readFileSync(join(root, page), 'utf8')
  const begins = text.indexOf(from)
  if (begins < 0) throw new Error(`${page} does not say "${from}"`)
  return [...text.slice(begins).matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block]) => block!)
}

/** Runs commands as a person with this cluster would, in the folder of the checkout. Resolves with what they print. */
export const typed = ({ plane, scratch }: Installed, commands: string): Promise<string> => {
  const folder = join(scratch, 'bin')
  mkdirSync(folder, { recursive: true })
  const kubectl = join(folder, 'kubectl')
  writeFileSync(kubectl, `#!/bin/sh\nexec ${binary('kubectl')} --kubeconfig=${plane.kubeconfig} "$@"\n`)
  chmodSync(kubectl, 0o755)
  const env = { PATH: `${folder}:${process.env['PATH']}` }
  return run('sh', ['-ec', `cd '${root}'\n${commands}`], { env, timeout: 600_000 })
}
