// The OpenFlow library alone, for sessions.ts: listens on PORT, and answers each line on standard input with the bytes that it has in use.
import { createInterface } from 'node:readline'
import { listen } from '../openflow/session/server.ts'

const nothing = (): void => undefined
await listen({
  listeners: [{ host: '127.0.0.1', port: Number(process.argv[2]) }],
  events: { up: nothing, down: nothing, portStatus: nothing, packetIn: nothing, flowRemoved: nothing },
  metrics: { message: nothing, error: nothing, connection: nothing },
})
console.log('ready')

for await (const _ of createInterface({ input: process.stdin })) {
  for (let i = 0; i < 3; i++) {
    globalThis.gc!()
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  const { heapUsed, external } = process.memoryUsage()
  console.log(heapUsed + external)
}
