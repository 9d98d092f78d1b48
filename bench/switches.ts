// Emulated switches that do nothing but send packet-ins that were prepared, and count what comes back: a program of its own,
// so that what it uses is not counted as the controller's. Started by learn.ts with a Plan; tells `ready`, waits for `go`, tells Result.
import { connect, type Socket } from 'node:net'
import { encode, framing, type Message, noBuffer, type PortDesc } from '../openflow/index.ts'

export type Plan = {
  readonly port: number
  readonly switches: readonly {
    /** 16 hex digits. */
    readonly dpid: string
    /** Where frames from unknown senders come in: the cookie (in decimal) and the table of the entry that sends them up. */
    readonly ports: readonly { readonly port: number; readonly cookie: string; readonly tableId: number }[]
    /** Its other ports. */
    readonly links: readonly number[]
  }[]
  /** Senders behind each port. */
  readonly addresses: number
  /** Packet-ins of one switch without an answer, at most. */
  readonly outstanding: number
  /** What counts as an answer: an entry added to this table, or with 'packet_out' that. */
  readonly answer: number | 'packet_out'
}
export type Result = { readonly ms: number; readonly answers: number; readonly flowMods: number }

const types = {
  echoRequest: 2,
  experimenter: 4,
  featuresRequest: 5,
  getConfigRequest: 7,
  packetOut: 13,
  flowMod: 14,
  multipartRequest: 18,
  barrierRequest: 20,
} as const
const bundleControl = 2300
const bundleAdd = 2301

type Switch = {
  readonly socket: Socket
  /** Packet-ins, ready to be sent. */
  readonly frames: readonly Buffer[]
  sent: number
  answers: number
}

const plan: Plan = JSON.parse(process.argv[2]!)
let flowMods = 0
let waiting = plan.switches.length
let finish: () => void = () => {}

const switches = plan.switches.map((it): Switch => {
  const socket = connect({ port: plan.port, host: '127.0.0.1', noDelay: true })
  const sw: Switch = { socket, frames: framesOf(it), sent: 0, answers: 0 }
  const { push } = framing()
  const reply = (message: Message) => socket.write(encode(message))
  reply({ type: 'hello', xid: 0, elements: [{ type: 'versionbitmap', versions: [4] }] })
  socket.on('data', chunk => {
    const before = sw.answers
    push(chunk, message => take(sw, it, message, reply))
    if (sw.answers > before) more(sw)
  })
  socket.on('error', error => fail(`switch ${it.dpid}: ${error.message}`))
  socket.on('close', () => fail(`switch ${it.dpid} was hung up on`))
  return sw
})

function fail(words: string): never {
  console.error(words)
  process.exit(1)
}

function take(sw: Switch, it: Plan['switches'][number], message: Buffer, reply: (message: Message) => void): void {
  const xid = message.readUInt32BE(4)
  switch (message[1]) {
    case types.flowMod:
      count(sw, message)
      break
    case types.packetOut:
      if (plan.answer === 'packet_out') sw.answers++
      break
    case types.experimenter:
      experimenter(sw, message, reply)
      break
    case types.barrierRequest:
      reply({ type: 'barrier_reply', xid })
      break
    case types.echoRequest:
      reply({ type: 'echo_reply', xid, payload: Buffer.from(message.subarray(8)) })
      break
    case types.getConfigRequest:
      reply({ type: 'get_config_reply', xid, flags: 0, missSendLen: 128 })
      break
    case types.featuresRequest:
      if (--waiting === 0) process.send!('ready')
      reply({
        ...{ type: 'features_reply', xid, datapathId: BigInt(`0x${it.dpid}`), nBuffers: 0, nTables: 254 },
        ...{ auxiliaryId: 0, capabilities: 0x4f },
      })
      break
    case types.multipartRequest:
      reply(multipart(it, message, xid))
      break
  }
}

function experimenter(sw: Switch, message: Buffer, reply: (message: Message) => void): void {
  const xid = message.readUInt32BE(4)
  const type = message.readUInt32BE(12)
  if (type === bundleAdd && message[25] === types.flowMod) count(sw, message.subarray(24))
  else if (type === bundleControl) {
    // The answer is the question, with the next number as its type.
    const answer = Buffer.from(message)
    answer.writeUInt16BE(message.readUInt16BE(20) + 1, 20)
    sw.socket.write(answer)
  } else if (type !== bundleAdd) reply(refusal(xid))
}

/** A FLOW_MOD (§7.3.4.1): the table is at byte 24, the command (0: ADD) behind it. */
function count(sw: Switch, message: Buffer): void {
  flowMods++
  if (message[24] === plan.answer && message[25] === 0 && sw.sent > 0) sw.answers++
}

/** OFPET_BAD_REQUEST, OFPBRC_BAD_EXPERIMENTER or OFPBRC_BAD_MULTIPART: there is no such thing here. */
const refusal = (xid: number): Message => ({
  ...{ type: 'error', xid, errorType: 1, errorCode: 3, payload: Buffer.alloc(0) },
})

/** It holds nothing, so far as it says: the controller asks once, when it connects. */
function multipart(it: Plan['switches'][number], message: Buffer, xid: number): Message {
  const body = { 1: 'flow', 7: 'group_desc', 13: 'port_desc' }[message.readUInt16BE(8)]
  const part = { type: 'multipart_reply', xid, flags: 0 } as const
  if (body === 'flow') return { ...part, body: { type: 'flow', flows: [] } }
  if (body === 'group_desc') return { ...part, body: { type: 'group_desc', groups: [] } }
  if (body === 'port_desc')
    return { ...part, body: { type: 'port_desc', ports: [...it.ports.map(p => p.port), ...it.links].map(port) } }
  return refusal(xid)
}

const port = (portNo: number): PortDesc => ({
  ...{ portNo, hwAddr: '02:ff:00:00:00:01', name: `p${portNo}`, config: 0, state: 4, curr: 0, advertised: 0 },
  ...{ supported: 0, peer: 0, currSpeed: 0, maxSpeed: 0 },
})

/** One packet-in for each address, port after port in turn. */
function framesOf({ dpid, ports }: Plan['switches'][number]): Buffer[] {
  const frames: Buffer[] = []
  for (let i = 0; i < plan.addresses; i++)
    for (const { port, cookie, tableId } of ports) {
      const payload = Buffer.alloc(60)
      payload.fill(0xff, 0, 6)
      payload[6] = 2
      payload[7] = Number.parseInt(dpid.slice(-2), 16)
      payload.writeUInt16BE(port, 8)
      payload.writeUInt16BE(i, 10)
      payload.writeUInt16BE(0x88b5, 12)
      const [reason, match] = ['action', { in_port: port }] as const
      frames.push(
        encode({
          ...{ type: 'packet_in', xid: 0, bufferId: noBuffer, totalLen: payload.length, reason, tableId },
          ...{ cookie: BigInt(cookie), match, payload },
        }),
      )
    }
  return frames
}

/** Sends as many as may be on their way, in one write. */
function more(sw: Switch): void {
  const to = Math.min(sw.frames.length, sw.answers + plan.outstanding)
  if (to > sw.sent) {
    sw.socket.write(Buffer.concat(sw.frames.slice(sw.sent, to)))
    sw.sent = to
  }
  if (sw.answers >= sw.frames.length) finish()
}

process.on('message', () => {
  flowMods = 0
  const began = performance.now()
  finish = () => {
    if (switches.some(sw => sw.answers < sw.frames.length)) return
    const answers = switches.reduce((sum, sw) => sum + sw.answers, 0)
    const result: Result = { ms: performance.now() - began, answers, flowMods }
    process.send!(result)
    finish = () => {}
  }
  for (const sw of switches) more(sw)
})
process.on('disconnect', () => process.exit())
