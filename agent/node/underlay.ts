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

import type { Database } from '../ovsdb/schema.ts'
import { bridgeNamed, deviceNote, portsOf, type WantedBridge } from '../switch/desired.ts'
import type { Device, Machine } from './devices.ts'
import { canonical, physical, type UplinkRecord } from './record.ts'

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
  const device = devices.get(holders[0] ?? '')
  if (!device) return { is: 'missing', why: noDevice(address, machine), record }
  const { name, mtu } = device
  if (!inUserspace || bridgeNamed(database, name)?.datapath_type === 'netdev') return { is: 'plain', device: name, mtu }
  const why = unusableDevice(device, database)
  if (why !== undefined) return { is: 'missing', why: `${address} is on ${name}, ${why}`, record }
  return { is: 'bridged', device: name, record: record?.device === name ? record : undefined, mtu }
}

const isAddress = (withLength: string, address: string): boolean =>
  canonical(withLength.split('/')[0]!) === canonical(address)

const noDevice = (address: string, { addresses }: Machine): string => {
  const own = addresses.filter(({ scope }) => scope === 'global').map(one => `${one.address} on ${one.device}`)
  const has = own.length === 0 ? 'it has none' : `it has ${own.slice(0, 5).join(', ')}`
  return (
    `no device of this node has the declared address ${address} (${has}): ` +
    'give it to a device, or declare the node with an address that it has'
  )
}

/** Why no other node can reach this one at an address; undefined if it may. */
export const unusableAddress = (address: string): string | undefined => {
  const plain = canonical(address)
  const declare = 'declare the node with the address at which other nodes reach it'
  if (/^127\./.test(plain) || plain === '::1')
    return `${address} is a loopback address, which no other node reaches: ${declare}`
  if (/^fe[89ab]/.test(plain) || /^169\.254\./.test(plain))
    return `${address} is a link-local address, which means another machine on each link: ${declare}`
  if (/^(0\.|22[4-9]\.|23\d\.|24\d\.|25\d\.|ff)/.test(plain) || plain === '::')
    return `${address} is not the address of one machine: ${declare}`
  return undefined
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
