/**
 * Whether a device computes the checksums of what it sends. A virtual device leaves them to the receiver; a receiver that
 * reads packets in userspace, as Open vSwitch does, gets them without.
 */

import type { Device } from '../node/devices.ts'
import { run } from './command.ts'

/** Drivers of virtual machines whose devices leave checksums to the host. */
const drivers = ['virtio_net', 'xen_netfront', 'vif', 'hv_netvsc', 'vmxnet3']

/** Makes this node compute the checksums of what a virtual device sends. Answers whether that was otherwise before. */
export async function computeChecksums({ name, kind }: Device): Promise<boolean> {
  const virtual =
    kind === 'veth' || kind === 'macvlan' || (kind === undefined && drivers.includes(await driverOf(name)))
  if (!virtual || !/^tx-checksumming: on/m.test(await run('ethtool', ['-k', name]).catch(() => ''))) return false
  await run('ethtool', ['-K', name, 'tx', 'off'])
  return true
}

export const leaveChecksums = (device: string): Promise<unknown> =>
  run('ethtool', ['-K', device, 'tx', 'on']).catch(() => {})

const driverOf = async (device: string): Promise<string> =>
  /^driver: (\S+)/m.exec(await run('ethtool', ['-i', device]).catch(() => ''))?.[1] ?? ''

/** The device that packets to a host leave by; undefined if none does, or the host is this one. */
export async function deviceTo(host: string): Promise<string | undefined> {
  try {
    const [route] = JSON.parse(await run('ip', ['-json', 'route', 'get', host])) as { dev?: string; type?: string }[]
    return route?.type === 'local' || route?.dev === 'lo' ? undefined : route?.dev
  } catch {
    return undefined
  }
}
