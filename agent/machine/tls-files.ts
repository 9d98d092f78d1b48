/** The TLS files that a plan may name: those below one folder of this node, and no others, whatever a plan says. */

import { realpathSync, statSync } from 'node:fs'
import { sep } from 'node:path'
import type { NodePlan } from '../../api/contract/node-schemas.ts'

/** Why these files are not used; undefined if they are. Links are followed first. */
export function tlsFault(tls: NodePlan['tls'], folder: string): string | undefined {
  if (!tls) return undefined
  const fault = (path: string): string | undefined => {
    try {
      const inside = realpathSync(path).startsWith(`${realpathSync(folder)}${sep}`)
      if (!inside) return `lies outside ${folder}: put it there, or start the agent with --tls-folder`
      return statSync(path).isFile() ? undefined : 'is no file'
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist' : (error as Error).message
    }
  }
  for (const path of [tls.key, tls.cert, tls.ca]) {
    const why = fault(path)
    if (why !== undefined) return `the plan's TLS file ${path} ${why}. The switch gets none of them`
  }
  return undefined
}
