import { closeSync, copyFileSync, lstatSync, mkdtempSync, openSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { StoreError } from '../error.ts'
import { corrupt } from './error.ts'

/**
 * SQLite takes half a commit back as soon as it opens a file with a journal beside it, whosever journal that is: one that a crash left
 * beside a file which was replaced from a backup spoils the backup (sqlite.org/howtocorrupt.html §1.4). So it is tried on a copy first.
 */
export const journalOf = (path: string): string => `${path}-journal`

/** Whether the journal holds half a commit. A zeroed header says that the last one was complete. */
export const isHot = (path: string): boolean => {
  const journal = journalOf(path)
  if (!lstatSync(journal, { throwIfNoEntry: false })?.size) return false
  const fd = openSync(journal, 'r')
  try {
    const first = Buffer.alloc(1)
    readSync(fd, first, 0, 1, 0)
    return first[0] !== 0
  } finally {
    closeSync(fd)
  }
}

/** A journal whose database is gone would be rolled back into the new one. */
export const refuseOrphanJournal = (path: string): void => {
  if (isHot(path))
    throw corrupt(path, `it is gone, but ${journalOf(path)} holds half a commit to it; move that away too`)
}

/** Throws when the journal is not this file's; neither has been touched then. `isWhole`: a file that is opened there is what a commit left. */
export const refuseForeignJournal = (path: string, isWhole: (path: string) => boolean): void => {
  if (!isHot(path) || isInUse(path)) return
  const folder = scratch(path)
  try {
    const copy = join(folder, 'l2sm.db')
    copyFileSync(path, copy)
    const isWholeAlone = isWhole(copy)
    copyFileSync(path, copy)
    copyFileSync(journalOf(path), journalOf(copy))
    if (isWhole(copy)) return
    const why = isWholeAlone
      ? 'as it stands the file is whole, and that would spoil it'
      : 'with it the file is not whole'
    throw new StoreError(
      'corrupt',
      `${journalOf(path)} holds half a commit, but not to this ${path}: ${why}. Neither was touched. Move ${journalOf(path)} away if ${path} was put there from a backup; or put a backup in its place and move the journal away`,
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Another process is writing it: SQLite says so, and changes nothing of a file that it may only read. */
const isInUse = (path: string): boolean => {
  const db = new DatabaseSync(path, { readOnly: true })
  try {
    db.prepare('SELECT count(*) FROM sqlite_schema').get()
    return false
  } catch (error) {
    return ((error as { errcode?: number }).errcode ?? 0) % 256 === busy
  } finally {
    db.close()
  }
}
const busy = 5

const scratch = (path: string): string => {
  try {
    return mkdtempSync(join(tmpdir(), 'l2sm-'))
  } catch {
    return mkdtempSync(join(dirname(path), '.l2sm-'))
  }
}
