// Packet-ins and removed flows, turned into what is learned. The frames themselves flowed on: only a copy comes here.
// A shell around learned-addresses.ts (what is known) and contests.ts (who has an address that two ports claim).
import type { FlowRemoved, PacketIn } from '../../openflow/index.ts'
import type { Session } from '../../openflow/session/session.ts'
import type { State } from '../../store/state.ts'
import type { DatapathId, Endpoint } from '../../topology/topology.ts'
import type { Clock } from '../clock/clock.ts'
import { addressRule, type RuleKey } from '../compile/compile.ts'
import { owner } from '../compile/cookie.ts'
import { flowItem } from '../compile/item.ts'
import type { Reading } from '../switch/content.ts'
import type { Switch } from '../switch/state.ts'
import type { EventOf } from '../view/event.ts'
import type { AddressConflict, IpConflict } from '../view/view.ts'
import { packetsSent, sendProbes } from './ask-holder.ts'
import { conflictLog } from './conflict-log.ts'
import { type Contested, contests, type Presence, type Step } from './contests.ts'
import { claimedIp, ipHolders } from './ip-holders.ts'
import { type LearnedAddresses, type Place, samePlace } from './learned-addresses.ts'
import { learningPorts, mostCopies } from './learning-ports.ts'
import { isSender, macNumber, macText, readMac } from './mac.ts'
import { ipv4Sender } from './probe-frames.ts'
import { suppressedPorts } from './suppressed-ports.ts'

/** Milliseconds between looks at what is due. */
const tickMs = 100
/** What was learned this lately (milliseconds) may be on its way to a switch that was read meanwhile. */
const youngMs = 10_000

export type Learning = {
  packetIn(sw: Switch, message: PacketIn): void
  flowRemoved(sw: Switch, message: FlowRemoved): void
  /** What a switch has learned is what its flows say, after a restart of ours as after one of its own. */
  recall(sw: Switch, reading: Reading): void
  /** Ports that may not teach us for a while, by placeOf. */
  readonly suppressed: ReadonlySet<string>
  /** Addresses of a network that two ports have claimed lately. */
  conflicts(network: string): readonly AddressConflict[]
  /** Entries of this network that switches have removed by themselves, since this was last asked: what is learned may want them again. */
  takeLost(number: number): readonly Lost[]
  /** IP addresses of a network that two ports have claimed lately. */
  ipConflicts(network: string): readonly IpConflict[]
  /** The network is gone. */
  forget(number: number, id: string): void
  tick(): void
  stop(): void
}

/** An entry, by its key and the rule that makes it. */
export type Lost = { readonly dpid: DatapathId; readonly rule: RuleKey; readonly key: string }

type AddressEvent = EventOf<
  'address-learned' | 'address-moved' | 'address-conflict' | 'ip-duplicate' | 'port-suppressed'
>

export type Arguments = {
  readonly learned: LearnedAddresses
  state(): State
  networkOf(number: number): string | undefined
  session(dpid: DatapathId): Session | undefined
  /** Whether a way leads from one switch to the other for frames of this network. */
  reaches(network: number, from: DatapathId, to: DatapathId): boolean
  /** Something was learned or forgotten in this network: look again. */
  changed(network: string): void
  emit(event: AddressEvent): void
  /** This port sends from an address of another, or from too many: it may lead frames back. */
  suspect?(network: number, at: Endpoint): void
  readonly clock: Clock
  dropped(): void
}

export function learning(args: Arguments): Learning {
  const { learned, state, networkOf, session, changed, emit, dropped } = args
  const { now } = args.clock
  const look = (number: number) => {
    const id = networkOf(number)
    if (id !== undefined) changed(id)
  }
  const suppressed = suppressedPorts({
    now,
    look,
    suppressed(network, at, reason) {
      const id = networkOf(network)
      if (id !== undefined) emit({ kind: 'port-suppressed', network: id, ...placed(at), reason })
    },
  })
  const ports = learningPorts({ state, networkOf, now })
  const disputes = contests()
  const log = conflictLog<Omit<AddressConflict, 'secondsAgo'>>(now, ({ mac }) => mac)
  const ipLog = conflictLog<Omit<IpConflict, 'secondsAgo'>>(now, ({ ip }) => ip)
  const ips = ipHolders()
  const recalled = new WeakSet<Session>()
  const lost = new Map<number, Lost[]>()
  const lose = (number: number, entry: Lost) => {
    const entries = lost.get(number)
    if (entries) entries.push(entry)
    else lost.set(number, [entry])
  }

  const presence = ({ network, holder, claimant }: Contested): Presence => {
    const s = session(holder.dpid)
    if (!s) return 'unreachable'
    const port = s.ports().get(holder.port)
    if (!port || !hasCarrier(port)) return 'gone'
    const isReached = holder.dpid === claimant.dpid || args.reaches(network, claimant.dpid, holder.dpid)
    return isReached ? 'there' : 'unreachable'
  }
  const around = { presence, holderOf: learned.at }
  const ask = ({ contest, probe }: Extract<Step, { is: 'ask' }>) => {
    const { network, mac, holder } = contest
    const s = session(holder.dpid)
    const id = networkOf(network)
    const counted = (packets: bigint | undefined) => take(disputes.counted(contest, packets, now()))
    if (!s) return counted(undefined)
    s.request({ type: 'echo_request', payload: Buffer.alloc(0) }).then(
      () => disputes.answered(contest, now()),
      () => {}, // That it does not answer is what counts.
    )
    // Before the probe, so that the answer to it is counted after.
    packetsSent(s, network, macText(mac), holder.port).then(counted, () => {
      // A session that has closed says nothing of what its switch counts.
      if (session(holder.dpid) === s) counted(undefined)
    })
    if (probe && id !== undefined) sendProbes(s, state(), id, contest, learned.ipv4Of(network, mac))
  }
  const move = ({ network, mac, to }: Extract<Step, { is: 'move' }>) => {
    const before = learned.at(network, mac)
    learned.move(network, mac, to)
    look(network)
    const id = networkOf(network)
    if (id !== undefined && before)
      emit({ kind: 'address-moved', network: id, mac: before.mac, ...placed(to), other: placed(before) })
  }
  const conflict = ({ network, mac, holder, claimant }: Contested) => {
    const id = networkOf(network)
    if (id === undefined) return
    log.note(id, { mac: macText(mac), holder: placed(holder), claimant: placed(claimant) })
    emit({ kind: 'address-conflict', network: id, mac: macText(mac), ...placed(claimant), other: placed(holder) })
  }
  const claimIp = (network: number, id: string, mac: number, claimant: Place, frame: Buffer) => {
    const ip = claimedIp(frame)
    if (ip === undefined) return
    const seen = ips.note(network, ip, mac, claimant)
    const declared = ports.declared(id, ip)
    const holder = declared && !samePlace(declared, claimant) ? declared : seen
    if (!holder || !ipLog.note(id, { ip, holder: placed(holder), claimant: placed(claimant) })) return
    emit({ kind: 'ip-duplicate', network: id, ip, ...placed(claimant), other: placed(holder), by: 'seen' })
  }
  const take = (steps: readonly Step[]) => {
    for (const step of steps)
      switch (step.is) {
        case 'ask':
          ask(step)
          break
        case 'move':
          move(step)
          break
        case 'conflict':
          conflict(step)
          break
        case 'suppress':
          suppressed.add(step.network, step.at, 'it sends from addresses that other ports hold')
          break
        case 'watch':
          if (learned.watch(step.network, step.mac, step.isWatched)) look(step.network)
      }
  }
  const contest = (number: number, mac: number, holder: Place, claimant: Place, frame: Buffer) => {
    const claim = { network: number, mac, holder, claimant, ipv4: ipv4Sender(frame) }
    take(disputes.claimed(claim, presence(claim), now()))
  }
  const tick = () => {
    take(disputes.tick(now(), around))
    suppressed.tick()
  }
  const stop = args.clock.every(tickMs, tick)

  return {
    suppressed: suppressed.places,
    conflicts: log.of,
    ipConflicts: ipLog.of,
    tick,
    stop,
    takeLost(number) {
      const entries = lost.get(number) ?? []
      lost.delete(number)
      return entries
    },
    forget(number, id) {
      lost.delete(number)
      learned.prune(number, () => false)
      learned.takeChanged(number)
      ports.forget(number, id)
      ips.forget(number)
    },
    recall({ dpid, session: s }, reading) {
      const isFirst = s !== undefined && !recalled.has(s)
      if (s) recalled.add(s)
      const known = reading.learned.filter(({ network }) => networkOf(network) !== undefined)
      const relearned = learned.recall(dpid, known, isFirst ? now() : now() - youngMs)
      for (const { network, mac, port } of relearned.elsewhere)
        if (isFirst) disputes.remember(network, macNumber(mac), { dpid, port }, now())
      suppressed.recall(dpid, reading.suppressed, isFirst)
      for (const number of relearned.changed) look(number)
    },
    packetIn(sw, message) {
      const { match, payload } = message
      const port = match.in_port
      const origin = typeof port === 'number' && payload.length >= 14 ? ports.of(sw.dpid, port, message) : undefined
      if (origin === undefined || typeof port !== 'number') return dropped()
      const { network, id } = origin
      if (origin.isLoud()) {
        suppressed.add(network, { dpid: sw.dpid, port }, `more than ${mostCopies} copies of its frames in a second`)
        return dropped()
      }
      const mac = readMac(payload, 6)
      if (!isSender(mac)) return dropped()
      if (origin.isWatched && learned.at(network, mac)?.port !== port) return dropped()
      claimIp(network, id, mac, { dpid: sw.dpid, port }, payload)
      const claim = learned.claim(network, mac, sw.dpid, port, payload)
      if (claim === 'known') disputes.spoke(network, mac, now())
      else if (claim === 'full') {
        args.suspect?.(network, { dpid: sw.dpid, port })
        suppressed.add(network, { dpid: sw.dpid, port }, 'it shows more addresses than one port may')
      } else if (claim !== 'new') {
        args.suspect?.(network, { dpid: sw.dpid, port })
        contest(network, mac, claim, { dpid: sw.dpid, port }, payload)
      } else {
        const at = { dpid: sw.dpid, port }
        const text = learned.at(network, mac)!.mac
        const holder = ports.pinned(id, text)
        if (!holder || samePlace(holder, at)) {
          emit({ kind: 'address-learned', network: id, mac: text, dpid: sw.dpid, port })
          return changed(id)
        }
        learned.forget(network, mac, at)
        args.suspect?.(network, at)
        take(disputes.claimedPinned({ network, mac, holder, claimant: at }, now()))
      }
    },
    flowRemoved(sw, message) {
      const whose = owner(message.cookie)
      if (whose.is !== 'learned' && whose.is !== 'suppressed') return
      const { tableId, priority, match, cookie: value } = message
      const { key } = flowItem(whose.network, { tableId, priority, match, cookie: value, instructions: [] })
      sw.held.remove(key)
      const { in_port: port, eth_src: mac } = match
      if (typeof port !== 'number') return
      const at = { dpid: sw.dpid, port }
      const rule = typeof mac === 'string' ? addressRule(mac) : ports.rule(whose.network, at)
      if (rule !== undefined) lose(whose.network, { dpid: sw.dpid, rule, key })
      const isGone =
        whose.is === 'suppressed'
          ? suppressed.remove(whose.network, at)
          : typeof mac === 'string' && learned.forget(whose.network, macNumber(mac), at)
      // Also when it is known at another place by now, or listened to again: then it is looked at, and that is all.
      if (isGone || lost.has(whose.network)) look(whose.network)
    },
  }
}

const placed = ({ dpid, port }: Place): Endpoint => ({ dpid, port })

/** OFPPC_PORT_DOWN and OFPPS_LINK_DOWN are both bit 0 (OpenFlow 1.3.5 §7.2.1). */
const hasCarrier = ({ config, state }: { config: number; state: number }): boolean => ((config | state) & 1) === 0
