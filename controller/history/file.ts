// The history on disk: one JSON object a line, the newest last. It is written behind the event loop's back, never synced, and
// never waited for: a crash loses what happened in the half second before it (docs/decisions/0021-the-history.md).
import { type FileHandle, open, rename, rm } from 'node:fs/promises'

/** Milliseconds that events are collected before they are written. */
const collectMs = 500
/** Milliseconds until a write that failed is tried again. */
const retryMs = 10_000
/** Characters that wait for the disk, at most; what is beyond goes to memory only. */
const mostWaiting = 4 << 20
/** Bytes at the end of a file that the newest event is looked for in: longer than two lines. */
const tailBytes = 64 << 10

export type EventFile = {
  /** The newest line, to go on from; undefined if there is none. */
  readonly newest: string | undefined
  /** Gives each line that earlier runs wrote, oldest first. */
  lines(): AsyncIterable<string>
  append(line: string): void
  /** Writes what waits. */
  close(): Promise<void>
}

export type FileOptions = {
  readonly path: string
  /** Bytes beyond which the file is written anew, with `snapshot` only. */
  readonly mostBytes: number
  /** All lines that are to be kept; undefined while that is not known. */
  snapshot(): readonly string[] | undefined
  /** It could not be written: told once, until it works again. */
  failed(error: Error): void
}

/** Opens the file, or makes one. Rejects when that can't be. */
export async function openEventFile({ path, mostBytes, snapshot, failed }: FileOptions): Promise<EventFile> {
  let file = await open(path, 'a+', 0o600)
  const found = (await file.stat()).size
  let bytes = found
  const newest = await lastLine(file, bytes)
  // After a crash the last line may lack its end: what comes next must not become part of it.
  let waiting: string[] = bytes > 0 ? ['\n'] : []
  let characters = 0
  let writing: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let isFailing = false

  const write = async (): Promise<void> => {
    const lines = waiting
    const text = lines.join('')
    waiting = []
    characters = 0
    try {
      const kept = bytes + text.length > mostBytes ? snapshot() : undefined
      if (kept) await rewrite(kept)
      else {
        await file.appendFile(text)
        bytes += Buffer.byteLength(text)
      }
      isFailing = false
    } catch (error) {
      // Some of it may be on disk: lines that are there twice, and one that is no JSON, are skipped when they are read.
      waiting = ['\n', ...lines, ...waiting]
      characters += text.length
      if (!isFailing) failed(error as Error)
      isFailing = true
    }
  }
  const rewrite = async (lines: readonly string[]): Promise<void> => {
    const fresh = `${path}.new`
    const made = await open(fresh, 'w', 0o600)
    try {
      bytes = 0
      for (let i = 0; i < lines.length; i += 500) {
        const text = lines.slice(i, i + 500).join('\n')
        await made.appendFile(`${text}\n`)
        bytes += Buffer.byteLength(text) + 1
      }
      await rename(fresh, path)
    } catch (error) {
      await made.close()
      await rm(fresh, { force: true })
      throw error
    }
    await file.close()
    file = made
  }
  const soon = () => {
    if (timer || writing) return
    timer = setTimeout(flush, isFailing ? retryMs : collectMs).unref()
  }
  const flush = () => {
    clearTimeout(timer)
    timer = undefined
    writing ??= write().finally(() => {
      writing = undefined
      if (waiting.length > 0) soon()
    })
    return writing
  }
  return {
    newest,
    async *lines() {
      if (found === 0) return
      const reading = await open(path, 'r')
      try {
        yield* reading.readLines({ end: found - 1 })
      } finally {
        await reading.close()
      }
    },
    append(line) {
      if (characters + line.length > mostWaiting) return
      characters += line.length + 1
      waiting.push(`${line}\n`)
      soon()
    },
    async close() {
      await writing
      if (waiting.length > 0) await flush()
      clearTimeout(timer)
      await file.close()
    },
  }
}

async function lastLine(file: FileHandle, size: number): Promise<string | undefined> {
  const length = Math.min(size, tailBytes)
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length)
  const lines = buffer.toString('utf8', 0, bytesRead).split('\n')
  return lines.findLast(isWhole)
}

/** A line that is cut off is no JSON. */
const isWhole = (line: string): boolean => {
  try {
    return line !== '' && typeof JSON.parse(line) === 'object'
  } catch {
    return false
  }
}
