/**
 * Why the store refuses.
 *
 * | code | means |
 * |---|---|
 * | `disk-full` | no space (ENOSPC, EDQUOT): free some; later writes try again |
 * | `read-only` | the file or its file system can't be written: later writes try again |
 * | `io` | any other failure of the disk: later writes try again |
 * | `locked` | another process has the file open |
 * | `corrupt` | the file is not what was written: nothing was changed, nothing is served |
 * | `newer-schema` | a newer l2sm wrote the file |
 * | `diverged` | somebody else changed the file under us: restart |
 * | `no-file` | the store is in memory: there is nothing to copy |
 * | `closed` | the store was closed before the write could be committed |
 */
export type StoreErrorCode =
  | 'disk-full'
  | 'read-only'
  | 'io'
  | 'locked'
  | 'corrupt'
  | 'newer-schema'
  | 'diverged'
  | 'no-file'
  | 'closed'

/** A failure of the store, never of what was asked: nothing of the write was kept. */
export class StoreError extends Error {
  override name = 'StoreError'
  readonly code: StoreErrorCode
  /** The operating system's word, where one is known: `ENOSPC`, `EROFS`, ... */
  readonly errno: string | undefined
  constructor(code: StoreErrorCode, message: string, errno?: string) {
    super(message)
    this.code = code
    this.errno = errno
  }
}
