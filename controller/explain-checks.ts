// What may stand between two ports, in the order in which it matters: each check with its sentence and what to do. Pure but for reading switches.
// To add one: a function here, and its row in `checks`.
import { attachmentKey } from '../store/keys.ts'
import { type DatapathId, type Endpoint, endpointKey, type Link } from '../topology/topology.ts'
import { pathVersionsOf } from './compile/rollout.ts'
import type { Compiled } from './compile/tables.ts'
import type { Facts } from './facts.ts'
import type { Known } from './find-port.ts'
import { placeText } from './find-port.ts'
import type { FormerMembers } from './former-members.ts'
import { linkView } from './link-view.ts'
import { progressOf } from './status.ts'
import { phaseReason, type Switch } from './switch/state.ts'
import type { Finding } from './view/explain.ts'

/** Two ports, and all that the checks look at. */
export type Pair = {
  readonly from: Known
  readonly to: Known
  readonly status: Facts
  readonly formerMembers: FormerMembers
  /** All links that begin at this switch. */
  linksFrom(dpid: DatapathId): Iterable<Link>
}

type Check = (pair: Pair) => Finding | undefined

/** The order in which they matter: nobody needs to look at a link before both ports are in one network. */
const checks: Readonly<Record<string, Check>> = {
  'one-port': onePort,
  network: oneNetwork,
  foreign: pair => eachEnd(pair, foreignAt),
  'switch-away': pair => eachEnd(pair, switchAt),
  port: pair => eachEnd(pair, portAt),
  'cut-off': cutOff,
  way: noWay,
  transit: transitAway,
  programming: pair => eachEnd(pair, programmingAt),
}

/** Everything that these find, in order. */
export const findingsOf = (pair: Pair): readonly Finding[] => Object.values(checks).flatMap(check => check(pair) ?? [])

const eachEnd = (pair: Pair, at: (pair: Pair, end: Known) => Finding | undefined): Finding | undefined =>
  at(pair, pair.from) ?? at(pair, pair.to)

function onePort({ from, to }: Pair): Finding | undefined {
  if (attachmentKey(from) !== attachmentKey(to)) return undefined
  const sentence = `both are ${placeText(from)}: a frame never goes back to where it came from`
  return { check: 'one-port', sentence, remedy: 'name two ports' }
}

function oneNetwork({ from, to, formerMembers }: Pair): Finding | undefined {
  if (from.network === to.network) return undefined
  const moved = [from, to]
    .map(end => ({ end, departure: formerMembers.of(attachmentKey(end)) }))
    .find(({ departure }) => departure?.to !== undefined)
  const sentence = `${placeText(from)} is in network ${from.network}, and ${placeText(to)} in network ${to.network}: networks never reach each other`
  if (!moved)
    return {
      check: 'wrong-network',
      sentence,
      remedy: `attach one of them to the other's network: PUT /v1/networks/NETWORK/attachments/DPID/PORT`,
    }
  const { attachment, revision, by } = moved.departure!
  const who = by === undefined ? '' : ` by ${by}`
  return {
    check: 'moved',
    sentence: `${sentence}. ${placeText(moved.end)} was moved from network ${attachment.network} to ${moved.end.network} in revision ${revision}${who}: a quarantine, or another move`,
    remedy: `if that is over, move it back to network ${attachment.network}`,
  }
}

const switchOf = ({ status }: Pair, { dpid }: Endpoint): Switch | undefined => status.switches.get(dpid)

function foreignAt(pair: Pair, end: Known): Finding | undefined {
  const sw = switchOf(pair, end)
  if (!sw?.session || sw.phase.is !== 'unsafe') return undefined
  return {
    ...{ check: 'foreign', dpid: end.dpid },
    sentence: `switch ${end.dpid} holds ${sw.phase.foreign.length} flows or groups of another controller, so nothing is programmed there`,
    remedy: `POST /v1/switches/${end.dpid}/takeover lists and removes them`,
  }
}

function switchAt(pair: Pair, { dpid }: Known): Finding | undefined {
  const sw = switchOf(pair, { dpid, port: 0 })
  if (sw?.session && (sw.phase.is === 'live' || sw.phase.is === 'unsafe')) return undefined
  if (sw?.session)
    return {
      check: 'switch-state',
      dpid,
      sentence: `switch ${dpid} is ${sw.phase.is}: ${phaseReason(sw)}`,
      remedy: 'docs/operations.md says what each state means',
    }
  const why = sw ? `: ${phaseReason(sw)}` : ': it has not connected since the controller started'
  return {
    ...{ check: 'switch-away', dpid },
    sentence: `switch ${dpid} is not connected${why}; what it still forwards, nobody knows`,
    remedy: `is its machine up, and does it reach the controller? On it, ovs-vsctl show says is_connected`,
  }
}

function portAt(pair: Pair, { dpid, port, portName }: Known): Finding | undefined {
  const ports = switchOf(pair, { dpid, port })?.session?.ports()
  if (!ports) return undefined
  const found = ports.get(port)
  if (!found) {
    const name = portName === undefined ? '' : ` (${portName})`
    return {
      check: 'port-missing',
      dpid,
      sentence: `switch ${dpid} has no port ${port}${name}`,
      remedy: 'make the interface and put it on the bridge, or attach the port that is meant',
    }
  }
  if (((found.config | found.state) & 1) === 0) return undefined
  const isOff = (found.config & 1) !== 0
  return {
    ...{ check: 'port-down', dpid },
    sentence: `port ${port} (${found.name}) of switch ${dpid} ${isOff ? 'is switched off' : 'has no carrier: its other end is down or gone'}`,
    remedy: isOff
      ? `ovs-ofctl mod-port BRIDGE ${found.name} up`
      : `ip link set ${found.name} up, and the same for its other end, in the pod`,
  }
}

const compiledOf = ({ status, from }: Pair): Compiled | undefined =>
  status.tables.compiled.get(status.tables.numberOf(from.network) ?? 0)

/** What keeps a port out of its network although it is attached: a loop that was cut, for example. */
function cutOff({ status, from, to }: Pair): Finding | undefined {
  for (const end of [from, to]) {
    const progress = progressOf(status, end.network, attachmentKey(end))
    if (progress?.state === 'degraded' && /cut off/.test(progress.reason ?? ''))
      return {
        check: 'cut-off',
        dpid: end.dpid,
        sentence: `${placeText(end)} is kept out of its network: ${progress.reason}`,
        remedy: 'end the loop; the port is let in again by itself',
      }
  }
  return undefined
}

/** No way between the two switches: which link is missing, or dead. */
function noWay(pair: Pair): Finding | undefined {
  const { from, to } = pair
  const partitions = compiledOf(pair)?.wanted.partitions ?? []
  const of = (dpid: DatapathId) => partitions.find(partition => partition.has(dpid))
  const [here, there] = [of(from.dpid), of(to.dpid)]
  if (from.dpid === to.dpid || !here || !there || here === there) return undefined
  const dead = [...here].flatMap(dpid => [...pair.linksFrom(dpid)].filter(link => there.has(link.to.dpid)))
  const [link] = dead
  if (!link)
    return {
      ...{ check: 'no-link', dpid: from.dpid },
      sentence: `no link is known between switch ${from.dpid} and switch ${to.dpid}, nor a way around`,
      remedy: 'declare one: PUT /v1/links/DPID/PORT/DPID/PORT, or a mesh: PUT /v1/mesh',
    }
  const { reason = 'probes do not arrive' } = linkView(pair.status, link, () => undefined) ?? {}
  const more = dead.length > 1 ? `, and so are ${dead.length - 1} more` : ''
  return {
    ...{ check: 'link-down', dpid: from.dpid },
    sentence: `the link from ${endpointKey(link.from)} to ${endpointKey(link.to)} is down (${reason})${more}; there is no other way from switch ${from.dpid} to ${to.dpid}`,
    remedy:
      'does the underlay carry it? Ping the other node, and look for a firewall on the port of VXLAN (UDP 7000 or 4789)',
  }
}

/** Switches that frames pass on their way, and that are not there. */
function transitAway(pair: Pair): Finding | undefined {
  const { from, to, status } = pair
  const compiled = compiledOf(pair)
  const nextHops = compiled && pathVersionsOf(compiled.rollout)[0]?.route.nextHops
  let at = from.dpid
  for (let hops = 0; nextHops && at !== to.dpid && hops < 256; hops++) {
    const hop = nextHops.get(at)?.get(to.dpid)
    if (!hop) return undefined
    at = hop.to
    const sw = status.switches.get(at)
    if (at === to.dpid || sw?.session) continue
    return {
      ...{ check: 'switch-away', dpid: at },
      sentence: `switch ${at}, which frames pass on their way, is not connected${sw ? `: ${phaseReason(sw)}` : ''}`,
      remedy: 'is its machine up, and does it reach the controller?',
    }
  }
  return undefined
}

/** Asked for, and not on the switches yet, or refused. */
function programmingAt({ status }: Pair, end: Known): Finding | undefined {
  const progress = progressOf(status, end.network, attachmentKey(end)) ?? progressOf(status, end.network)
  if (!progress || progress.state === 'programmed') return undefined
  const is = progress.state === 'pending' ? 'is not programmed yet' : 'works in part'
  const dpid = /switch ([0-9a-f]{16})/.exec(progress.reason ?? '')?.[1] ?? end.dpid
  return {
    ...{ check: progress.state === 'pending' ? 'not-programmed' : 'degraded', dpid },
    sentence: `${placeText(end)} ${is}: ${progress.reason ?? 'no reason is known'}`,
    remedy:
      progress.state === 'pending'
        ? 'wait a moment, and ask again; if it stays, the reason says what is missing'
        : 'the reason says what is missing',
  }
}
