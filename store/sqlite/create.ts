import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, linkSync, lstatSync, openSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { StoreError } from '../error.ts'
import type { Fresh } from '../row.ts'
import { corrupt, holderOf } from './error.ts'
import { journalOf, refuseOrphanJournal } from './journal.ts'
import { putMeta } from './rows.ts'

/** `l2sm` in ASCII, so that file(1) and we know our own. */
export const applicationId = 0x6c32736d
/**
 * What the tables and their rows can be. 1: networks, attachments, links. 2: also dead links, vlinks, nodes, and what came with them.
 * 3: also holdings, since when links are dead, and a key for the order of numbers.
 * To add what an older l2sm would not understand: raise it. Files of older versions are read as they are, and are of this one from
 * the first write on.
 */
export const schemaVersion = 3

/** Bytes. */
const pageSize = 4096

export const isMissing = (path: string): boolean => {
  const found = lstatSync(path, { throwIfNoEntry: false })
  for (const beside of [holderOf(path), journalOf(path)]) refuseLink(beside)
  if (found === undefined) return true
  refuseLink(path)
  if (!found.isFile()) throw new StoreError('io', `${path} is not a file: give the path of one, or of none yet`)
  // Before SQLite sees it: to that, less than a page is a new database, to be filled.
  if (found.size < pageSize) throw corrupt(path, `it has ${found.size} bytes, and an l2sm store never so few`)
  if ((found.mode & others) !== 0)
    throw new StoreError('io', `${path} can be read or written by everybody: chmod 600 ${path}, and start again`)
  return false
}
const others = 0o007

/** Through a link somebody else could have a file of ours written, or read, anywhere. */
const refuseLink = (path: string): void => {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink())
    throw new StoreError('io', `${path} is a link, and none is followed: put the file itself there, or remove the link`)
}

const refuseMissingFolder = (path: string): void => {
  const folder = dirname(path)
  if (lstatSync(folder, { throwIfNoEntry: false }) === undefined)
    throw new StoreError('io', `there is no folder ${folder} for ${path}: make it, or give another path`, 'ENOENT')
}

/** Made beside its place and then linked there: so at `path` there is a whole store or nothing, at any moment. */
export const create = (path: string, fresh: Fresh): void => {
  refuseOrphanJournal(path)
  refuseMissingFolder(path)
  const folder = dirname(path)
  const draft = join(folder, `.l2sm-new-${process.pid}-${randomBytes(4).toString('hex')}`)
  closeSync(openSync(draft, 'wx', 0o600))
  try {
    const db = new DatabaseSync(draft)
    try {
      db.exec(`PRAGMA page_size = ${pageSize}; PRAGMA synchronous = EXTRA; PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${schemaVersion};
        BEGIN;
        CREATE TABLE object (kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, revision INTEGER NOT NULL,
          PRIMARY KEY (kind, key)) STRICT, WITHOUT ROWID;
        CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;`)
      putMeta(db, { meta: { ...fresh, sequential: 0, revision: 0, allocated: 0, complete: false }, rowSum: 0n })
      db.exec('COMMIT')
    } finally {
      db.close()
    }
    linkUnlessThere(draft, path)
    syncFolder(folder)
  } finally {
    rmSync(draft, { force: true })
    rmSync(`${draft}-journal`, { force: true })
  }
}

const linkUnlessThere = (from: string, to: string): void => {
  try {
    linkSync(from, to)
  } catch (error) {
    // Another process made it meanwhile: the lock decides who has it.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
}

const syncFolder = (folder: string): void => {
  const fd = openSync(folder, 'r')
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}
