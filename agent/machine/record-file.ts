/** The agent's own copy of the uplink's record: a file that is whole or not there, and nobody else's to read. */

import { createHash } from 'node:crypto'
import {
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { type Here, parseRecord, type UplinkRecord } from '../node/record.ts'

export type RecordFile = {
  readonly path: string
  /** Undefined: there is none that holds here and now. */
  read(here: Here): UplinkRecord | undefined
  /** Throws when it can not be written. */
  write(record: UplinkRecord): void
  remove(): void
}

/** One for each node and database: several agents may share a folder. */
export function recordFile(folder: string, node: string, socket: string): RecordFile {
  const of = createHash('sha256').update(resolve(socket)).digest('hex').slice(0, 8)
  const path = join(folder, `agent-${node}-${of}.json`)
  return {
    path,
    read(here) {
      try {
        return parseRecord(readFileSync(path, 'utf8'), here)
      } catch {
        return undefined
      }
    },
    write(record) {
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      const fresh = `${path}.new`
      rmSync(fresh, { force: true })
      const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants
      const file = openSync(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600)
      try {
        writeSync(file, `${JSON.stringify(record)}\n`)
        fsyncSync(file)
      } finally {
        closeSync(file)
      }
      renameSync(fresh, path)
      const directory = openSync(dirname(path), 'r')
      fsyncSync(directory)
      closeSync(directory)
    },
    remove: () => rmSync(path, { force: true }),
  }
}

/** Another one for each machine, start of it, and network namespace: 16 hex digits. */
export const machineId = (): string => {
  const { boot, namespace } = hereNow('')
  return createHash('sha256').update(`${boot} ${namespace}`).digest('hex').slice(0, 16)
}

/** Which start of the machine this is, and seconds since then. */
export const nowHere = () => ({
  boot: hereNow('').boot,
  uptime: Math.floor(Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0])),
})

/** This machine since its start, this network namespace, and the node. */
export const hereNow = (node: string): Here => ({
  boot: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
  namespace: readlinkSync('/proc/self/ns/net'),
  node,
})
