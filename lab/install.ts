/** What a lab needs of the machine, said as plain values, and how to get what is missing. */

import { spawnSync } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { join } from 'node:path'
import { environment, run } from './command.ts'

export type Requirement = {
  readonly need: string
  readonly why: string
  /** The Debian package that brings it; absent where no package can help. */
  readonly package?: string
}

export type Tool = { readonly command: string; readonly package: string; readonly why: string }

/** To need another command: add it here. */
const commands: readonly Tool[] = [
  { command: 'ovs-vswitchd', package: 'openvswitch-switch', why: 'the switches are real' },
  { command: 'ovsdb-server', package: 'openvswitch-switch', why: 'each switch has a database of its own' },
  { command: 'ip', package: 'iproute2', why: 'nodes and pods are network namespaces' },
  { command: 'tc', package: 'iproute2', why: 'the underlay can lose frames' },
  { command: 'nsenter', package: 'util-linux', why: 'commands run inside a pod' },
  { command: 'ping', package: 'iputils-ping', why: 'pods ping each other' },
  { command: 'ethtool', package: 'ethtool', why: 'a pod must fill in its checksums itself' },
  { command: 'python3', package: 'python3', why: 'it opens raw sockets, which Node has not' },
]

/** Where a command is; undefined when it is nowhere. */
export type Find = (command: string) => string | undefined

/** What is missing here; nothing when a lab can be made. @param more Commands that are wanted besides. */
export function requirements(find: Find = pathOf, more: readonly Tool[] = []): readonly Requirement[] {
  if (process.platform !== 'linux') {
    return [{ need: 'Linux', why: `network namespaces; this is ${process.platform}` }]
  }
  if (process.getuid?.() !== 0) return [{ need: 'root', why: 'network namespaces; try again with sudo' }]
  const missing = [...commands, ...more].filter(({ command }) => find(command) === undefined)
  const refused = namespacesRefused()
  return [
    ...(refused === undefined ? [] : [{ need: 'network namespaces', why: refused }]),
    ...missing.map(({ command, package: name, why }) => ({ need: command, why, package: name })),
  ]
}

export type InstallOptions = {
  readonly say: (line: string) => void
  readonly find?: Find
  readonly more?: readonly Tool[]
}

/** Installs what is missing with apt-get, after telling `say`. Rejects when something is missing that no package brings. */
export async function ensureInstalled({ say, find = pathOf, more = [] }: InstallOptions): Promise<void> {
  const missing = requirements(find, more)
  const hopeless = missing.filter(({ package: name }) => name === undefined)
  if (hopeless.length > 0) throw new Error(`the lab needs ${spell(hopeless)}`)
  const packages = [...new Set(missing.map(({ package: name }) => name!))]
  if (packages.length === 0) return
  const list = packages.join(' ')
  if (find('apt-get') === undefined) {
    throw new Error(`the lab needs ${spell(missing)}; there is no apt-get here: install ${list} your system's way`)
  }
  say(
    `installing ${list} with apt-get (where systemd runs, apt starts Open vSwitch as a service: the lab leaves that alone)`,
  )
  const install = () => aptGet('install', '-y', '--no-install-recommends', ...packages)
  await install().catch(async () => {
    say('apt-get did not find it: reading the package lists anew')
    await aptGet('update')
    await install()
  })
  const still = requirements(find, more)
  if (still.length > 0) throw new Error(`apt-get installed ${list}, and yet the lab needs ${spell(still)}`)
}

export type Plan = { plan(count: number, why: string): unknown; fail(why: string): unknown }

/**
 * For tests: true when a lab can be made. Else the test is skipped, loudly; in CI, where a skipped test would
 * go unnoticed, it fails. `t` is a tap test that has not planned anything yet.
 */
export function needs(t: Plan, find: Find = pathOf): boolean {
  const missing = requirements(find)
  if (missing.length === 0) return true
  const why = `not run: the lab needs ${spell(missing)}`
  if (process.env['CI']) {
    t.fail(`${why}; a skipped test is a failure in CI`)
  } else {
    console.error(why)
    t.plan(0, why)
  }
  return false
}

/** Where a command is, as the lab's own processes would find it. */
export function pathOf(command: string): string | undefined {
  const folders = (environment()['PATH'] ?? '').split(':')
  return folders.map(folder => join(folder, command)).find(isExecutable)
}

export const spell = (missing: readonly Requirement[]): string =>
  missing.map(({ need, why }) => `${need} (${why})`).join(', ')

const aptGet = (...args: string[]): Promise<string> =>
  run('apt-get', ['-q', ...args], { env: { DEBIAN_FRONTEND: 'noninteractive' }, timeout: 600_000 })

/** Root inside a container may lack CAP_SYS_ADMIN: only trying tells. */
function namespacesRefused(): string | undefined {
  if (pathOf('unshare') === undefined) return undefined
  const { status, stderr } = spawnSync('unshare', ['--net', 'true'], { encoding: 'utf8', env: environment() })
  return status === 0 ? undefined : `the kernel refuses them to this root: ${stderr.trim()}`
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
