/** Reads, makes, changes and watches this node's network devices. The core decides what is to be done. */

import { spawn } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { readAddresses, readDevices, readRoutes } from '../node/devices.ts'
import { finishing, making, type PairSteps, silencing } from '../node/pairs.ts'
import type { Machine } from '../node/underlay.ts'
import { ipBatch, run } from './command.ts'

export async function readMachine(): Promise<Machine> {
  const [devices, addresses, four, six] = await Promise.all([
    run('ip', ['-json', '-details', 'link', 'show']),
    run('ip', ['-json', 'address', 'show']),
    run('ip', ['-json', '-4', 'route', 'show']),
    // A node without IPv6.
    run('ip', ['-json', '-6', 'route', 'show']).catch(() => ''),
  ])
  return {
    devices: readDevices(devices),
    addresses: readAddresses(addresses),
    routes: [...readRoutes(four, 4), ...readRoutes(six, 6)],
  }
}

/** @param fill Whether a pod must fill in its checksums itself: userspace Open vSwitch forwards a frame as it is. */
export async function makePairs({ make, finish, adjust }: PairSteps, mtu: number, fill: boolean): Promise<void> {
  await ipBatch(making(make, mtu))
  for (const { bridgeEnd } of finish) for (const [path, value] of silencing(bridgeEnd)) await writeIfThere(path, value)
  if (fill && finish.length > 0) {
    const names = finish.map(({ unfinished }) => unfinished).join(' ')
    await run('sh', ['-ec', `for device in ${names}; do ethtool -K $device tx off >/dev/null; done`], {
      timeout: 60_000,
    })
  }
  await ipBatch([...finishing(finish), ...adjust])
}

/** Those that are gone by themselves meanwhile are no failure. */
export const removePairs = async (bridgeEnds: readonly string[]): Promise<void> => {
  if (bridgeEnds.length === 0) return
  const input = `${bridgeEnds.map(name => `link del ${name}`).join('\n')}\n`
  await run('ip', ['-force', '-batch', '-'], { input }).catch(() => {})
}

/** A kernel without IPv6 has no such settings. */
const writeIfThere = (path: string, value: string): Promise<void> =>
  writeFile(path, value).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })

export type Watch = { close(): void }

/** Calls back when a device or an address came, went or changed. Starts anew what ended. */
export function watchMachine(changed: () => void, complain: (why: string) => void): Watch {
  let closed = false
  let timer: NodeJS.Timeout | undefined
  let child: ReturnType<typeof spawn> | undefined
  const start = () => {
    child = spawn('ip', ['-oneline', 'monitor', 'link', 'address'], { stdio: ['ignore', 'pipe', 'ignore'] })
    createInterface(child.stdout!).on('line', changed)
    let over = false
    const again = (why: string) => {
      if (closed || over) return
      over = true
      complain(`ip monitor ended: ${why}`)
      // What happened meanwhile is seen by looking.
      timer = setTimeout(() => {
        start()
        changed()
      }, 1_000)
    }
    child.on('error', error => again(error.message))
    child.on('close', code => again(`exit ${code}`))
  }
  start()
  return {
    close() {
      closed = true
      clearTimeout(timer)
      child?.kill()
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
