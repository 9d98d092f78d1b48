// One real bridge, and a session with it, for benches.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { addBridge, type Ovs, openOvs, sequence, setControllers } from '../lab/ovs.ts'
import { listen } from '../openflow/server.ts'
import type { Session } from '../openflow/session.ts'

export const nothing = () => {}
export const silentRecord = { message: nothing, error: nothing, connection: nothing }

export type Bridge = { readonly ovs: Ovs; readonly session: Session; readonly socket: string; close(): Promise<void> }

/** Open vSwitch in this namespace, without ports, joined to us over loopback. */
export async function bridge(): Promise<Bridge> {
  const directory = await mkdtemp(join(tmpdir(), 'l2sm-bench-'))
  const { promise, resolve } = Promise.withResolvers<Session>()
  const events = { up: resolve, down: nothing, portStatus: nothing, packetIn: nothing, flowRemoved: nothing }
  const server = await listen({ listeners: [{ host: '127.0.0.1', port: 0 }], events, record: silentRecord })
  const target = `tcp:127.0.0.1:${server.addresses[0]!.port}`
  const config = sequence(
    addBridge({ name: 'br0', datapath: 'userspace', dpid: '00000000000000b1' }),
    setControllers('br0', [target]),
  )
  const ovs = await openOvs({ directory, datapath: 'userspace' }, config)
  await ovs.start()
  return {
    ovs,
    session: await promise,
    socket: join(directory, 'br0.mgmt'),
    async close() {
      await server.close()
      await ovs.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
