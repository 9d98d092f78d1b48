/** A plan in a file: the answer of `GET /v1/nodes/{name}/plan`, or the same in YAML. Read again whenever it changes. */

import { closeSync, constants, fstatSync, openSync, readFileSync, watch } from 'node:fs'
import { dirname } from 'node:path'
import { checker, type Schema } from '../api/contract/check.ts'
import { NodePlan } from '../api/contract/node-schemas.ts'

export class PlanError extends Error {
  override name = 'PlanError'
}

const check = checker(NodePlan as unknown as Schema)

/** Throws PlanError, which says what is wrong with it and where. */
export function checkPlan(value: unknown, from: string): NodePlan {
  const fault = check(value, 'plan')
  if (!fault) return value as NodePlan
  const { where, expected, got, hint } = fault
  throw new PlanError(`${from}: ${where}: expected ${expected}, got ${got}${hint ? `; ${hint}` : ''}`)
}

export async function readPlan(path: string, text: string): Promise<NodePlan> {
  if (text.trim().startsWith('{')) {
    try {
      return checkPlan(JSON.parse(text), path)
    } catch (error) {
      if (error instanceof PlanError) throw error
    }
  }
  // JSON is YAML, and this names the place of a mistake.
  const { LineCounter, parseDocument } = await import('yaml')
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const [wrong] = document.errors
  if (wrong) throw new PlanError(`${path}:${lines.linePos(wrong.pos[0]).line}: not YAML: ${wrong.message}`)
  return checkPlan(document.toJS(), path)
}

/**
 * The text of a plan's file. What is wrong with a plan is said with words of it; so a file that somebody else could put
 * there, or that is a link to another one, is refused before a line of it is read: throws PlanError.
 */
export function readPlanFile(path: string): string {
  const file = openPlan(path)
  try {
    const { mode, uid, gid } = fstatSync(file)
    const refuse = (why: string) => new PlanError(`the plan ${path} is not read, as ${why}`)
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) throw refuse('it is no regular file')
    const self = process.geteuid?.() ?? 0
    if (uid !== 0 && uid !== self)
      throw refuse(`it belongs to user ${uid}, and not to root or to user ${self}: chown ${self} ${path}`)
    if ((mode & 0o002) !== 0 || ((mode & 0o020) !== 0 && gid !== 0))
      throw refuse(`others may write it: chmod go-w ${path}`)
    return readFileSync(file, 'utf8')
  } finally {
    closeSync(file)
  }
}

function openPlan(path: string): number {
  try {
    return openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code === 'ELOOP') throw new PlanError(`the plan ${path} is not read, as it is a link: name the file itself`)
    throw new PlanError(`the plan can not be read: ${message}`)
  }
}

export type PlanSource = { close(): void }

/** Milliseconds without a change after which a file is read: it may be written in pieces. */
const still = 50

/** Calls `take` with the plan at first and after each change of the file. A file that is wrong changes nothing. */
export function followPlanFile(
  path: string,
  take: (plan: NodePlan) => void,
  complain: (why: string) => void,
): PlanSource {
  let last: string | undefined
  let timer: NodeJS.Timeout | undefined
  const read = async () => {
    try {
      const text = readPlanFile(path)
      if (text === last) return
      last = text
      take(await readPlan(path, text))
    } catch (error) {
      complain((error as Error).message)
    }
  }
  // The folder: a file that is replaced by renaming is another file.
  const watcher = watch(dirname(path), () => {
    clearTimeout(timer)
    timer = setTimeout(read, still)
  })
  watcher.on('error', error => complain(`${dirname(path)} can not be watched: ${error.message}`))
  void read()
  return {
    close() {
      clearTimeout(timer)
      watcher.close()
    },
  }
}

/** Why the file can not be read, so that a start can fail at once; undefined if it can. */
export const planFileFault = (path: string): string | undefined => {
  try {
    readPlanFile(path)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}
