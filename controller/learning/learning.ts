// Packet-ins and removed flows, turned into what is learned. The frames themselves flowed on: only a copy comes here.

import type { FlowRemoved, PacketIn } from '../../openflow/index.ts'
import type { Session } from '../../openflow/session/session.ts'
import { attachmentIn } from '../../store/attachments.ts'
import type { State } from '../../store/state.ts'
import { endpointKey } from '../../topology/topology.ts'
import { cookie, cookieMask, owner } from '../compile/cookie.ts'
import { flowItem } from '../compile/item.ts'
import { isPlaceOn, type Location, placeOf } from '../compile/local-network.ts'
import { packetInsPerSecond } from '../compile/metered.ts'
import { pipeline } from '../compile/pipeline.ts'
import type { Reading } from '../switch/content.ts'
import type { Switch } from '../switch/state.ts'
import type { LearnedAddresses } from './learned-addresses.ts'

/** An address that is claimed elsewhere moves when its holder has sent nothing for this long (milliseconds). */
const silenceMs = 1000

export type Learning = {
  packetIn(sw: Switch, message: PacketIn): void
  flowRemoved(sw: Switch, message: FlowRemoved): void
  /** What a switch has learned is what its flows say, after a restart of ours as after one of its own. */
  recall(sw: Switch, reading: Reading): void
  /** Ports that may not teach us for a while, by placeOf. */
  readonly suppressed: ReadonlySet<string>
}

type Arguments = {
  readonly learned: LearnedAddresses
  state(): State
  networkOf(number: number): string | undefined
  session(dpid: string): Session | undefined
  /** Something was learned or forgotten in this network: look again. */
  changed(network: string): void
  /** Milliseconds of a monotonic clock. */
  now(): number
  dropped(): void
}

export function learning(args: Arguments): Learning {
  const { learned, state, networkOf, changed, now, dropped } = args
  const suppressed = new Set<string>()
  /** Packets that the holder of a contested address had sent, and when we looked. */
  const contested = new Map<string, { readonly packets: bigint; readonly at: number }>()

  /** Copies that came of a port since this second began: a switch that can't meter them sends as many as there are frames. */
  const packetIns = new Map<string, { count: number; since: number }>()
  const isLoud = (place: string): boolean => {
    const counted = packetIns.get(place)
    if (!counted || now() - counted.since > 1000) packetIns.set(place, { count: 1, since: now() })
    else counted.count += 1
    return (counted?.count ?? 0) > 2 * packetInsPerSecond
  }
  const suppress = (id: string, place: string) => {
    if (suppressed.has(place)) return
    suppressed.add(place)
    changed(id)
  }
  const contest = async (id: string, number: number, holder: Location, claim: Location) => {
    const key = `${number} ${claim.mac} ${endpointKey(claim)}`
    const before = contested.get(key)
    if (before && now() - before.at < silenceMs) return
    contested.set(key, { packets: before?.packets ?? -1n, at: now() })
    const packets = await packetsSent(args.session(holder.dpid), number, holder)
    if (packets === undefined) return
    if (before && before.packets === packets) {
      contested.delete(key)
      learned.move(number, claim)
      changed(id)
    } else contested.set(key, { packets, at: now() })
    forgetOldest(contested)
  }

  const recallPorts = (dpid: string, places: Reading['suppressed']) => {
    for (const place of suppressed) if (isPlaceOn(place, dpid)) suppressed.delete(place)
    for (const { network, port } of places) suppressed.add(placeOf(network, dpid, port))
  }

  return {
    suppressed,
    recall({ dpid }, reading) {
      const relearned = new Set<number>()
      const found = new Set(reading.learned.map(l => `${l.network} ${l.mac} ${l.port}`))
      for (const number of [...learned.networks()])
        if (learned.prune(number, l => l.dpid !== dpid || found.has(`${number} ${l.mac} ${l.port}`)))
          relearned.add(number)
      for (const { network, ...at } of reading.learned)
        if (networkOf(network) !== undefined && learned.claim(network, at) === 'new') relearned.add(network)
      recallPorts(dpid, reading.suppressed)
      for (const number of relearned) {
        const id = networkOf(number)
        if (id !== undefined) changed(id)
      }
    },
    packetIn(sw, { cookie: value, match, payload }) {
      const whose = owner(value)
      const port = match.in_port
      const id = whose.is === 'network' ? networkOf(whose.network) : undefined
      if (whose.is !== 'network' || id === undefined || typeof port !== 'number' || payload.length < 14)
        return dropped()
      const attachment = attachmentIn(state(), id, endpointKey({ dpid: sw.dpid, port }))
      if (attachment?.guard !== 'learn') return dropped()
      const place = placeOf(whose.network, sw.dpid, port)
      if (isLoud(place)) {
        suppress(id, place)
        return dropped()
      }
      const mac = sourceMac(payload)
      if (mac === '00:00:00:00:00:00' || payload[6]! & 1) return dropped()
      const at = { mac, dpid: sw.dpid, port }
      const claim = learned.claim(whose.network, at)
      if (claim === 'new') changed(id)
      else if (claim === 'full') suppress(id, place)
      // A session that closes meanwhile leaves the address where it is: the claim comes again with the next frame.
      else if (claim !== 'known') contest(id, whose.network, claim.elsewhere, at).catch(dropped)
    },
    flowRemoved(sw, message) {
      const whose = owner(message.cookie)
      if (whose.is !== 'learned' && whose.is !== 'suppressed') return
      const { tableId, priority, match, cookie: value } = message
      sw.held.remove(flowItem(whose.network, { tableId, priority, match, cookie: value, instructions: [] }).key)
      const id = networkOf(whose.network)
      const { in_port: port, eth_src: mac } = match
      if (id === undefined || typeof port !== 'number') return
      const gone =
        whose.is === 'suppressed'
          ? suppressed.delete(placeOf(whose.network, sw.dpid, port))
          : typeof mac === 'string' && learned.forget(whose.network, { mac, dpid: sw.dpid, port })
      if (gone) changed(id)
    },
  }
}

/** Packets counted by the entry that lets this address speak; undefined when its switch can't be asked. */
async function packetsSent(
  session: Session | undefined,
  number: number,
  holder: Location,
): Promise<bigint | undefined> {
  const flows = await session?.flows({
    tableId: pipeline.guard.id,
    cookie: cookie('learned', number),
    cookieMask,
    match: { in_port: holder.port, eth_src: holder.mac },
  })
  return flows?.reduce((sum, f) => sum + f.packetCount, 0n)
}

/** Whoever contests many addresses costs us no memory. */
function forgetOldest(contested: Map<string, unknown>): void {
  for (const key of contested.keys()) {
    if (contested.size <= 1000) return
    contested.delete(key)
  }
}

const hexByte = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, '0'))
const sourceMac = (frame: Buffer): string =>
  `${hexByte[frame[6]!]}:${hexByte[frame[7]!]}:${hexByte[frame[8]!]}:${hexByte[frame[9]!]}:${hexByte[frame[10]!]}:${hexByte[frame[11]!]}`
