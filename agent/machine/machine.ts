/** Reads, makes, changes and watches this node's network devices. The core decides what is to be done. */

import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { type Machine, readAddresses, readDevices, readNeighbours, readRoutes, readRules } from '../node/devices.ts'
import { finishing, freshTag, making, type PairSteps, silencing, tagPath } from '../node/pairs.ts'
import { type Settings, settingNames, settingPath } from '../node/settings.ts'
import { ipBatch, run } from './command.ts'

/**
 * Addresses and routes first, devices last: what is up then was so all the while, and what it lacks its owner took away.
 */
export async function readMachine(): Promise<Machine> {
  const uptime = Math.floor(Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0]))
  const none = () => ''
  const [addresses, four, six, permanent, proxies, rules, rules6] = await Promise.all([
    run('ip', ['-json', 'address', 'show']),
    run('ip', ['-json', '-4', '-details', 'route', 'show', 'table', 'all']),
    // A node without IPv6.
    run('ip', ['-json', '-6', '-details', 'route', 'show', 'table', 'all']).catch(none),
    run('ip', ['-json', 'neighbour', 'show', 'nud', 'permanent']),
    run('ip', ['-json', 'neighbour', 'show', 'proxy']),
    // A kernel without policy routing.
    run('ip', ['-4', 'rule', 'show']).catch(none),
    run('ip', ['-6', 'rule', 'show']).catch(none),
  ])
  const devices = await run('ip', ['-json', '-details', 'link', 'show'])
  return {
    devices: readDevices(devices),
    addresses: readAddresses(addresses, uptime),
    routes: [...readRoutes(four, 4, uptime), ...readRoutes(six, 6, uptime)],
    neighbours: [...readNeighbours(permanent), ...readNeighbours(proxies)],
    rules: [...readRules(rules, 4), ...readRules(rules6, 6)],
    uptime,
  }
}

/**
 * /proc/sys is read-only in a container that is not privileged. Where the node's own is mounted beside, it shows the network namespace of
 * who looks, which is the node's.
 */
const mounted = '/host/proc/sys/net/'
const there = (path: string): string => (existsSync(mounted) ? path.replace('/proc/sys/net/', mounted) : path)

/** Those that the kernel has; empty if there is no such device. */
export function readSettings(device: string): Settings {
  const found: [string, string][] = []
  for (const name of settingNames) {
    try {
      found.push([name, readFileSync(there(settingPath(device, name)), 'utf8').trim()])
    } catch {
      // Another version of the kernel, one without IPv6, or a device that is gone.
    }
  }
  return Object.fromEntries(found)
}

/** What the kernel does not take is left as it is. */
export async function writeSettings(device: string, settings: Settings): Promise<void> {
  for (const [name, value] of Object.entries(settings))
    await writeFile(there(settingPath(device, name)), value).catch(() => {})
}

/** @param fill Whether a pod must fill in its checksums itself: userspace Open vSwitch forwards a frame as it is. */
export async function makePairs(steps: PairSteps, mark: string, mtu: number, fill: boolean): Promise<void> {
  const { finish, adjust } = steps
  await ipBatch(making(steps, mark, mtu))
  for (const { bridgeEnd, unfinished } of finish) {
    for (const [path, value] of silencing(bridgeEnd)) await writeIfThere(path, value)
    await writeIfThere(tagPath(unfinished), freshTag)
  }
  if (fill && finish.length > 0) {
    const names = finish.map(({ unfinished }) => unfinished).join(' ')
    await run('sh', ['-ec', `for device in ${names}; do ethtool -K $device tx off >/dev/null; done`], {
      timeout: 60_000,
    })
  }
  await ipBatch([...finishing(finish), ...adjust])
}

/** Whether a device is here, and was in another network namespace since it was made. */
export function hasTravelled(device: string): boolean {
  try {
    return readFileSync(there(tagPath(device)), 'utf8').trim() !== freshTag
  } catch {
    // It has just gone to a pod.
    return false
  }
}

/** Those that are gone by themselves meanwhile are no failure. */
export const removePairs = async (bridgeEnds: readonly string[]): Promise<void> => {
  if (bridgeEnds.length === 0) return
  const input = `${bridgeEnds.map(name => `link del ${name}`).join('\n')}\n`
  await run('ip', ['-force', '-batch', '-'], { input }).catch(() => {})
}

/** A kernel without IPv6 has no such settings. */
const writeIfThere = (path: string, value: string): Promise<void> =>
  writeFile(there(path), value).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })

export type Watch = { close(): void }

/** Calls back when a device, an address or a route came, went or changed. Starts anew what ended. */
export function watchMachine(
  changed: (what: 'link' | 'address' | 'route') => void,
  complain: (why: string) => void,
): Watch {
  let closed = false
  let timer: NodeJS.Timeout | undefined
  let child: ReturnType<typeof spawn> | undefined
  const start = () => {
    // It ends when we end, however we do: our end of its standard input is closed then.
    const guard = 'exec 3<&0; (cat; kill $$) <&3 >/dev/null 2>&1 &'
    const words = `${guard} exec ip -oneline monitor label link address route rule </dev/null 3<&-`
    child = spawn('sh', ['-c', words], { stdio: ['pipe', 'pipe', 'ignore'] })
    createInterface(child.stdout!).on('line', line => {
      changed(/^\[(ROUTE|RULE)\]/.test(line) ? 'route' : line.startsWith('[ADDR]') ? 'address' : 'link')
    })
    let over = false
    const again = (why: string) => {
      if (closed || over) return
      over = true
      child?.stdin?.end()
      complain(`ip monitor ended: ${why}`)
      // What happened meanwhile is seen by looking.
      timer = setTimeout(() => {
        start()
        changed('link')
      }, 1_000)
    }
    child.stdin?.on('error', () => {})
    child.on('error', error => again(error.message))
    child.on('close', code => again(`exit ${code}`))
  }
  start()
  return {
    close() {
      closed = true
      clearTimeout(timer)
      child?.stdin?.end()
    },
  }
}

/** Milliseconds that a ping waits for its answer. */
const patience = 1_000

/** Which of these addresses answer. */
export async function answering(hosts: readonly string[]): Promise<readonly string[]> {
  const answers = await Promise.all(
    hosts.map(host =>
      run('ping', ['-n', '-q', '-c', '1', '-W', String(patience / 1000), host], { timeout: 3_000 }).then(
        () => [host],
        () => [],
      ),
    ),
  )
  return answers.flat()
}

/**
 * Whether the kernel has a datapath for Open vSwitch, found by making one. Only where ovs-vswitchd would use it.
 * @param offered `datapath_types` of the database.
 */
export async function kernelDatapath(offered: readonly string[]): Promise<boolean> {
  if (!offered.includes('system')) return false
  // In a container there may be no modules to load, and yet the datapath is there.
  await run('modprobe', ['openvswitch']).catch(() => {})
  try {
    await run('ovs-dpctl', ['add-dp', 'l2sm-try'])
    await run('ovs-dpctl', ['del-dp', 'l2sm-try'])
    return true
  } catch {
    return false
  }
}
