// Messages per CPU-second of the OpenFlow codec, one thread: `node bench/codec.ts`.
// Rounds alternate between the cases, so that what else the machine does hits all of them; best and median are shown.
import { cpus } from 'node:os'
import { decode, encode, encodeAll, flowMod, formatFlow, type Message } from '../openflow/index.ts'

const small = flowMod({
  cookie: 0x6c32736d00000007n,
  tableId: 2,
  priority: 100,
  match: { in_port: 3, eth_dst: '02:00:00:00:00:01' },
  instructions: [{ type: 'apply_actions', actions: [{ type: 'output', port: 4, maxLen: 0 }] }],
})
const usual = flowMod({
  ...small,
  match: { in_port: 3, metadata: { value: 7n, mask: 0x2ffffffffn }, eth_dst: '02:00:00:00:00:01' },
  instructions: [
    {
      type: 'apply_actions',
      actions: [
        { type: 'set_field', field: 'tunnel_id', value: 7n },
        { type: 'output', port: 4, maxLen: 0 },
      ],
    },
  ],
})
const packetIn: Message = {
  type: 'packet_in',
  xid: 0,
  bufferId: 0xffffffff,
  totalLen: 60,
  reason: 'action',
  tableId: 1,
  cookie: 5n,
  match: { in_port: 3, metadata: 7n },
  payload: Buffer.alloc(60),
}
const thousand = Array.from({ length: 1000 }, (_, xid) => ({ ...small, xid }))
const bytes = { small: encode(small), usual: encode(usual), packetIn: encode(packetIn) }

type Case = readonly [name: string, perCall: number, run: () => unknown]
const cases: readonly Case[] = [
  [`encode a flow-mod of ${bytes.small.length} bytes`, 1, () => encode(small)],
  [`decode a flow-mod of ${bytes.small.length} bytes`, 1, () => decode(bytes.small)],
  [`encode a flow-mod of ${bytes.usual.length} bytes`, 1, () => encode(usual)],
  [`decode a flow-mod of ${bytes.usual.length} bytes`, 1, () => decode(bytes.usual)],
  [`decode a packet-in of ${bytes.packetIn.length} bytes`, 1, () => decode(bytes.packetIn)],
  [`encode 1000 flow-mods of ${bytes.small.length} bytes into one buffer`, 1000, () => encodeAll(thousand)],
  [`format a flow of ${bytes.usual.length} bytes`, 1, () => formatFlow(usual)],
]

/** Messages per second of CPU time, in `calls` calls. */
function rate([, perCall, run]: Case, calls: number): number {
  const start = process.cpuUsage()
  for (let i = 0; i < calls; i++) run()
  const { user, system } = process.cpuUsage(start)
  return (calls * perCall * 1e6) / (user + system)
}

const rounds = Number(process.argv[2] ?? 15)
const rates = cases.map((): number[] => [])
for (const one of cases) rate(one, 50_000 / one[1])
for (let round = 0; round < rounds; round++)
  cases.forEach((one, i) => {
    rates[i]!.push(rate(one, 100_000 / one[1]))
  })

console.log(`${cpus()[0]?.model}, Node ${process.version}; million messages per CPU-second, ${rounds} rounds`)
cases.forEach(([name], i) => {
  const sorted = rates[i]!.toSorted((a, b) => b - a)
  const millions = (n: number): string => (n / 1e6).toFixed(2)
  console.log(`${name.padEnd(52)} best ${millions(sorted[0]!)}  median ${millions(sorted[rounds >> 1]!)}`)
})
