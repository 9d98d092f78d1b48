// Why one port reaches another, or does not: the checks in order, then frames followed both ways on what the switches hold now.
import { eachEntry, entryAt, matchBits } from '../openflow/index.ts'
import { attachmentKey } from '../store/keys.ts'
import { type DatapathId, endpointKey, type Link } from '../topology/topology.ts'
import { pipeline } from './compile/pipeline.ts'
import { each } from './compile/steps.ts'
import { findingsOf, type Pair } from './explain-checks.ts'
import { type Found, findPort, type Known, numbersAt, placeText } from './find-port.ts'
import type { Parts } from './parts.ts'
import { frameOf } from './proof/frame.ts'
import type { Trace, Visit } from './proof/trace.ts'
import { flowWords, ownerWords, tableName } from './proof/words.ts'
import { inSlices } from './switch/slices.ts'
import { type Followed, traceOn } from './tracing.ts'
import type { ExplainAnswer, ExplainQuestion, Finding, HopView, PlaceView } from './view/explain.ts'

/** The least that an IPv6 network must carry (RFC 8200 §5). */
const leastSize = 1280

export async function answerExplain(parts: Parts, asked: ExplainQuestion): Promise<ExplainAnswer> {
  const state = parts.store.state()
  const [from, to] = [findPort(state, parts.formerMembers, asked.from), findPort(state, parts.formerMembers, asked.to)]
  const unknown = [notFound(asked.from, from), notFound(asked.to, to)].flatMap(finding => finding ?? [])
  if (from.is !== 'one' || to.is !== 'one') return answer(parts, { reaches: 'no', findings: unknown })
  const pair = pairOf(parts, from.attachment, to.attachment)
  const common = { from: placeView(from.attachment), to: placeView(to.attachment) }
  const findings = [...findingsOf(pair)]
  if (findings.some(({ check }) => check === 'one-port' || check === 'wrong-network' || check === 'moved'))
    return answer(parts, { reaches: 'no', findings, ...common })
  // A switch that does not answer is not asked again for each frame.
  if (findings.some(finding => !isCertain(finding)))
    return answer(parts, { reaches: findings.some(isCertain) ? 'no' : 'unknown', findings, ...common })
  const followed = await follow(parts, pair)
  findings.push(...followed.findings, ...(await guarded(parts, pair)))
  const way = wayOf(parts, followed.there)
  const least = way?.map(({ mtu }) => mtu ?? Number.POSITIVE_INFINITY) ?? []
  const wanted = asked.size ?? declaredMtu(parts, pair) ?? leastSize
  for (const [i, mtu] of least.entries()) if (mtu < wanted) findings.push(tooNarrow(way![i]!, wanted))
  const reaches =
    findings.length > 0 ? (findings.some(isCertain) ? 'no' : 'unknown') : followed.certain ? 'yes' : 'unknown'
  return answer(parts, { reaches, findings: unique(findings), ...common, ...figuresOf(way) })
}

/** One cause is told once, whichever frames it stops. */
const unique = (findings: readonly Finding[]): readonly Finding[] => {
  const causeOf = ({ check, dpid, entry, sentence }: Finding) =>
    entry === undefined && check !== 'drift' ? sentence : `${check} ${dpid} ${entry}`
  return findings.filter((finding, i) => findings.findIndex(other => causeOf(other) === causeOf(finding)) === i)
}

/** A switch that is away may still forward. */
const isCertain = ({ check }: Finding): boolean => check !== 'switch-away' && check !== 'not-programmed'

const answer = (parts: Parts, it: Omit<ExplainAnswer, 'summary' | 'revision'>): ExplainAnswer => {
  const [first] = it.findings
  const yes = `${it.reaches === 'yes' ? 'They reach each other' : 'Nothing was found in the way'}${it.way && it.way.length > 0 ? `, over ${it.way.length} link${it.way.length > 1 ? 's' : ''}` : ''}`
  return { revision: parts.store.state().revision, ...it, summary: first?.sentence ?? yes }
}

function notFound(text: string, found: Found): Finding | undefined {
  if (found.is === 'one') return undefined
  if (found.is === 'many') {
    const places = found.attachments.slice(0, 8).map(a => `${attachmentKey(a)} of network ${a.network}`)
    return {
      check: 'ambiguous',
      sentence: `${text} may be ${places.join(', or ')}`,
      remedy: 'name the port: DPID/PORT, with /VLAN behind it if it has tags',
    }
  }
  const { departure } = found
  const remedy = departure
    ? `PUT /v1/networks/${departure.attachment.network}/attachments/${departure.attachment.dpid}/${departure.attachment.port} attaches it again`
    : 'attach it: PUT /v1/networks/NETWORK/attachments/DPID/PORT'
  return { check: 'detached', sentence: found.sentence, remedy, ...(departure && { dpid: departure.attachment.dpid }) }
}

const placeView = ({ dpid, port, network, vlan, name, mac, ips }: Known): PlaceView => ({
  ...{ dpid, port, network },
  ...(vlan !== undefined && { vlan }),
  ...(name !== undefined && { name }),
  ...(mac !== undefined && { mac }),
  ...(ips !== undefined && { ips }),
})

function pairOf(parts: Parts, from: Known, to: Known): Pair {
  const { declaredLinks, discoveredLinks } = parts.store.state()
  return {
    ...{ from, to, status: parts.status(), formerMembers: parts.formerMembers },
    *linksFrom(dpid) {
      const all: Iterable<Link>[] = [declaredLinks.values(), parts.planned.links(), discoveredLinks.values()]
      for (const links of all) for (const link of links) if (link.from.dpid === dpid) yield link
    },
  }
}

type Way = { readonly findings: readonly Finding[]; readonly there: Trace; readonly certain: boolean }

/** A broadcast from one to the other, as ARP is, and unicast both ways, if addresses are known. */
async function follow(parts: Parts, pair: Pair): Promise<Way> {
  const { from, to } = pair
  const ways = [
    { a: from, b: to, dst: undefined, what: 'a broadcast (ARP, for example)' },
    ...(to.mac === undefined ? [] : [{ a: from, b: to, dst: to.mac, what: `a frame to ${to.mac}` }]),
    ...(from.mac === undefined ? [] : [{ a: to, b: from, dst: from.mac, what: `the answer to ${from.mac}` }]),
  ]
  const findings: Finding[] = []
  let there: Trace | undefined
  let certain = true
  for (const { a, b, dst, what } of ways) {
    const frame = frameBetween(a, b, dst)
    const held = await traceOn(parts, 'held', { dpid: a.dpid, port: a.port, frame })
    if (a === from) there = held.trace
    certain &&=
      held.unread.length === 0 && held.trace.isWhole && held.trace.visits.every(visit => visit.unknown === undefined)
    const times = arrivals(held.trace, b)
    if (times === 1) continue
    findings.push(times > 1 ? doubled(a, b, what, times) : await blamed(parts, held, a, b, frame, what))
  }
  return { findings: findings.slice(0, 2), there: there!, certain }
}

const ipOf = ({ ips = [] }: Known, family: 4 | 6): string | undefined =>
  ips.map(ip => ip.split('/')[0]!).find(ip => ip.includes(':') === (family === 6))

/** ARP where both have an IPv4 address, else a frame that nobody takes for anything; with a tag where the port has one. */
function frameBetween(a: Known, b: Known, dst: string | undefined): Buffer {
  const [source, target] = [ipOf(a, 4), ipOf(b, 4)]
  const arp = source !== undefined && target !== undefined
  const frame = frameOf({
    ...(a.mac !== undefined && { src: a.mac }),
    ...(dst !== undefined && { dst }),
    ...(a.vlan !== undefined && { vlan: String(a.vlan) }),
    ...(arp && { arp: dst === undefined ? 'request' : 'reply', ipSrc: source, ipDst: target }),
  })
  if (!Buffer.isBuffer(frame)) throw new Error(`no frame from ${placeText(a)}: ${frame.where} is ${frame.got}`)
  return frame
}

const arrivals = ({ visits }: Trace, { dpid, port }: Known): number =>
  visits.reduce(
    (sum, visit) =>
      sum + visit.copies.filter(copy => visit.dpid === dpid && copy.port === port && copy.end.is === 'port').length,
    0,
  )

const doubled = (a: Known, b: Known, what: string, times: number): Finding => ({
  ...{ check: 'doubled', dpid: b.dpid },
  sentence: `${what} from ${placeText(a)} comes out of ${placeText(b)} ${times} times`,
  remedy: `l2sm trace ${attachmentKey(a)} shows by which ways`,
})

/** Why a frame does not arrive: the entry, the link or the port that ends it, on what the switches hold. */
async function blamed(
  parts: Parts,
  { trace, plane }: Followed,
  a: Known,
  b: Known,
  frame: Buffer,
  what: string,
): Promise<Finding> {
  const words = `${what} from ${placeText(a)} does not come out of ${placeText(b)}`
  const lost = trace.visits.flatMap(({ dpid, copies }) =>
    copies.flatMap(({ end }) => (end.is === 'lost' ? [{ dpid, why: end.why }] : [])),
  )
  const foreign = trace.visits.flatMap(({ dpid, steps }) =>
    steps.flatMap(({ flow, table }) => (flow && flow.owner < 0 ? [{ dpid, flow, table }] : [])),
  )[0]
  if (foreign)
    return {
      ...{ check: 'foreign', dpid: foreign.dpid, entry: flowWords(foreign.flow) },
      sentence: `${words}: switch ${foreign.dpid} has an entry that is not ours, in table ${foreign.table}: ${flowWords(foreign.flow)}`,
      remedy: 'find who puts it there; the next look at all flows of the switch, a minute away at most, removes it',
    }
  const desired = await traceOn(parts, 'desired', { dpid: a.dpid, port: a.port, frame })
  const ending = endingOf(trace, b.dpid)
  if (arrivals(desired.trace, b) === 1)
    return {
      ...{ check: 'drift', ...(ending && { dpid: ending.dpid }) },
      sentence: `${words}: switch ${ending?.dpid ?? a.dpid} does not hold what it should (${stopWords(ending)})`,
      remedy:
        'the next look at all flows of the switch, a minute away at most, puts it right; l2sm trace --tables both shows the difference',
    }
  if (lost[0])
    return { check: 'lost', dpid: lost[0].dpid, sentence: `${words}: ${lost[0].why}`, remedy: 'mend that link or port' }
  const step = ending?.steps.at(-1)
  const isGuard = step?.table === pipeline.guard.id
  return {
    ...{
      check: isGuard ? 'guard' : 'blocked',
      ...(ending && { dpid: ending.dpid }),
      ...(step?.flow && { entry: flowWords(step.flow) }),
    },
    sentence: `${words}: ${stopWords(ending)}${step?.flow ? ` (${ownerWords(plane, step.flow.owner)})` : ''}`,
    remedy: isGuard
      ? 'its guard lets it send from what its attachment declares only: declare its MAC and addresses, or guard: learn'
      : `l2sm trace ${attachmentKey(a)} shows each step`,
  }
}

/** Where a frame ended without a copy; else the last switch that it came to, that of the other port if it came there. */
const endingOf = ({ visits }: Trace, dpid: DatapathId): Visit | undefined =>
  visits.find(visit => visit.copies.length === 0 && visit.dpid === dpid) ??
  visits.find(({ copies }) => copies.length === 0) ??
  visits.find(visit => visit.dpid === dpid) ??
  visits.at(-1)

function stopWords(visit: Visit | undefined): string {
  const step = visit?.steps.at(-1)
  if (!visit || !step) return 'nothing is known of where it ends'
  const table = `table ${step.table}${tableName(step.table) ? ` (${tableName(step.table)})` : ''} of switch ${visit.dpid}`
  if (visit.copies.length > 0) return `${table} sends it elsewhere: ${step.flow ? flowWords(step.flow) : ''}`
  return step.flow ? `${table} drops it: ${flowWords(step.flow)}` : `no entry of ${table} takes it`
}

/** Frames that came in at a port, and that its guard let pass, by what its switch has counted. */
async function guarded(parts: Parts, { from, to }: Pair): Promise<readonly Finding[]> {
  const findings: Finding[] = []
  for (const end of [from, to]) {
    const counts = end.guard === undefined || end.guard === 'learn' ? undefined : await countsAt(parts, end)
    if (!counts || counts.passed > 0 || counts.admitted === 0) continue
    findings.push({
      ...{ check: 'guard', dpid: end.dpid },
      sentence: `the guard of ${placeText(end)} has let none of the ${counts.admitted} frames pass that came in there: it sends from other addresses than ${end.mac ?? 'those declared'}`,
      remedy: 'give its interface the MAC that is declared, or declare the one that it has',
    })
  }
  return findings
}

async function countsAt(
  { switches, store }: Parts,
  { dpid, port, network }: Known,
): Promise<{ readonly admitted: number; readonly passed: number } | undefined> {
  const session = switches.get(dpid)?.session
  if (!session) return undefined
  const numbers = new Set(numbersAt(store.state(), network).map(BigInt))
  const counts = { admitted: 0, passed: 0 }
  const { bodies } = await session.readFlows()
  await inSlices(
    each(bodies, body =>
      eachEntry(body, (bytes, at, length) => {
        const table = bytes[at + entryAt.tableId]
        if (table !== pipeline.admit.id && table !== pipeline.guard.id) return
        const entry = bytes.subarray(at, at + length)
        if (!numbers.has(entry.readBigUInt64BE(entryAt.cookie) & 0xffff_ffffn)) return
        if (!matchBits(entry).some(({ field, value }) => field === 'in_port' && value === BigInt(port))) return
        const packets = Number(entry.readBigUInt64BE(entryAt.packetCount))
        if (table === pipeline.admit.id) counts.admitted += packets
        else counts.passed += packets
      }),
    ),
  )
  return counts
}

/** What the nodes of these switches are declared to carry. */
function declaredMtu({ store }: Parts, { from, to }: Pair): number | undefined {
  const { nodes, nodeAt, overlay } = store.state()
  const mtus = [from, to].flatMap(({ dpid }) => nodes.get(nodeAt.get(dpid) ?? '')?.mtu ?? overlay.mtu ?? [])
  return mtus.length > 0 ? Math.min(...mtus) : undefined
}

const tooNarrow = ({ from, to, mtu }: HopView, wanted: number): Finding => ({
  ...{ check: 'mtu', dpid: from.dpid },
  sentence: `the link from ${endpointKey(from)} to ${endpointKey(to)} carries packets of ${mtu} bytes at most, and ${wanted} are wanted: small ones pass, larger ones are lost`,
  remedy: `raise the MTU of the underlay between the two nodes, or lower that of the interfaces to ${mtu}`,
})

/** The links by which a frame came to where it was to go. */
function wayOf({ discover }: Parts, { visits }: Trace): readonly HopView[] | undefined {
  const last = visits.findLastIndex(({ copies }) => copies.some(({ end }) => end.is === 'port'))
  if (last < 0) return undefined
  const hops: HopView[] = []
  for (let at = visits[last]!; at.from; at = visits[at.from.visit]!) {
    const { visit, copy } = at.from
    const from = { dpid: visits[visit]!.dpid, port: visits[visit]!.copies[copy]!.port }
    const link = { from, to: { dpid: at.dpid, port: at.port } }
    const { rttMs, mtu } = discover.linkStatistics(link) ?? {}
    hops.unshift({
      ...link,
      ...(rttMs !== undefined && { rttMs: Math.round(rttMs * 1000) / 1000 }),
      ...(mtu !== undefined && { mtu }),
    })
  }
  return hops
}

function figuresOf(way: readonly HopView[] | undefined): Pick<ExplainAnswer, 'way' | 'rttMs' | 'mtu'> {
  if (!way) return {}
  const rtts = way.flatMap(({ rttMs }) => rttMs ?? [])
  const mtus = way.flatMap(({ mtu }) => mtu ?? [])
  return {
    way,
    ...(way.length > 0 &&
      rtts.length === way.length && { rttMs: Math.round(rtts.reduce((sum, rtt) => sum + rtt, 0) * 1000) / 1000 }),
    ...(way.length > 0 && mtus.length === way.length && { mtu: Math.min(...mtus) }),
  }
}
