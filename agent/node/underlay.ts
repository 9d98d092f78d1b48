/**
 * The network below the links. With the kernel's datapath there is nothing to do. In userspace Open vSwitch sends VXLAN out
 * only through a bridge of the same kind that has the node's address: `br-phy`, with the node's device as a port. Pure.
 *
 *   before:  eth0 192.0.2.1           after:  eth0 ── br-phy 192.0.2.1
 *
 * The bridge gets the device's MAC address, so that the network sees no change; the device gets another one, or the kernel
 * would take in each frame for the node twice. `br-phy` lives and dies with ovs-vswitchd: while it is away, addresses and
 * routes are on the device again.
 */

import { createHash } from 'node:crypto'
import type { Database } from '../ovsdb/schema.ts'
import { bridgeNamed, deviceNote, mark, type WantedBridge } from '../switch/desired.ts'
import type { Address, Device, Route } from './devices.ts'

export const physical = 'br-phy'
/** In `external_ids` of br-phy: what the device had. It outlives the agent, and is what is put back in the end. */
export const savedNote = 'l2sm-underlay'

export type Saved = {
  readonly device: string
  readonly mac: string
  readonly addresses: readonly string[]
  readonly routes: readonly Route[]
}

export type Underlay =
  /** `device` has the address, and that is enough. */
  | { readonly is: 'plain'; readonly device: string; readonly mtu: number }
  | { readonly is: 'bridged'; readonly saved: Saved; readonly mtu: number }
  | { readonly is: 'missing'; readonly why: string }

export type Machine = {
  readonly devices: ReadonlyMap<string, Device>
  readonly addresses: readonly Address[]
  readonly routes: readonly Route[]
}

/** @param remembered What the agent knows of br-phy's making, should somebody have deleted it with all that its row said. */
export function underlay(
  address: string,
  inUserspace: boolean,
  { devices, addresses, routes }: Machine,
  database: Database,
  owner: string,
  remembered?: Saved,
): Underlay {
  const saved = inUserspace ? (savedIn(database, owner) ?? remembered) : undefined
  // What was saved counts as long as it is about this address.
  if (saved?.addresses.some(one => one.split('/')[0] === address)) {
    const device = devices.get(saved.device)
    if (device) return { is: 'bridged', saved, mtu: device.mtu }
    return { is: 'missing', why: `device ${saved.device}, which ${physical} was made for, is not there any more` }
  }
  const found = addresses.find(one => one.address.split('/')[0] === address)
  const device = devices.get(found?.device ?? '')
  if (!device) return { is: 'missing', why: `no device of this node has the planned address ${address}` }
  const { name, mtu } = device
  if (!inUserspace || bridgeNamed(database, name)?.datapath_type === 'netdev') return { is: 'plain', device: name, mtu }
  const own = addresses.filter(one => one.device === name).map(one => one.address)
  // A gateway may be reached by a route of its own.
  const along = routes.filter(route => route.device === name).toSorted((a, b) => Number(!!a.via) - Number(!!b.via))
  const mac = saved && device.mac === aside(saved.mac) ? saved.mac : device.mac
  return { is: 'bridged', mtu, saved: { device: name, mac, addresses: own, routes: along } }
}

/** What br-phy was made from, if it is there and ours. */
export function savedIn(database: Database, owner: string): Saved | undefined {
  const bridge = bridgeNamed(database, physical)
  const text = bridge?.external_ids[mark] === owner ? bridge.external_ids[savedNote] : undefined
  return text === undefined ? undefined : (JSON.parse(text) as Saved)
}

export const physicalBridge = (saved: Saved, devices: ReadonlyMap<string, Device>): WantedBridge => ({
  ...{ name: physical, datapath: 'netdev', failMode: 'standalone', protocols: [], controllers: [] },
  config: { hwaddr: saved.mac, 'disable-in-band': 'true' },
  notes: { [savedNote]: JSON.stringify(saved) },
  ports: [
    {
      ...{ name: saved.device, type: '', options: {}, bfd: {}, number: 1 },
      notes: { [deviceNote]: String(devices.get(saved.device)?.index) },
    },
  ],
})

/**
 * What puts addresses, routes and MAC where they belong; nothing if they are there: for `ip -batch`.
 * @param place The device, or `br-phy`. One that is not there yet gets nothing.
 */
export function placement(
  saved: Saved,
  place: string,
  { devices, addresses }: Pick<Machine, 'devices' | 'addresses'>,
): string[] {
  const here = devices.get(place)
  const device = devices.get(saved.device)
  if (!here || !device) return []
  const other = place === physical ? saved.device : physical
  const has = (name: string, address: string) => addresses.some(a => a.device === name && a.address === address)
  const mac = place === physical ? aside(saved.mac) : saved.mac
  const misplaced = saved.addresses.filter(address => has(other, address))
  const missing = saved.addresses.filter(address => !has(place, address))
  return [
    ...(device.mac === mac ? [] : [`link set ${saved.device} address ${mac}`]),
    ...(here.up ? [] : [`link set ${place} up`]),
    ...misplaced.map(address => `addr del ${address} dev ${other}`),
    ...missing.map(address => `addr add ${address} dev ${place}${address.includes(':') ? ' nodad' : ''}`),
    // They went with the addresses.
    ...(missing.length > 0 ? saved.routes.map(route => `route replace ${spell(route, place)}`) : []),
  ]
}

const spell = ({ to, family, via, from, metric, onlink }: Route, device: string): string =>
  [
    to === 'default' ? (family === 4 ? '0.0.0.0/0' : '::/0') : to,
    ...(via === undefined ? [] : ['via', via]),
    'dev',
    device,
    ...(from === undefined ? [] : ['src', from]),
    ...(metric === undefined ? [] : ['metric', metric]),
    ...(onlink ? ['onlink'] : []),
  ].join(' ')

/** Another address for the same device: locally administered, unicast, and always the same. */
export function aside(mac: string): string {
  const bytes = createHash('sha256').update(mac).digest().subarray(0, 6)
  bytes[0] = (bytes[0]! & 0xfc) | 0x02
  return [...bytes].map(byte => byte.toString(16).padStart(2, '0')).join(':')
}

/** Bytes that VXLAN adds to the payload of an Ethernet frame: inner Ethernet, VXLAN, UDP, and IPv4 or IPv6. */
export const encapsulation = (address: string): number => 14 + 8 + 8 + (address.includes(':') ? 40 : 20)
