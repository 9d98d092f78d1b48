// What limits a port has, and which of those that were asked for its switch can't hold. Pure.
import type { Attachment, Network } from '../../store/state.ts'
import type { LimitKind } from '../compile/cookie.ts'
import { broadcastLimitOf, limitRefusal, rateBurst } from '../compile/limits.ts'
import type { Datapath, Datapaths } from '../compile/local-network.ts'
import type { Condition, LimitView } from '../view/view.ts'
import type { Limited, MeterReadings } from './meter-readings.ts'

type Asked = { readonly kind: LimitKind; readonly words: string }

const asked = (network: Network, { broadcast, rate }: Attachment): readonly Asked[] => {
  const frames = broadcast ?? network.broadcast ?? 0
  return [
    ...(frames > 0 ? [{ kind: 'broadcast', words: `the broadcast limit of ${frames} frames a second` } as const] : []),
    ...(['send', 'receive'] as const).flatMap(kind =>
      rate?.[kind] ? [{ kind, words: `the limit of ${rate[kind].kbps} kbit/s on what it ${verbs[kind]}` }] : [],
    ),
  ]
}
const verbs = { send: 'sends', receive: 'gets' }

/** A limit that was asked for by name and is not there; that the default is missing, the switch says (`limitsMissing`). */
export function limitCondition(network: Network, attachment: Attachment, datapaths: Datapaths): Condition | undefined {
  const { dpid, port } = attachment
  const datapath = datapaths.get(dpid)
  if (!datapath?.ports.has(port)) return undefined
  for (const { kind, words } of asked(network, attachment)) {
    const why = limitRefusal(datapath, port, kind)
    if (why === undefined) continue
    return { state: 'degraded', reason: `switch ${dpid} does not hold port ${port} to ${words}: ${why}` }
  }
  return undefined
}

/** What a switch can't limit, in sentences; none if all. */
export function limitsMissing(datapath: Datapath | undefined): readonly string[] {
  if (!datapath || datapath.ports.size === 0) return []
  const broadcast = limitRefusal(datapath, 1, 'broadcast')
  if (broadcast !== undefined) return [`broadcast and rate limits: ${broadcast}`]
  const rate = limitRefusal(datapath, 1, 'send')
  return rate === undefined ? [] : [`rate limits: ${rate}`]
}

/** The limits of a port, with what they have dropped. */
export function limitViews(
  network: Network,
  attachment: Attachment,
  datapath: Datapath | undefined,
  readings: Pick<MeterReadings, 'dropped'>,
): readonly LimitView[] {
  const { dpid, port, vlan, rate } = attachment
  const frames = broadcastLimitOf(network, attachment)
  const state = (kind: LimitKind) => {
    const missing = datapath && limitRefusal(datapath, port, kind)
    return missing === undefined ? { dropped: readings.dropped({ dpid, port, vlan, kind }) } : { missing }
  }
  return [
    ...(frames > 0 ? [{ limit: 'broadcast', framesPerSecond: frames, ...state('broadcast') } as const] : []),
    ...(['send', 'receive'] as const).flatMap(limit =>
      rate?.[limit] ? [{ limit, kbps: rate[limit].kbps, burst: rateBurst(rate[limit]), ...state(limit) }] : [],
    ),
  ]
}

/** Tells of a limit that drops, and then not again before it has dropped nothing for a minute. */
export function newLimitAlarm(now: () => number, tell: (limited: Limited, dropped: number) => void) {
  const lastAt = new Map<string, number>()
  return (limited: Limited, dropped: number): void => {
    const key = keyOf(limited)
    const last = lastAt.get(key)
    lastAt.delete(key)
    lastAt.set(key, now())
    if (lastAt.size > mostAlarms) for (const oldest of lastAt.keys()) return void lastAt.delete(oldest)
    if (last === undefined || now() - last > quietMs) tell(limited, dropped)
  }
}
const quietMs = 60_000
const mostAlarms = 10_000
const keyOf = ({ dpid, port, vlan, kind }: Limited): string => `${dpid}/${port}/${vlan ?? ''} ${kind}`
