import { mkdirSync, statSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * Halves the time to start: code that was compiled once (types stripped, too) is read back. From a folder that nobody else can write to: who
 * could would run code as us, so not from the system's temporary folder.
 */
export const cacheCode = (): void => {
  const asked = process.env['NODE_COMPILE_CACHE']
  const folder = asked ?? folders().find(isOurs)
  if (folder === undefined) return
  enableCompileCache(folder)
  // The store's thread finds it by this variable.
  process.env['NODE_COMPILE_CACHE'] = folder
}

/** In a checkout, where `npm ci` has left it; else the user's own. */
const folders = (): readonly string[] => [
  ...(import.meta.url.endsWith('.ts') ? [fileURLToPath(new URL('../node_modules/.cache/node', import.meta.url))] : []),
  join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'l2sm', 'node'),
]

const isOurs = (folder: string): boolean => {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    const { uid, mode } = statSync(folder)
    return uid === process.getuid?.() && (mode & 0o022) === 0
  } catch {
    return false
  }
}
