// Networks that snoop multicast: reports that came from ports are taken in, and ports are asked, as IGMP and MLD want it. The
// controller is the querier where nobody else is.

import { type Action, type PacketIn, packetOut } from '../../openflow/index.ts'
import type { Session } from '../../openflow/session/session.ts'
import { attachmentIn } from '../../store/attachments.ts'
import type { Attachment, Network, State } from '../../store/state.ts'
import { type DatapathId, endpointKey, type PortNo } from '../../topology/topology.ts'
import type { Clock } from '../clock/clock.ts'
import { owner } from '../compile/cookie.ts'
import type { LocalSnooping, Snooped } from '../compile/snoop.ts'
import { out, popVlan } from '../compile/tag.ts'
import type { Reading } from '../switch/content.ts'
import { networkWithoutCookie, unknownCookie } from '../switch/copies.ts'
import type { Switch } from '../switch/state.ts'
import type { MulticastView } from '../view/view.ts'
import { queryFrame, readIgmp } from './igmp.ts'
import { type Ask, memberships } from './membership.ts'

/** Milliseconds between looks at what is due. */
const tickMs = 250
/** Queries a tick, for the whole controller: with more ports than this serves, they are asked less often, and kept for longer. */
const budget = 100

export type Multicast = {
  packetIn(sw: Switch, message: PacketIn): void
  /** Who wants what at a switch's ports is what its entries say, after a restart of ours; then all are asked. */
  recall(sw: Switch, reading: Reading): void
  /** What compile reads, if this network snoops. Its ports are followed from now on. */
  of(network: Network, attachments: readonly Attachment[]): Snooped | undefined
  forget(network: number): void
  /** What each port gets, if this network snoops. */
  view(network: Network): MulticastView | undefined
  stop(): void
}

type Arguments = {
  state(): State
  networkOf(number: number): string | undefined
  session(dpid: DatapathId): Session | undefined
  /** The switch has confirmed what was compiled last for this network: an answer of a port there will reach us. */
  holds(number: number, dpid: DatapathId): boolean
  /** Who gets what has changed in these networks: look again. */
  changed(networks: readonly string[]): void
  readonly clock: Clock
  dropped(): void
}

export function multicast({ state, networkOf, session, holds, changed, clock, dropped }: Arguments): Multicast {
  const { now, every } = clock
  const members = memberships()
  const recalled = new WeakSet<Session>()
  const mark = (numbers: readonly number[]) => {
    const ids = numbers.flatMap(number => networkOf(number) ?? [])
    if (ids.length > 0) changed(ids)
  }
  const isAsked = (number: number, dpid: DatapathId) => session(dpid) !== undefined && holds(number, dpid)
  const vlanAt = ({ network, dpid }: Ask, port: PortNo) => {
    const id = networkOf(network)
    return id === undefined ? undefined : attachmentIn(state(), id, endpointKey({ dpid, port }))?.vlan
  }
  const tick = () => {
    const due = members.tick(now(), isAsked, budget)
    for (const ask of due.asks) session(ask.dpid)?.send(queryOut(ask, port => vlanAt(ask, port)))
    mark(due.changed)
  }
  const stop = every(tickMs, tick)

  return {
    packetIn(sw, message) {
      const port = message.match.in_port
      const number = typeof port === 'number' ? networkOfCopy(state(), sw.dpid, port, message) : undefined
      if (number === undefined || typeof port !== 'number') return dropped()
      const at = { dpid: sw.dpid, port }
      const isTooMuch = members.copied(number, at, now())
      const heard = readIgmp(message.payload)
      if (!heard) dropped()
      if ((heard && members.heard(number, at, heard, now())) || isTooMuch) mark([number])
    },
    recall(sw, { multicast }) {
      // An audit reads what we wrote ourselves.
      if (!sw.session || recalled.has(sw.session)) return
      recalled.add(sw.session)
      mark(members.recall(sw.dpid, multicast, now()))
    },
    of({ number, multicast }, attachments) {
      if (multicast !== 'snoop') {
        members.drop(number)
        return undefined
      }
      members.follow(number, attachments)
      return members.of(number)
    },
    forget: number => members.drop(number),
    view({ id, number }) {
      const snooped = members.of(number)
      return snooped && viewOf(snooped, state().members.get(id)?.values() ?? [])
    },
    stop,
  }
}

const networkOfCopy = (state: State, dpid: DatapathId, port: PortNo, message: PacketIn): number | undefined => {
  const whose = owner(message.cookie)
  if (whose.is === 'multicast') return whose.network
  return message.cookie === unknownCookie ? networkWithoutCookie(state, dpid, port, message) : undefined
}

/** @param vlanOf The tag by which a port is in the network, if it is by one. */
const queryOut = ({ ports, ...query }: Ask, vlanOf: (port: PortNo) => number | undefined) =>
  packetOut({
    actions: ports.flatMap((port): readonly Action[] => {
      const vlan = vlanOf(port)
      return vlan === undefined ? out({ port }) : [...out({ port, vlan }), ...popVlan]
    }),
    payload: queryFrame(query),
  })

function getsOf(localNetwork: LocalSnooping | undefined, port: number): MulticastView['ports'][number]['gets'] {
  if (localNetwork?.routers.has(port)) return 'router'
  if (localNetwork?.crowded.has(port)) return 'crowded'
  return localNetwork?.everything.has(port) === false ? 'joined' : 'unsettled'
}

function viewOf({ localNetworks, querier }: Snooped, attachments: Iterable<Attachment>): MulticastView {
  const groups = new Set<string>()
  for (const { joined } of localNetworks.values()) for (const group of joined.keys()) groups.add(group)
  const byPort = new Map<string, string[]>()
  for (const [dpid, { joined }] of localNetworks)
    for (const [group, ports] of joined)
      for (const port of ports) {
        const key = endpointKey({ dpid, port })
        const of = byPort.get(key)
        if (of) of.push(group)
        else byPort.set(key, [group])
      }
  const ports = [...attachments].flatMap(({ dpid, port }) => {
    const localNetwork = localNetworks.get(dpid)
    const joined = byPort.get(endpointKey({ dpid, port })) ?? []
    const gets = getsOf(localNetwork, port)
    return joined.length > 0 || gets !== 'joined' ? [{ dpid, port, gets, groups: joined.sort() } as const] : []
  })
  return { groups: groups.size, querier: querier ?? 'controller', ports }
}
