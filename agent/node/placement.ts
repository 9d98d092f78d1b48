/** The commands that put addresses, routes, settings and MAC where they belong. Pure. */

import type { Machine, OwnAddress, OwnNeighbour, OwnRoute } from './devices.ts'
import { aside, linkLocal, physical, routeKey, type UplinkRecord } from './record.ts'
import { type Settings, settingsBelow } from './settings.ts'

export type Placement = {
  /** To be written first, by device. */
  readonly settings: readonly (readonly [device: string, settings: Settings])[]
  /** For `ip -batch`. Empty, and the others too: all is where it belongs. */
  readonly lines: readonly string[]
  /** For `ip -6 -batch`: a rule does not tell its family. */
  readonly rules6: readonly string[]
}

const nothing: Placement = { settings: [], lines: [], rules6: [] }

/**
 * First everything comes to the place, then it goes from where it was: the node always has its address.
 * @param place The device, or `br-phy`. One that does not exist gets nothing.
 */
export function placement(record: UplinkRecord, place: string, machine: Machine): Placement {
  const { devices } = machine
  const here = devices.get(place)
  const device = devices.get(record.device)
  if (!here || !device) return nothing
  const other = place === physical ? record.device : physical
  const mac = place === physical ? aside(record.mac) : record.mac
  const lines = [
    ...(device.mac === mac ? [] : [`link set ${record.device} address ${mac}`]),
    ...(here.up ? [] : [`link set ${place} up`]),
  ]
  if (record.at?.device === place && record.at.index === here.index)
    return {
      settings: place === physical ? [[record.device, settingsBelow(record.settings)]] : [],
      lines: [...lines, ...strays(record, place, other, machine)],
      rules6: [],
    }
  const settings: Placement['settings'] =
    place === physical
      ? [
          [physical, record.settings],
          [record.device, settingsBelow(record.settings)],
        ]
      : [[record.device, record.settings]]
  const [rules, rules6] = ([4, 6] as const).map(family => moveRules(record, place, other, machine, family))
  return {
    ...{ settings, rules6: rules6! },
    lines: [...lines, ...bring(record, place, machine), ...rules!, ...clear(record, other, machine)],
  }
}

/** Rules name a device whether it exists or not: those of the other place go though that is gone. */
function moveRules(record: UplinkRecord, place: string, other: string, { rules }: Machine, family: 4 | 6): string[] {
  const of = (device: string) =>
    rules.flatMap(rule => (rule.device === device && rule.family === family ? [rule.words.join(' ')] : []))
  const wanted = record.rules.flatMap(rule => (rule.family === family ? [rule.words.join(' ')] : []))
  const [here, there] = [of(place), of(other)]
  const spell = (act: string, words: string, device: string) => `rule ${act} ${words.replaceAll('*', device)}`
  return [
    ...wanted.filter(words => !here.includes(words)).map(words => spell('add', words, place)),
    ...there.filter(words => wanted.includes(words)).map(words => spell('del', words, other)),
  ]
}

/** Brings what is not there. The kernel makes br-phy's link-local address itself: it asks for routers then. */
function bring(record: UplinkRecord, place: string, machine: Machine): string[] {
  const has = new Set(machine.addresses.flatMap(one => (one.device === place ? [one.address] : [])))
  const own = new Set(machine.routes.flatMap(({ device, ...route }) => (device === place ? [routeKey(route)] : [])))
  const made = place === physical && record.settings['ipv6/addr_gen_mode'] === '0' ? `${linkLocal(record.mac)}/` : ' '
  const addresses = record.addresses.filter(({ address }) => !has.has(address) && !address.startsWith(made))
  const routes = record.routes.filter(route => !own.has(routeKey(route)))
  const known = new Set(
    machine.neighbours.flatMap(({ device, ...one }) => (device === place ? [neighbourKey(one)] : [])),
  )
  const neighbours = record.neighbours.filter(one => !known.has(neighbourKey(one)))
  return [
    ...addresses.flatMap(address => spellAddress(address, place, machine.uptime)),
    ...routes.flatMap(route => spellRoute(route, place, machine.uptime)),
    ...neighbours.map(({ to, mac, proxy }) =>
      proxy
        ? `neighbour add proxy ${to} dev ${place}`
        : `neighbour replace ${to} lladdr ${mac} dev ${place} nud permanent`,
    ),
  ]
}

const neighbourKey = ({ to, mac, proxy }: OwnNeighbour): string => `${to} ${mac} ${proxy}`

/** A first address of a subnet takes the others with it when it goes: the last ones go first. */
const clear = (record: UplinkRecord, other: string, machine: Machine): string[] => {
  const { addresses, routes, neighbours, devices } = machine
  if (!devices.has(other)) return []
  const known = new Set(record.addresses.map(({ address }) => address))
  const keys = new Set(record.routes.map(routeKey))
  const spelled = routes.flatMap(({ device, ...route }) =>
    device === other && keys.has(routeKey(route)) && route.family === 6
      ? [`route del ${routeWords(route, other)}`]
      : [],
  )
  // The kernel forgets the neighbours of a device that gets another MAC address, and so does this very batch.
  const isFlushed = other === record.device && devices.get(other)?.mac !== aside(record.mac)
  const entered = new Set(record.neighbours.filter(({ proxy }) => proxy || !isFlushed).map(neighbourKey))
  return [
    ...spelled,
    ...neighbours.flatMap(({ device, ...one }) =>
      device === other && entered.has(neighbourKey(one))
        ? [`neighbour del ${one.proxy ? 'proxy ' : ''}${one.to} dev ${other}`]
        : [],
    ),
    ...addresses
      .filter(({ device, address }) => device === other && known.has(address))
      .toReversed()
      .map(({ address, peer }) => `addr del ${spellPlace(address, peer)} dev ${other}`),
  ]
}

/** What is here and there is only needed here: whoever renews an address on the device gets it back on br-phy. */
function strays(record: UplinkRecord, place: string, other: string, machine: Machine): string[] {
  if (place !== physical) return []
  const here = new Set(record.addresses.map(({ address }) => address))
  const twice = machine.addresses.filter(({ device, address }) => device === other && here.has(address))
  const renewed = twice.filter(({ validUntil }) => validUntil !== undefined)
  return [
    ...renewed.flatMap(({ device: _, label: _l, ...address }) => spellAddress(address, place, machine.uptime)),
    ...twice.toReversed().map(({ address, peer }) => `addr del ${spellPlace(address, peer)} dev ${other}`),
  ]
}

const spellPlace = (address: string, peer: string | undefined): string => {
  const [local, length] = address.split('/')
  return peer === undefined ? address : `${local} peer ${peer}/${length}`
}

/** None, if its time is over. */
function spellAddress(address: OwnAddress, device: string, uptime: number): string[] {
  const { broadcast, scope, label, metric, flags = [], validUntil, preferredUntil } = address
  if (validUntil !== undefined && validUntil <= uptime) return []
  const six = address.address.includes(':')
  // An address that the node had a moment ago is nobody else's; but the search for routers waits for that question.
  const nodad = six && scope !== 'link' ? ['nodad'] : []
  const left = (until: number | undefined) => (until === undefined ? 'forever' : String(Math.max(0, until - uptime)))
  const words = [
    spellPlace(address.address, address.peer),
    ...(broadcast === undefined ? [] : ['broadcast', broadcast]),
    ...(six ? [] : ['scope', scope]),
    ...(label === undefined ? [] : ['label', label.replace('*', device)]),
    ...(metric === undefined ? [] : ['metric', String(metric)]),
    ...['dev', device, ...flags, ...nodad],
    ...(validUntil === undefined && preferredUntil === undefined
      ? []
      : ['valid_lft', left(validUntil), 'preferred_lft', left(preferredUntil)]),
  ]
  return [`addr replace ${words.join(' ')}`]
}

/** None, if its time is over. */
function spellRoute(route: OwnRoute, device: string, uptime: number): string[] {
  const { expires } = route
  if (expires !== undefined && expires <= uptime) return []
  const time = expires === undefined ? '' : ` expires ${expires - uptime}`
  return [`route replace ${routeWords(route, device)}${time}`]
}

const routeWords = (route: OwnRoute, device: string): string => {
  const { to, family, table, protocol, tos, via, from, scope, metric, onlink, pref, metrics, hops } = route
  const option = (name: string, value: string | number | undefined) =>
    value === undefined ? [] : [name, String(value)]
  return [
    to === 'default' ? (family === 4 ? '0.0.0.0/0' : '::/0') : to,
    ...option('tos', tos),
    ...(hops === undefined ? [...option('via', via), 'dev', device] : []),
    ...[...option('table', table), ...option('proto', protocol), ...option('scope', scope)],
    ...[...option('src', from), ...option('metric', metric), ...(onlink ? ['onlink'] : []), ...option('pref', pref)],
    ...Object.entries(metrics ?? {}).flatMap(([name, value]) => [name, String(value)]),
    ...(hops ?? []).flatMap(hop => [
      ...['nexthop', ...option('via', hop.via), 'dev', hop.device ?? device, 'weight', String(hop.weight)],
    ]),
  ].join(' ')
}
