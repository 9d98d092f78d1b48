// One real bridge without ports, a session of ours with it, and beside that a raw controller's.
import { listen } from '../openflow/session/server.ts'
import type { Session } from '../openflow/session/session.ts'
import { type Ovs, startOvs } from './ovs.ts'
import { type RawController, rawController } from './raw.ts'

const nothing = () => {}
/** Counts nothing. */
export const silentRecord = {
  message: nothing,
  error: nothing,
  connection: nothing,
  packetIn: nothing,
  packetInDropped: nothing,
  flowMods: nothing,
  repaired: nothing,
  programmed: nothing,
  compiled: nothing,
}
export const silentLog = { debug: nothing, info: nothing, warn: nothing, error: nothing }

export type Bridge = {
  readonly ovs: Ovs
  readonly session: Session
  readonly raw: RawController
  close(): Promise<void>
}

/** The bridge is `br0`. Both controllers have a TCP connection each, over loopback. */
export async function bridge(folder: string): Promise<Bridge> {
  const { promise, resolve } = Promise.withResolvers<Session>()
  const events = { up: resolve, down: nothing, portStatus: nothing, packetIn: nothing, flowRemoved: nothing }
  const server = await listen({ listeners: [{ host: '127.0.0.1', port: 0 }], events, metrics: silentRecord })
  const raw = await rawController()
  const ovs = await startOvs(folder)
  const controllers = [`tcp:127.0.0.1:${server.addresses[0]!.port}`, raw.target]
  await ovs.addBridge({ name: 'br0', dpid: '00000000000000b1', ports: [], controllers })
  const [session] = await Promise.all([promise, raw.ready])
  return {
    ovs,
    session,
    raw,
    async close() {
      await server.close()
      await raw.close()
      await ovs.close()
    },
  }
}
