/** Moves the node's addresses between its device and br-phy, without cutting the node off. */

import { setTimeout as sleep } from 'node:timers/promises'
import { canonicalAddress } from '../../api/contract/addresses.ts'
import type { NodePlan } from '../../api/contract/node-schemas.ts'
import type { Machine } from '../node/devices.ts'
import { placement } from '../node/placement.ts'
import { physical, routeKey, type UplinkRecord } from '../node/record.ts'
import { type Settings, settingsToWrite } from '../node/settings.ts'
import { placeOf } from '../switch/target.ts'
import { ipBatch, run } from './command.ts'
import { answering, readMachine, readSettings, writeSettings } from './machine.ts'
import { answeringTcp, type TcpPlace } from './tcp.ts'

export type Moved =
  | { readonly is: 'nothing to do' }
  /** `but`: what could not be done. */
  | { readonly is: 'moved'; readonly but?: string }
  /** It does not work there, for this reason. The caller moves everything back. */
  | { readonly is: 'useless'; readonly why: string }

/** Who can tell whether this node is still connected. */
export type Witnesses = { readonly hosts: readonly string[]; readonly tcp: readonly TcpPlace[] }

/** @param say Called with what will be done. */
export async function moveAddresses(
  record: UplinkRecord,
  place: string,
  machine: Machine,
  witnesses: Witnesses,
  say: (commands: readonly string[]) => void,
): Promise<Moved> {
  const { lines, rules6, settings } = placement(record, place, machine)
  const writes = settings.flatMap(([device, wanted]) => {
    const write = settingsToWrite(wanted, readSettings(device))
    return Object.keys(write).length > 0 ? [[device, write] as const] : []
  })
  if (lines.length + rules6.length + writes.length === 0) return { is: 'nothing to do' }
  const before = await present(witnesses)
  say([...writes.flatMap(spelled), ...lines, ...rules6.map(line => `-6 ${line}`)])
  for (const [device, write] of writes) await writeSettings(device, write)
  // All that can be done is: a node with its address and without a route is better off than without both.
  const failed = [await ipBatch(lines, 'force').catch(messageOf), await ipBatch(rules6, 'force', 6).catch(messageOf)]
  const but = failed.find(message => message !== undefined)
  const other = place === physical ? record.device : physical
  await run('ip', ['-6', 'route', 'flush', 'dev', other, 'proto', 'ra']).catch(() => {})
  const lost = missing(record, place, await readMachine())
  const why =
    lost === undefined ? await silence(before) : `${lost} could not be set${but === undefined ? '' : `: ${but}`}`
  if (why !== undefined) return { is: 'useless', why }
  return { is: 'moved', ...(typeof but === 'string' && { but }) }
}

const spelled = ([device, settings]: readonly [string, Settings]): string[] =>
  Object.entries(settings).map(([name, value]) => `${device} ${name}=${value}`)

const messageOf = ({ message }: Error): string => message

/** The first address or route that the place has not got. */
function missing({ addresses, routes }: UplinkRecord, place: string, machine: Machine): string | undefined {
  const has = machine.addresses.filter(({ device }) => device === place).map(({ address }) => address)
  const own = machine.routes.flatMap(({ device, ...route }) => (device === place ? [routeKey(route)] : []))
  const passing = (until: number | undefined) => until !== undefined && until <= machine.uptime + 2
  const address = addresses.find(
    ({ address, scope, validUntil }) => scope === 'global' && !passing(validUntil) && !has.includes(address),
  )
  const route = routes.find(route => !passing(route.expires) && !own.includes(routeKey(route)))
  return address?.address ?? (route && `the route to ${route.to}`)
}

const none: Witnesses = { hosts: [], tcp: [] }

/** Those of the witnesses that answer. */
async function present({ hosts, tcp }: Witnesses): Promise<Witnesses> {
  if (hosts.length + tcp.length === 0) return none
  const [pinged, connected] = await Promise.all([answering(hosts), answeringTcp(tcp)])
  return { hosts: pinged, tcp: connected }
}

/** Tries until this time is over, milliseconds: a device that has just come up may lose what is sent first. */
const patience = 4_000

/** Why the node is not connected any more; undefined if those answer who answered before. */
async function silence({ hosts, tcp }: Witnesses): Promise<string | undefined> {
  const end = performance.now() + patience
  let pinged = hosts.length === 0
  let connected = tcp.length === 0
  while (!(pinged && connected) && performance.now() < end) {
    const now = await present({ hosts: pinged ? [] : hosts, tcp: connected ? [] : tcp })
    pinged ||= now.hosts.length > 0
    connected ||= now.tcp.length > 0
    if (!(pinged && connected)) await sleep(50)
  }
  if (!pinged && !connected) return `of ${hosts.join(', ')} none answers any more`
  if (!connected)
    return `TCP to ${tcp.map(({ host, port }) => `${host} port ${port}`).join(', ')} gets no answer any more${trap}`
  return pinged ? undefined : `of ${hosts.join(', ')} none answers a ping any more`
}

export const trap =
  ', as what arrives has wrong checksums: at the other end of this virtual device, computing them is left to hardware. ' +
  'Switch that off there (ethtool -K DEVICE tx off), then start the agent again'

/** Ports that a gateway may listen at, or refuse: either answer comes by TCP. */
const gatewayPorts = [22, 53, 80, 443, 179]

/** Who answered before, and has to answer afterwards: controllers, gateways, other nodes. */
export function witnessesOf(plan: NodePlan, record: UplinkRecord, more: readonly TcpPlace[]): Witnesses {
  const own = record.addresses.map(({ address }) => canonicalAddress(address.split('/')[0]!))
  const isElsewhere = (host: string) => !own.includes(canonicalAddress(host)) && !/^(127\.|::1$|localhost$)/.test(host)
  const controllers = plan.controllers.flatMap(target => placeOf(target) ?? [])
  const gateways = record.routes.flatMap(({ via, to }) => (to === 'default' && via && !via.includes(' ') ? [via] : []))
  const tcp = [...controllers, ...more, ...gateways.flatMap(host => gatewayPorts.map(port => ({ host, port })))]
  const hosts = [...gateways, ...controllers.map(({ host }) => host), ...plan.links.map(({ remote }) => remote)]
  return {
    hosts: [...new Set(hosts)].filter(host => isElsewhere(host) && !host.startsWith('fe80:')).slice(0, 8),
    tcp: tcp.filter(({ host }) => isElsewhere(host) && !host.startsWith('fe80:')).slice(0, 16),
  }
}
