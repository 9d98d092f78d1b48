// The same messages and frames to Open vSwitch and to a reference switch, and what each made of them, in comparable words.
import {
  errorName,
  flowMod,
  groupMod,
  groups,
  type Message,
  meterMod,
  meters,
  ports,
  tables,
} from '../../openflow/index.ts'
import { ethernet, vxlan } from '../reference/frames.ts'
import { apply, type Kind, newSwitch, process, type Result, type Switch } from '../reference/index.ts'
import { compileMatch } from '../reference/match.ts'
import { accessPorts, tunnelPorts } from '../reference/random.ts'
import { type Channel, type DummyOvs, remoteMac, underlay } from './dummy-ovs.ts'

/** As Open vSwitch is set up by `startDummyOvs(accessPorts, tunnelPorts)`: with LOCAL, and with the tunnels' addresses. */
export function twin(kind: Partial<Kind> = {}): Switch {
  const sw = newSwitch({ dpid: 1n, ports: [...accessPorts, ports.local], tunnels: [...tunnelPorts], kind })
  for (const [number, port] of sw.ports)
    if (port.tunnel) sw.ports.set(number, { ...port, tunnel: { remote: underlay(number - 100), local: underlay(1) } })
  return sw
}

/** Takes everything away from both. */
export const clearBoth = (ovs: DummyOvs, channel: Channel, sw: Switch): ReturnType<typeof tellBoth> =>
  tellBoth(ovs, channel, sw, [
    flowMod({ command: 'delete', tableId: tables.all }),
    groupMod({ command: 'delete', groupId: groups.all }),
    meterMod({ command: 'delete', meterId: meters.all }),
  ])

/**
 * Sends the messages to both. What each answered, in its order, but FLOW_REMOVED at the end: Open vSwitch sends them
 * after the barrier's reply, when no thread of its can see the flow any more. Then frames meet the new flows only.
 */
export async function tellBoth(
  ovs: DummyOvs,
  channel: Channel,
  sw: Switch,
  messages: readonly Message[],
): Promise<{ theirs: string[]; ours: string[] }> {
  const numbered = messages.map((message, i) => renumber(message, i + 1))
  const theirs = await channel.exchange(numbered)
  const ours = numbered.flatMap(message => apply(sw, message))
  const removals = (replies: readonly Message[]) => replies.filter(({ type }) => type === 'flow_removed').length
  for (const until = Date.now() + 10_000; removals(theirs) < removals(ours) && Date.now() < until; ) {
    await new Promise(resolve => setTimeout(resolve, 5))
    theirs.push(...(await channel.exchange([])))
  }
  // Frames of the same kind as earlier ones take a short cut through what was decided then, until it is found outdated.
  await ovs.ask('revalidator/purge')
  return { theirs: told(theirs), ours: told(ours) }
}

const renumber = (message: Message, xid: number): Message =>
  message.type === 'bundle_add'
    ? { ...message, xid, message: { ...message.message, xid: message.message.xid === 0 ? xid : message.message.xid } }
    : { ...message, xid }

function told(replies: readonly Message[]): string[] {
  const removed = replies.filter(reply => reply.type === 'flow_removed').map(words)
  return [...replies.filter(reply => reply.type !== 'flow_removed').map(words), ...removed.sort()]
}

function words(reply: Message): string {
  if (reply.type === 'error') return `${reply.xid} ${errorName(reply.errorType, reply.errorCode)}`
  if (reply.type === 'bundle_control') return `${reply.xid} ${reply.ctrlType} ${reply.bundleId}`
  if (reply.type !== 'flow_removed') return text(reply)
  const { cookie, priority, reason, tableId, idleTimeout, hardTimeout, packetCount, byteCount, match } = reply
  return text([
    reply.type,
    cookie,
    priority,
    reason,
    tableId,
    idleTimeout,
    hardTimeout,
    packetCount,
    byteCount,
    identity(match),
  ])
}

export const text = (value: unknown): string => JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? `${v}n` : v))

/** A switch may send the fields of a match in another order, so it is compared by what it means. */
function identity(match: Parameters<typeof compileMatch>[0]): string {
  const compiled = compileMatch(match, { nicira: true })
  return 'identity' in compiled ? compiled.identity : `unknown match ${text(match)}`
}

const any = { outPort: ports.any, outGroup: groups.any, cookie: 0n, cookieMask: 0n, match: {} }
const questions: readonly Message[] = [
  { type: 'multipart_request', xid: 1, flags: 0, body: { type: 'flow', tableId: tables.all, ...any } },
  { type: 'multipart_request', xid: 2, flags: 0, body: { type: 'group_desc' } },
  { type: 'multipart_request', xid: 3, flags: 0, body: { type: 'meter_config', meterId: meters.all } },
]

/** All flows with their counters, groups and meters of both; durations left out. */
export async function dumpBoth(channel: Channel, sw: Switch): Promise<{ theirs: string[]; ours: string[] }> {
  return { theirs: held(await channel.exchange(questions)), ours: held(questions.flatMap(q => apply(sw, q))) }
}

function held(replies: readonly Message[]): string[] {
  return replies
    .flatMap(reply => {
      if (reply.type !== 'multipart_reply') throw new Error(`expected a multipart reply, got ${text(reply)}`)
      const { body } = reply
      if (body.type === 'flow')
        return body.flows.map(({ match, durationSec: _1, durationNsec: _2, ...flow }) =>
          text(['flow', identity(match), sorted(flow)]),
        )
      if (body.type === 'group_desc') return body.groups.map(group => text(['group', sorted(group)]))
      return body.type === 'meter_config' ? body.meters.map(meter => text(['meter', sorted(meter)])) : []
    })
    .sort()
}

const sorted = (value: object): unknown =>
  Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))

/** A frame on its way in: `tunnelId` is 0 for ports that are no tunnels. */
export type Arrival = { readonly inPort: number; readonly tunnelId: bigint; readonly frame: Buffer }

/** What leaves, as text: `2@0 <frame>`, `102@7 <frame>`; and the packet-ins. LOCAL leads nowhere and is left out. */
export type Seen = { readonly frames: string[]; readonly packetIns: string[] }

/** Frames that end in 8 bytes of their own, by which copies are known. */
const markerOf = (frame: Buffer): string => frame.subarray(-8).toString('hex')

export function seenByUs({ outputs, packetIns }: Result): Seen {
  const frames = outputs
    .filter(({ port }) => port !== ports.local)
    .map(({ port, tunnelId, frame }) => `${port}@${tunnelId} ${frame.toString('hex')}`)
  return { frames: frames.sort(), packetIns: packetIns.map(packetInWords).sort() }
}

function packetInWords(message: Message): string {
  if (message.type !== 'packet_in') throw new Error(`expected a packet-in, got ${text(message)}`)
  const { reason, tableId, cookie, totalLen, match, payload } = message
  return text([reason, tableId, cookie, totalLen, sorted(match), payload.toString('hex')])
}

export const sendToUs = (sw: Switch, { inPort, frame, tunnelId }: Arrival): Result =>
  process(sw, inPort, frame, tunnelId)

/** Open vSwitch's devices hold 100 frames each. */
const atOnce = 60
/** Of this type and to this address nothing else is sent: answered by an entry that returns it, after all frames before. */
const echoType = 0x88b6
export const echo = flowMod({
  priority: 0xffff,
  match: { eth_type: echoType },
  instructions: [{ type: 'apply_actions', actions: [{ type: 'output', port: ports.inPort, maxLen: 0 }] }],
})

/** Really sends the frames through Open vSwitch, whose tables hold `echo`. What it did with each, in their order. */
export async function sendThrough(ovs: DummyOvs, channel: Channel, arrivals: readonly Arrival[]): Promise<Seen[]> {
  const seen = new Map<string, Seen>(arrivals.map(({ frame }) => [markerOf(frame), { frames: [], packetIns: [] }]))
  const put = (frame: Buffer, list: keyof Seen, line: string) => {
    const at = seen.get(markerOf(frame))
    if (!at) throw new Error(`a frame that nobody sent came out: ${line}`)
    at[list].push(line)
  }
  for (let i = 0; i < arrivals.length; i += atOnce) {
    await Promise.all(arrivals.slice(i, i + atOnce).map(arrival => putIn(ovs, arrival)))
    for (const { port, tunnelId, frame } of await drain(ovs, i))
      put(frame, 'frames', `${port}@${tunnelId} ${frame.toString('hex')}`)
  }
  for (const message of await channel.exchange([]))
    if (message.type === 'packet_in') put(message.payload, 'packetIns', packetInWords(message))
  return arrivals.map(({ frame }) => {
    const { frames, packetIns } = seen.get(markerOf(frame))!
    return { frames: frames.sort(), packetIns: packetIns.sort() }
  })
}

const overTunnel = ({ localMac }: DummyOvs, n: number, vni: bigint, frame: Buffer): Buffer =>
  vxlan({ dst: localMac, src: remoteMac(n) }, { src: underlay(n), dst: underlay(1) }, Number(vni), frame)

async function putIn(ovs: DummyOvs, { inPort, tunnelId, frame }: Arrival): Promise<void> {
  const tunnel = (tunnelPorts as readonly number[]).includes(inPort)
  const bytes = tunnel ? overTunnel(ovs, inPort - 100, tunnelId, frame) : frame
  await ovs.ask('netdev-dummy/receive', tunnel ? 'p0' : `a${inPort}`, bytes.toString('hex'))
}

type Out = { readonly port: number; readonly tunnelId: number; readonly frame: Buffer }

/** All that left, once an echo has come back by every device: each handles its frames in order. */
async function drain(ovs: DummyOvs, round: number): Promise<Out[]> {
  const marker = Buffer.alloc(8, 0xee)
  marker.writeUInt32BE(round, 4)
  const frame = ethernet(
    { dst: '02:00:00:00:00:01', src: '02:00:00:00:00:02' },
    echoType,
    Buffer.concat([Buffer.alloc(40), marker]),
  )
  for (const inPort of [...accessPorts, tunnelPorts[0]]) await putIn(ovs, { inPort, tunnelId: 1n, frame })
  const found: Out[] = []
  let echoes = 0
  const until = Date.now() + 20_000
  for (let last = false; !last; ) {
    if (Date.now() > until) throw new Error(`${echoes} of ${accessPorts.length + 1} echoes came back in 20 s`)
    // Once more after the last echo: its device may have been read before the others.
    last = echoes === accessPorts.length + 1
    await ovs.ask('version')
    for (const out of await leaving(ovs)) {
      if (out.frame.subarray(-8).equals(marker)) echoes++
      else found.push(out)
    }
  }
  return found
}

async function leaving(ovs: DummyOvs): Promise<Out[]> {
  const out: Out[] = []
  for (const port of accessPorts) for (const frame of await ovs.sent(`a${port}`)) out.push({ port, tunnelId: 0, frame })
  for (const bytes of await ovs.sent('p0')) {
    // IPv4, UDP to port 4789: a tunnel's. Anything else is Open vSwitch looking for its peers.
    if (bytes.readUInt16BE(12) !== 0x0800 || bytes[23] !== 17 || bytes.readUInt16BE(36) !== 4789) continue
    out.push({ port: 100 + bytes[33]!, tunnelId: bytes.readUIntBE(46, 3), frame: bytes.subarray(50) })
  }
  return out
}
