// bench/codec.ts through our codec: reads lines `CASE CALLS`, does it that often, and answers each with the nanoseconds of processor
// time that this process took. The line `hex` is answered with the flow-mod and the packet-in as they are on the wire.
import { createInterface } from 'node:readline'
import { decode, encode, encodeAll, type FlowMod, flowMod, framing, type PacketIn } from '../openflow/index.ts'

const many = 512
let sink = 0

const macOf = Array.from({ length: many }, (_, i) => {
  const n = (i + 1).toString(16).padStart(4, '0')
  return `02:00:00:00:${n.slice(0, 2)}:${n.slice(2)}`
})

const entry = (i: number): FlowMod =>
  flowMod({
    xid: i,
    cookie: 0x6c32736d00000007n,
    tableId: 2,
    priority: 100,
    match: { in_port: 3 + i, eth_dst: macOf[i]! },
    instructions: [{ type: 'apply_actions', actions: [{ type: 'output', port: 4 + i, maxLen: 0 }] }],
  })
const packetIn: PacketIn = {
  ...{ type: 'packet_in', xid: 0, bufferId: 0xffffffff, totalLen: 60, reason: 'action', tableId: 1, cookie: 5n },
  ...{ match: { in_port: 3, metadata: 7n }, payload: Buffer.alloc(60) },
}

const ready = entry(0)
const flowModBytes = encode(ready)
const packetInBytes = encode(packetIn)
const stream = encodeAll(new Array<PacketIn>(many).fill(packetIn))

const cases: Readonly<Record<string, () => void>> = {
  encode_flow_mod() {
    sink += encode(ready).length
  },
  decode_flow_mod() {
    sink += decode(flowModBytes).xid
  },
  decode_packet_in() {
    sink += decode(packetInBytes).xid
  },
  /** What a switch is programmed with: entries that differ, made of values and written one behind the other. */
  programme() {
    const entries: FlowMod[] = []
    for (let i = 0; i < many; i++) entries.push(entry(i))
    sink += encodeAll(entries).length
  },
  /** What a learning controller does with what it has read: takes it apart, and looks where which sender came in. */
  take() {
    framing().split(stream, (bytes, from, to) => {
      const { match, payload } = decode(bytes, from, to) as PacketIn
      sink += (match.in_port as number) + payload[11]!
    })
  },
}

for await (const line of createInterface({ input: process.stdin })) {
  const [name, calls] = line.split(' ')
  if (name === 'hex') console.log(`${flowModBytes.toString('hex')} ${packetInBytes.toString('hex')}`)
  else {
    const run = cases[name!]!
    const before = process.cpuUsage()
    for (let i = 0; i < Number(calls); i++) run()
    const { user, system } = process.cpuUsage(before)
    console.log((user + system) * 1000)
  }
}
if (sink === 0) throw new Error('nothing was done')
