/** `npm ci` ends with this: the controller is started once and ended, so that its code is compiled before it is needed. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const folder = mkdtempSync(join(tmpdir(), 'l2sm-warm-'))
try {
  const command = new URL('l2sm.ts', import.meta.url).pathname
  const place = ['--http', '127.0.0.1:0', '--openflow', '127.0.0.1:0', '--store', `sqlite:${join(folder, 'l2sm.db')}`]
  const child = spawn(process.execPath, [command, 'controller', ...place], { stdio: ['ignore', 'pipe', 'ignore'] })
  const late = setTimeout(() => child.kill('SIGKILL'), 60_000)
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (text.includes('"msg":"ready"')) child.kill('SIGTERM')
  })
  await once(child, 'exit')
  clearTimeout(late)
} catch {
  // Then the first start takes half a second longer, and that is all.
} finally {
  rmSync(folder, { recursive: true, force: true })
}
