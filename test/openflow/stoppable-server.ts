// A server in a process of its own, so that a test can stop that: it tells its parent what happens.
import { listen } from '../../openflow/session/server.ts'

const notify = (event: object): void => void process.send?.(event)

const server = await listen({
  listeners: [{ host: '127.0.0.1', port: 0 }],
  // Shorter than the time for which it will be stopped, longer than one pause is counted.
  limits: { silence: 2_000, echo: 200, tick: 20 },
  events: {
    up: () => notify({ event: 'up' }),
    down: (_session, reason) => notify({ event: 'down', reason }),
    portStatus: () => undefined,
    packetIn: () => undefined,
    flowRemoved: () => undefined,
  },
  metrics: { message: () => undefined, error: () => undefined, connection: () => undefined },
})
notify({ event: 'listening', port: server.addresses[0]?.port })
process.on('disconnect', () => process.exit())
