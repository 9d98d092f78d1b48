import { closeSync, constants, fchmodSync, fsyncSync, openSync, rmSync, statSync, writeSync } from 'node:fs'
import { hostname } from 'node:os'
import { DatabaseSync } from 'node:sqlite'
import { StoreError } from '../error.ts'
import type { Fresh, Meta, Row, RowBatch } from '../row.ts'
import { applicationId, create, isMissing, schemaVersion } from './create.ts'
import { corrupt, holderOf, isReadOnly, storeErrorOf } from './error.ts'
import { refuseForeignJournal } from './journal.ts'
import { digestOf, getMeta, type Known, putMeta, putRows, readRows, type Written } from './rows.ts'

/**
 * The state's file: a SQLite database with one row for each object, and what is true of all of them.
 *
 * Durable: a rollback journal with synchronous=FULL. A commit syncs the journal, then the database, then the zeroed header of
 * the journal (PERSIST), and only that last sync makes it answer: so what was answered is on disk, and what was not is
 * there in whole or not at all. Not WAL, though it needs one sync instead of four: a WAL is read up to the first
 * frame whose checksum fails, so one flipped bit in it would silently take back every commit after it.
 *
 * Whole: SQLite notices a broken tree, but not a changed letter in a value. So `digest` is a sum over all rows, kept with
 * every commit, and a file where it differs is refused.
 *
 * Ours alone: locking_mode=EXCLUSIVE holds a POSIX lock on the file for as long as it is open; it goes with the process, however
 * that ends. Nobody in this process may open and close the file by other means: that alone would release the lock.
 */

export type StateFile = {
  readonly meta: Meta
  /** Returns when it is on disk; throws a StoreError when none of it was kept. */
  commit(batch: RowBatch): void
  /** As Store.backup. */
  backup(to: string): void
  close(): void
}

/** How long an earlier process may take to let go of the file. */
const lockTimeoutMs = 1_000

/** A commit that failed: should it have reached the disk all the same, these rows take it back. */
type Failed = { readonly known: Known; readonly before: readonly Row[] }

/**
 * Opens the file, or makes one as `fresh` says; its rows go to `onRows`, in the order of their keys. A file that is not just as
 * the last commit left it throws, and stays as it is.
 */
export const openStateFile = (
  path: string,
  fresh: Fresh,
  onRows: (rows: Row[]) => void,
): StateFile & { readonly isNew: boolean } => {
  try {
    const isNew = isMissing(path)
    if (isNew) create(path, fresh)
    else refuseForeignJournal(path, isWhole)
    const db = lock(path)
    try {
      const known = check(db, path, onRows)
      return { ...serve(path, db, known, keyed(known.meta, fresh)), isNew }
    } catch (error) {
      db.close()
      throw error
    }
  } catch (error) {
    throw storeErrorOf(error, path, 'open')
  }
}

/** Whether a file is what a commit left; half a commit beside it is taken back. */
const isWhole = (path: string): boolean => {
  const db = new DatabaseSync(path)
  try {
    check(db, path, () => {})
    return true
  } catch {
    return false
  } finally {
    db.close()
  }
}

/**
 * Opens a file that is there, and takes the lock; changes nothing, save that SQLite takes half a commit back. A file on a
 * disk that can only be read is opened too, under a shared lock that keeps writers out: what it holds can still be served.
 */
const lock = (path: string): DatabaseSync => {
  const db = new DatabaseSync(path, { timeout: lockTimeoutMs })
  try {
    db.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT')
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** Reads all of the file, and throws unless it is what the last commit left. */
const check = (db: DatabaseSync, path: string, onRows: (rows: Row[]) => void): Known => {
  const version = (db.prepare('PRAGMA user_version').get() as { user_version: number }).user_version
  const application = (db.prepare('PRAGMA application_id').get() as { application_id: number }).application_id
  if (application !== applicationId)
    throw corrupt(path, `it is a SQLite database, but not l2sm's (application id ${application}, not ${applicationId})`)
  if (version > schemaVersion)
    throw new StoreError(
      'newer-schema',
      `${path} was written by a newer l2sm: its schema is ${version}, this one knows up to ${schemaVersion}. Run the newer l2sm, or put a copy from before the upgrade in its place`,
    )
  if (version < 1) throw corrupt(path, `its schema version is ${version}, and there never was one`)
  const broken = db
    .prepare('PRAGMA integrity_check(1)')
    .all()
    .map(row => String(Object.values(row)[0]))
    .find(line => line !== 'ok')
  if (broken !== undefined) throw corrupt(path, broken)
  const rowSum = readRows(db, path, onRows)
  const { meta, digest } = getMeta(db, path)
  if (digest !== digestOf({ meta, rowSum }))
    throw corrupt(path, 'its content is not what was written (the digest over all rows differs)')
  return { meta, rowSum }
}

/** A file from before there was a key for the order of numbers gets one with its next commit; numbers that it has stay. */
const keyed = (meta: Meta, { numberKey }: Fresh): Meta =>
  meta.numberKey === undefined ? { ...meta, numberKey, sequential: meta.allocated } : meta

/** The open file: commits, and opens it anew after one that failed. `meta` is what the next commit writes, but for its counters. */
const serve = (path: string, opened: DatabaseSync, first: Known, served: Meta): StateFile => {
  let db: DatabaseSync | undefined = opened
  let known = first
  let failed: Failed | undefined
  const inode = statSync(path).ino
  prepare(opened)
  noteHolder(path)

  /**
   * After a failed commit nothing that SQLite has in memory is trusted: the file is opened again, which takes back
   * half a commit, and must then say what we know. A commit can fail in its very last sync and be in the file nevertheless:
   * its writes were refused, so it is taken back.
   */
  const reopen = (): DatabaseSync => {
    const again = lock(path)
    try {
      prepare(again)
      const { meta, digest } = getMeta(again, path)
      if (digest === digestOf(known)) {
        failed = undefined
        return again
      }
      if (!failed || meta.instance !== known.meta.instance || digest !== digestOf(failed.known))
        throw new StoreError(
          'diverged',
          `${path} was changed by somebody else: it is at revision ${meta.revision}, and this process at ${known.meta.revision}. Restart to go on from the file; nothing was written to it`,
        )
      transact(again, () => {
        putRows(again, failed!.before, 0n)
        putMeta(again, known)
      })
      failed = undefined
      return again
    } catch (error) {
      again.close()
      throw error
    }
  }

  const commit = (batch: RowBatch): void => {
    const found = statSync(path, { throwIfNoEntry: false })
    if (found?.ino !== inode)
      throw new StoreError(
        'diverged',
        `${path} was ${found ? 'replaced' : 'removed'} while it was open: the write was not kept. Save what GET answers, put the file back and restart`,
      )
    try {
      write((db ??= reopen()), batch)
    } catch (error) {
      // It was opened on a disk that could only be read, and now perhaps can be written.
      if (!isReadOnly(error) || !db) throw error
      write(db, batch)
    }
  }

  const write = (on: DatabaseSync, batch: RowBatch): void => {
    const { revision, allocated, complete } = batch
    const meta = { ...served, revision, allocated, complete }
    try {
      let written: Written = { before: [], sum: known.rowSum }
      transact(on, () => {
        written = putRows(on, batch.rows, known.rowSum)
        const next = { meta, rowSum: written.sum }
        failed = { known: next, before: written.before }
        putMeta(on, next)
      })
      known = { meta, rowSum: written.sum }
      failed = undefined
    } catch (error) {
      recover(on)
      throw error
    }
  }

  /** At once, to hold the lock and to take back what was refused; if it can't be now, the next commit says why. */
  const recover = (broken: DatabaseSync): void => {
    db = undefined
    broken.close()
    try {
      db = reopen()
    } catch {
      // The error that led here is the one to report.
    }
  }

  return {
    meta: served,
    commit(batch) {
      try {
        commit(batch)
      } catch (error) {
        throw storeErrorOf(error, path, 'write')
      }
    },
    backup(to) {
      try {
        copyTo((db ??= reopen()), to, known)
      } catch (error) {
        throw storeErrorOf(error, to, 'write')
      }
    },
    close() {
      if (db) rmSync(holderOf(path), { force: true })
      db?.close()
      db = undefined
    },
  }
}

/** A copy as of the last commit, for its owner only, synced and read again. */
const copyTo = (db: DatabaseSync, to: string, known: Known): void => {
  closeSync(openSync(to, 'wx', 0o600))
  try {
    db.prepare('VACUUM INTO ?').run(to)
    const fd = openSync(to, 'r')
    try {
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    const copy = new DatabaseSync(to, { readOnly: true })
    try {
      if (digestOf(check(copy, to, () => {})) !== digestOf(known)) throw corrupt(to, 'the copy is not what was copied')
    } finally {
      copy.close()
    }
  } catch (error) {
    rmSync(to, { force: true })
    throw error
  }
}

/** What does not change the file. The journal keeps up to 256 KiB between commits, so that most need no new space. */
const prepare = (db: DatabaseSync): void =>
  db.exec('PRAGMA journal_mode = PERSIST; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 262144')

const transact = (db: DatabaseSync, write: () => void): void => {
  db.exec(`BEGIN IMMEDIATE; PRAGMA user_version = ${schemaVersion}`)
  write()
  db.exec('COMMIT')
}

/** Who has the file, for the message that the next one gets: the lock itself can't say. Without it the lock holds as well. */
const noteHolder = (path: string): void => {
  try {
    const { O_CREAT, O_NOFOLLOW, O_TRUNC, O_WRONLY } = constants
    const fd = openSync(holderOf(path), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600)
    try {
      fchmodSync(fd, 0o600)
      writeSync(fd, `process ${process.pid} on ${hostname()} since ${new Date().toISOString()}\n`)
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    // On a full or read-only disk we still want to serve what is there.
    if (!['ENOSPC', 'EDQUOT', 'EROFS'].includes(String((error as NodeJS.ErrnoException).code))) throw error
  }
}
