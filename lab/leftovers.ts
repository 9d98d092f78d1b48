/**
 * What a lab makes outlives its process if that is killed: namespaces, Open vSwitch daemons, a veth, a folder. So
 * each of these carries, in its name, who owns it, and whoever comes next can tell what nobody owns any more.
 *
 *   namespaces, folder, alias of the veth:  l2sm-<pid>-<start time of that pid, base 36>-<lab, 6 random hex digits>...
 *
 * A pid alone is not enough, as pids come round again. Everything here is synchronous: it also runs in 'exit' handlers.
 */

import { spawnSync } from 'node:child_process'
import { rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { environment } from './command.ts'
import { list, orElse, readlinkOrEmpty, readOrEmpty, startTime } from './proc.ts'

export type Owner = { readonly pid: number; readonly start: string; readonly lab: string }

export type Removed = {
  readonly processes: readonly number[]
  readonly namespaces: readonly string[]
  readonly interfaces: readonly string[]
  readonly folders: readonly string[]
}

const namespaces = '/run/netns'
const pattern = /^l2sm-(\d+)-([0-9a-z]+)-([0-9a-f]{6})(?:-|$)/

/** Starts the names of what this process makes for a lab. */
export const ownerPrefix = (lab: string): string => `l2sm-${process.pid}-${startTime(process.pid)}-${lab}`

export function parseOwner(name: string): Owner | undefined {
  const [, pid, start, lab] = pattern.exec(name) ?? []
  return pid === undefined || start === undefined || lab === undefined ? undefined : { pid: Number(pid), start, lab }
}

export const isAlive = (owner: Owner): boolean => startTime(owner.pid) === owner.start

/** Removes everything, here and now, whose owner `chosen` picks. Names that are not ours are never handed to it. */
export function removeOwned(chosen: (owner: Owner) => boolean): Removed {
  const ours = (name: string) => {
    const owner = parseOwner(name)
    return owner !== undefined && chosen(owner)
  }
  const netns = list(namespaces).filter(ours)
  const folders = list(tmpdir())
    .filter(ours)
    .map(name => join(tmpdir(), name))
  const interfaces = ownedInterfaces(ours)
  const processes = netns.length + folders.length === 0 ? [] : killWithin(netns, folders)
  const batch = [...interfaces.map(name => `link del ${name}`), ...netns.map(name => `netns del ${name}`)]
  if (batch.length > 0) ip(['-force', '-batch', '-'], `${batch.join('\n')}\n`)
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
  return { processes, namespaces: netns, interfaces, folders }
}

/** Removes what labs left whose process is no longer there. What a living process owns stays. */
export const sweep = (): Removed => removeOwned(owner => !isAlive(owner))

/** Interfaces of the caller's namespace; the others go with their namespaces. */
function ownedInterfaces(ours: (name: string) => boolean): string[] {
  const found = ip(['-json', 'link', 'show', 'type', 'veth'])
  const links: { ifname?: string; ifalias?: string }[] = found === '' ? [] : JSON.parse(found)
  return links.flatMap(({ ifname, ifalias }) => (ifname !== undefined && ours(ifalias ?? '') ? [ifname] : []))
}

/** Kills whatever lives in these namespaces, and the Open vSwitch daemons that work in these folders. */
export function killWithin(netns: readonly string[], folders: readonly string[]): number[] {
  const home = readlinkOrEmpty('/proc/self/ns/net')
  const inodes = new Set(netns.map(name => `net:[${inodeOf(join(namespaces, name))}]`).filter(inode => inode !== home))
  const doomed = list('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
    .filter(pid => pid !== process.pid && (inodes.has(readlinkOrEmpty(`/proc/${pid}/ns/net`)) || worksIn(pid, folders)))
  for (const pid of doomed) kill(pid)
  return doomed
}

function worksIn(pid: number, folders: readonly string[]): boolean {
  if (!['ovsdb-server', 'ovs-vswitchd'].includes(readOrEmpty(`/proc/${pid}/comm`).trim())) return false
  const words = readOrEmpty(`/proc/${pid}/cmdline`)
  return folders.some(folder => words.includes(`${folder}/`))
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended on its own meanwhile.
  }
}

const ip = (args: readonly string[], input = ''): string =>
  spawnSync('ip', args, { input, encoding: 'utf8', env: environment(), timeout: 30_000 }).stdout ?? ''

const inodeOf = (path: string): number => orElse(() => statSync(path).ino, 0)
