// A switch that says 250,000 packet-ins a second, in a process of its own: `node flooding-switch.ts PORT`. Until it is killed.
import { encodeAll, noBuffer, type PacketIn } from '../../openflow/index.ts'
import { fakeSwitch } from './fake-switch.ts'

const fake = await fakeSwitch({ host: '127.0.0.1', port: Number(process.argv[2]) }, { dpid: 1n })
const packetIn: PacketIn = {
  ...{ type: 'packet_in', xid: 0, bufferId: noBuffer, totalLen: 60, reason: 'action', tableId: 1, cookie: 1n },
  ...{ match: { in_port: 1 }, payload: Buffer.alloc(60) },
}
const many = encodeAll(new Array<PacketIn>(500).fill(packetIn))
setInterval(() => fake.raw(many), 2)
fake.closed.then(() => process.exit())
