/**
 * What the node's network is like without br-phy: what has to be put back when br-phy goes. It belongs to the node's owner,
 * and follows what the owner does, wherever the addresses are at the moment. It outlives the agent in two places: in
 * `external_ids` of br-phy's row, and in a file of the agent. Pure.
 */

import { createHash } from 'node:crypto'
import { canonicalAddress } from '../../api/contract/addresses.ts'
import {
  type Address,
  isChosen,
  type Machine,
  type OwnAddress,
  type OwnNeighbour,
  type OwnRoute,
  type OwnRule,
} from './devices.ts'
import type { Settings } from './settings.ts'

export const physical = 'br-phy'

export type UplinkRecord = {
  readonly format: 1
  /** Counts up: of two copies the one with the higher number is newer. */
  readonly serial: number
  readonly node: string
  /** After a restart of the machine, or in another network namespace, nothing of a record holds any more. */
  readonly boot: string
  readonly namespace: string
  readonly device: string
  /** The device's own MAC address; br-phy has it meanwhile. */
  readonly mac: string
  /** Where all of it is. Absent while it is being moved. */
  readonly at?: { readonly device: string; readonly index: number }
  readonly addresses: readonly OwnAddress[]
  readonly routes: readonly OwnRoute[]
  readonly neighbours: readonly OwnNeighbour[]
  readonly rules: readonly OwnRule[]
  readonly settings: Settings
  /** Whether the device computed checksums in hardware, before the agent switched that off. */
  readonly checksums?: 'hardware'
}

/** Settings of devices, by device. */
export type SettingsOf = ReadonlyMap<string, Settings>

/** What identifies this machine, and this network namespace. */
export type Here = { readonly boot: string; readonly namespace: string; readonly node: string }

/** Seconds that a time may differ between two looks: the kernel counts in whole ones. */
const tolerance = 5

/** A record of a device as it is now. */
export function recordOf(device: string, machine: Machine, settings: SettingsOf, here: Here): UplinkRecord {
  const { mac, index } = machine.devices.get(device)!
  return {
    ...{ format: 1, serial: 1, boot: here.boot, namespace: here.namespace, node: here.node },
    ...{ device, mac, at: { device, index } },
    ...{ addresses: addressesOn(device, machine), routes: routesOn(device, machine) },
    ...{ neighbours: namedBy(device, machine.neighbours), rules: namedBy(device, machine.rules) },
    settings: settings.get(device) ?? {},
  }
}

/**
 * The record after what the owner did meanwhile; the same object if that was nothing.
 * - A device that has another name now is still that device.
 * - A device with a MAC address that is neither its own nor the one that the agent gave it was replaced.
 * - Where all of it is, is what the owner wants: what came, went or changed there is followed.
 * - If that device is gone, the record stands, and what the node's device has besides is added.
 */
export function refreshed(before: UplinkRecord, machine: Machine, settings: SettingsOf): UplinkRecord {
  const record = renamed(before, machine)
  const device = machine.devices.get(record.device)
  const mac = device && device.mac !== aside(record.mac) ? device.mac : record.mac
  const at = record.at && machine.devices.get(record.at.device)
  const here = at !== undefined && at.index === record.at?.index
  // What is down has lost its routes, and its IPv6 addresses: nobody took them away.
  if (here && !at.up) return renew(record, { mac })
  if (here)
    return renew(record, {
      mac,
      addresses: steady(record.addresses, addressesOn(at.name, machine), mac),
      routes: steadyRoutes(record.routes, routesOn(at.name, machine)),
      ...{ neighbours: namedBy(at.name, machine.neighbours), rules: namedBy(at.name, machine.rules) },
      settings: { ...record.settings, ...settings.get(at.name) },
    })
  // br-phy is gone, and the device is not as the agent left it: it was made anew, and has what its owner gave it.
  if (record.at && device && device.mac === mac && addressesOn(device.name, machine).some(isGlobal))
    return { ...recordOf(device.name, machine, settings, record), serial: record.serial + 1 }
  const { at: _, ...moving } = record
  const found = device ? addressesOn(device.name, machine) : []
  const more = found.filter(one => !record.addresses.some(known => known.address === one.address))
  const kept = more.filter(({ address }) => !address.startsWith(`${linkLocal(aside(record.mac))}/`))
  return renew(moving, { mac, addresses: [...record.addresses, ...kept.map(one => rename(one, device!.name))] })
}

/** A device that has another name now is known by the MAC address that the agent gave it. */
function renamed(record: UplinkRecord, { devices }: Machine): UplinkRecord {
  if (devices.has(record.device)) return record
  const now = [...devices.values()].find(({ mac, kind }) => mac === aside(record.mac) && kind !== 'tun')
  return now ? renew(record, { device: now.name }) : record
}

const renew = (record: UplinkRecord, change: Partial<UplinkRecord>): UplinkRecord => {
  const next = { ...record, ...change }
  return JSON.stringify(next) === JSON.stringify(record) ? record : { ...next, serial: record.serial + 1 }
}

const isGlobal = ({ scope }: OwnAddress): boolean => scope === 'global'

const addressesOn = (device: string, { addresses }: Machine): OwnAddress[] =>
  addresses.flatMap(({ device: on, ...address }) => (on === device ? [rename(address, device)] : []))

/** Labels begin with the name of the device: `*:1` is `eth0:1` on eth0, and none if it is the name itself. */
const rename = ({ label, ...address }: OwnAddress, device: string): OwnAddress => {
  const rest = label?.startsWith(`${device}:`) ? label.slice(device.length) : undefined
  return { ...address, ...(rest !== undefined && { label: `*${rest}` }) }
}

/** A gateway may be reached by a route of its own: those without a gateway come first. */
const routesOn = (device: string, machine: Machine): OwnRoute[] =>
  machine.routes
    .filter(route => route.device === device && isChosen(route, machine.addresses))
    .map(({ device: _, ...route }) => route)
    .toSorted((a, b) => Number(!!(a.via ?? a.hops)) - Number(!!(b.via ?? b.hops)))

/** Neighbours and rules of a device, without its name. */
const namedBy = <T>(device: string, all: readonly (T & { readonly device: string })[]): T[] =>
  all.filter(one => one.device === device).map(({ device: _, ...one }) => one as T)

/** Times that are the same but for a rounding are kept, so that nothing is written while nothing happens. */
const steady = (before: readonly OwnAddress[], now: readonly OwnAddress[], mac: string): OwnAddress[] =>
  now
    .filter(({ address }) => !address.startsWith(`${linkLocal(aside(mac))}/`))
    .map(address => {
      const old = before.find(one => one.address === address.address)
      return {
        ...address,
        ...about('validUntil', old?.validUntil, address.validUntil),
        ...about('preferredUntil', old?.preferredUntil, address.preferredUntil),
      }
    })

const steadyRoutes = (before: readonly OwnRoute[], now: readonly OwnRoute[]): OwnRoute[] =>
  now.map(route => {
    const old = before.find(one => routeKey(one) === routeKey(route))
    return { ...route, ...about('expires', old?.expires, route.expires) }
  })

const about = (name: string, before: number | undefined, now: number | undefined) =>
  before !== undefined && now !== undefined && Math.abs(before - now) <= tolerance ? { [name]: before } : {}

/** Two routes with the same key are one route. */
export const routeKey = ({ expires: _, ...route }: OwnRoute): string => JSON.stringify(Object.entries(route).toSorted())

/** Another address for the same device: locally administered, unicast, and always the same. */
export function aside(mac: string): string {
  const bytes = createHash('sha256').update(mac).digest().subarray(0, 6)
  bytes[0] = (bytes[0]! & 0xfc) | 0x02
  return [...bytes].map(byte => byte.toString(16).padStart(2, '0')).join(':')
}

/** The address that the kernel makes of a MAC address (RFC 4291 appendix A), without its prefix length. */
export function linkLocal(mac: string): string {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = mac.split(':').map(octet => Number.parseInt(octet, 16))
  const words = [((a ^ 2) << 8) | b, (c << 8) | 0xff, 0xfe00 | d, (e << 8) | f]
  return canonicalAddress(`fe80::${words.map(word => word.toString(16)).join(':')}`)
}

/**
 * A record for a node whose record is lost: br-phy has the addresses, and the device below is the one with the MAC address
 * that the agent makes of br-phy's.
 */
export function reconstruct(machine: Machine, settings: SettingsOf, here: Here): UplinkRecord | undefined {
  const bridge = machine.devices.get(physical)
  if (bridge?.kind !== 'tun' || !machine.addresses.some(isOwn(physical))) return undefined
  const below = [...machine.devices.values()].find(({ mac, kind }) => mac === aside(bridge.mac) && kind !== 'tun')
  if (!below) return undefined
  const found = recordOf(physical, machine, settings, here)
  return { ...found, device: below.name, mac: bridge.mac }
}

const isOwn =
  (device: string) =>
  ({ device: on, scope }: Address) =>
    on === device && scope === 'global'

/** Reads a record that was kept; undefined if it is none, or of another machine, namespace or node. */
export function parseRecord(text: string, here: Here): UplinkRecord | undefined {
  try {
    const read = JSON.parse(text)
    // A record of an older agent knows neither. What is there keeps its place: else it would be written again.
    const value: UplinkRecord = { ...read, neighbours: read.neighbours ?? [], rules: read.rules ?? [] }
    const holds = value.boot === here.boot && value.namespace === here.namespace && value.node === here.node
    return holds && isRecord(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** What it holds becomes words of commands: no text has a space or the end of a line in it. */
const isRecord = (value: UplinkRecord): boolean =>
  value.format === 1 &&
  Number.isInteger(value.serial) &&
  /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(value.mac) &&
  [value.device, ...(value.at ? [value.at.device] : [])].every(name => /^[^/\s]{1,15}$/.test(name)) &&
  [value.addresses, value.routes, value.neighbours, value.rules].every(Array.isArray) &&
  value.rules.every(({ words }) => Array.isArray(words)) &&
  value.addresses.every(({ address }) => /^[0-9a-f:.]+\/\d+$/.test(address)) &&
  words(value).every(word => /^(inet6 )?[^\s]*$/.test(word))

const words = (value: unknown): string[] =>
  typeof value === 'string'
    ? [value]
    : typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([key, field]) => [key, ...words(field)])
      : []
