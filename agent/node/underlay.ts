/**
 * The network below the links. With the kernel's datapath there is nothing to do. In userspace Open vSwitch sends VXLAN out
 * only through a bridge of the same kind that has the node's address: `br-phy`, with the node's device as a port. Pure.
 *
 *   before:  eth0 192.0.2.1           after:  eth0 ── br-phy 192.0.2.1
 *
 * The bridge gets the device's MAC address, so that the network sees no change; the device gets another one, or the kernel
 * would take in each frame for the node twice. `br-phy` lives and dies with ovs-vswitchd: while that is away, addresses and
 * routes are on the device again.
 */

import { canonicalAddress, unusableAddress } from '../../api/contract/addresses.ts'
import type { NodePlan } from '../../api/contract/node-schemas.ts'
import type { Database } from '../ovsdb/schema.ts'
import { bridgeNamed, deviceNote, portsOf, type WantedBridge } from '../switch/desired.ts'
import type { Device, Machine } from './devices.ts'
import { physical, type UplinkRecord } from './record.ts'

/** In `external_ids` of br-phy: a copy of the record. */
export const recordNote = 'l2sm-underlay'

export type Underlay =
  /** `device` has the address, and that is enough. */
  | { readonly is: 'plain'; readonly device: string; readonly mtu: number }
  /** The device's addresses belong on br-phy. `record` is there if that device has been taken already. */
  | { readonly is: 'bridged'; readonly device: string; readonly record: UplinkRecord | undefined; readonly mtu: number }
  /** `device`: the one that was taken, and that has to be given back. */
  | { readonly is: 'missing'; readonly why: string; readonly record: UplinkRecord | undefined }

/** Where the planned address is, or should be. */
export function underlay(
  address: string,
  inUserspace: boolean,
  machine: Machine,
  database: Database,
  record: UplinkRecord | undefined,
): Underlay {
  const { devices } = machine
  const unusable = unusableAddress(address)
  if (unusable !== undefined) return { is: 'missing', why: unusable, record }
  const holders = machine.addresses.flatMap(one => (isAddress(one.address, address) ? [one.device] : []))
  const taken = inUserspace && record && devices.get(record.device)
  if (taken && holders.some(name => name === physical || name === record.device))
    return { is: 'bridged', device: taken.name, record, mtu: taken.mtu }
  // Being moved, it may be nowhere for a moment.
  if (taken && record.at === undefined && record.addresses.some(one => isAddress(one.address, address)))
    return { is: 'bridged', device: taken.name, record, mtu: taken.mtu }
  // br-phy without a device below leads nowhere.
  const [holder] = holders.filter(name => name !== physical || !record)
  const device = devices.get(holder ?? '')
  if (!device && record && !devices.has(record.device))
    return {
      is: 'missing',
      why: `device ${record.device}, which ${physical} was made for, does not exist any more`,
      record,
    }
  if (!device) return { is: 'missing', why: noDevice(address, machine), record }
  const { name, mtu } = device
  if (!inUserspace || bridgeNamed(database, name)?.datapath_type === 'netdev') return { is: 'plain', device: name, mtu }
  const why = unusableDevice(device, database)
  if (why !== undefined) return { is: 'missing', why: `${address} is on ${name}, ${why}`, record }
  return { is: 'bridged', device: name, record: record?.device === name ? record : undefined, mtu }
}

const isAddress = (withLength: string, address: string): boolean =>
  canonicalAddress(withLength.split('/')[0]!) === canonicalAddress(address)

const noDevice = (address: string, { addresses }: Machine): string => {
  const own = addresses.filter(({ scope }) => scope === 'global').map(one => `${one.address} on ${one.device}`)
  const has = own.length === 0 ? 'it has none' : `it has ${own.slice(0, 5).join(', ')}`
  return (
    `no device of this node has the declared address ${address} (${has}): ` +
    'give it to a device, or declare the node with an address that it has'
  )
}

/** Kinds of devices (`ip -details link`) that lead out of the node and carry any Ethernet frame. A physical one has no kind. */
const uplinks: readonly (string | undefined)[] = [undefined, 'veth', 'bond', 'team', 'vlan', 'macvlan', 'netdevsim']

/** Why a device can not become a port of br-phy; undefined if it can. */
export function unusableDevice(device: Device, database: Database): string | undefined {
  const { name, kind, master, loopback, ethernet } = device
  const instead = 'give the address to the device that leads to the other nodes'
  if (loopback) return `the loopback device: ${instead}`
  if (!ethernet) return `which is no Ethernet device: ${instead}`
  if (master !== undefined) return `which is a port of ${master}, so that ${master} takes its frames: ${instead}`
  if (!uplinks.includes(kind)) return `a device of kind ${kind}, which can not be the uplink of a switch: ${instead}`
  const other = [...database.Bridge.values()].find(
    bridge => bridge.name !== physical && portsOf(database, bridge.name).some(({ port }) => port.name === name),
  )
  return other && `which is a port of bridge ${other.name} of Open vSwitch: ${instead}`
}

export const physicalBridge = (record: UplinkRecord, devices: ReadonlyMap<string, Device>): WantedBridge => ({
  ...{ name: physical, datapath: 'netdev', failMode: 'standalone', protocols: [], controllers: [] },
  config: { hwaddr: record.mac, 'disable-in-band': 'true' },
  notes: { [recordNote]: JSON.stringify(record) },
  silent: [recordNote],
  ports: [
    {
      ...{ name: record.device, type: '', options: {}, bfd: {}, number: 1 },
      notes: { [deviceNote]: String(devices.get(record.device)?.index) },
    },
  ],
})

/** Bytes that VXLAN adds to the payload of an Ethernet frame: inner Ethernet, VXLAN, UDP, and IPv4 or IPv6. */
export const encapsulation = (address: string): number => 14 + 8 + 8 + (address.includes(':') ? 40 : 20)

/** Where the declared network and the real one differ so that frames are lost, and what to do. */
export function contradictions({ underlay: { address, mtu }, links }: NodePlan, below: Underlay): string[] {
  const faults: string[] = []
  if (mtu !== undefined && below.is !== 'missing' && mtu > below.mtu)
    faults.push(
      `the declared MTU ${mtu} is above that of ${below.device}, ${below.mtu}: longer frames are lost. ` +
        `Declare "mtu": ${below.mtu}, or raise that of ${below.device} and of all that lies between the nodes`,
    )
  const six = (text: string) => text.includes(':')
  for (const { peer, remote } of links) {
    if (canonicalAddress(remote) === canonicalAddress(address))
      faults.push(`node ${peer} is declared with the address of this node, ${address}: declare it with its own`)
    else if (six(remote) !== six(address))
      faults.push(
        `no link can lead from ${address} to ${remote} of node ${peer}: declare both with IPv4 or both with IPv6`,
      )
  }
  return faults.slice(0, 10)
}
