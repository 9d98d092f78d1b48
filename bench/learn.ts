// From packet-in to flow-mod: how many addresses the controller learns in a second of its own processor time.
import { setTimeout as sleep } from 'node:timers/promises'
import { cookie } from '../controller/cookie.ts'
import { encodeAll, type Message, noBuffer } from '../openflow/index.ts'
import { fakeSwitch, port } from '../test/openflow/fake-switch.ts'
import { answers, end, httpPort, l2sm, openflowPort, start } from './contenders.ts'
import { cpuOf, print } from './machine.ts'
import type { Bench } from './run.ts'
import { dpidOf } from './world.ts'

const switches = 16
const portsPerSwitch = 10

/** A frame of 64 bytes from an address of its own. */
function frame(s: number, p: number, m: number): Buffer {
  const bytes = Buffer.alloc(64)
  bytes.fill(0xff, 0, 6)
  bytes.set([2, 7, s, p, m >>> 8, m & 255], 6)
  return bytes
}

const packetIns = (network: number, s: number, addresses: number): Buffer =>
  encodeAll(
    Array.from({ length: portsPerSwitch * addresses }, (_, i): Message => {
      const [p, m] = [1 + (i % portsPerSwitch), Math.floor(i / portsPerSwitch)]
      const payload = frame(s, p, m)
      const match = { in_port: p, metadata: BigInt(network) }
      return {
        type: 'packet_in',
        xid: 0,
        bufferId: noBuffer,
        totalLen: payload.length,
        reason: 'action',
        tableId: 1,
        cookie: cookie('network', network),
        match,
        payload,
      }
    }),
  )

async function put(path: string): Promise<{ readonly number: number }> {
  const answer = await fetch(`http://127.0.0.1:${httpPort}${path}`, { method: 'PUT' })
  if (!answer.ok) throw new Error(`PUT ${path}: ${answer.status} ${await answer.text()}`)
  return (await answer.json()) as { number: number }
}

export const learn: Bench = {
  about: `addresses learned by ${switches} emulated switches`,
  async run({ folder, small }) {
    const addresses = small ? 10 : 100
    const controller = start(l2sm('memory', folder))
    try {
      await answers(httpPort, '/livez')
      const ports = Array.from({ length: portsPerSwitch }, (_, i) => port(i + 1))
      const fakes = await Promise.all(
        Array.from({ length: switches }, async (_, s) => {
          const { number } = await put(`/v1/networks/n${s}`)
          for (const { portNo } of ports) await put(`/v1/networks/n${s}/attachments/${dpidOf(s)}/${portNo}`)
          const fake = await fakeSwitch({ host: '127.0.0.1', port: openflowPort }, { dpid: BigInt(s + 1), ports })
          return { fake, bytes: packetIns(number, s, addresses) }
        }),
      )
      const learned = ({ fake }: (typeof fakes)[number]) =>
        fake.flows().filter(f => f.tableId === 1 && f.idleTimeout > 0).length
      await sleep(3000)
      const cpu = cpuOf(controller.child.pid!)
      const began = performance.now()
      for (const { fake, bytes } of fakes) fake.raw(bytes)
      const expected = portsPerSwitch * addresses
      // What the queues of the controller drop under such a flood comes again, as from a sender that goes on.
      for (let round = 0; round < 300 && fakes.some(f => learned(f) < expected); round++) {
        await sleep(100)
        if (round % 20 === 19) for (const f of fakes) if (learned(f) < expected) f.fake.raw(f.bytes)
      }
      const seconds = (performance.now() - began) / 1000
      const used = cpuOf(controller.child.pid!) - cpu
      const total = fakes.reduce((sum, f) => sum + learned(f), 0)
      for (const { fake } of fakes) fake.end()
      print(`${total} of ${expected * switches} addresses learned, one network a switch`, [
        ['wall', `${seconds.toFixed(2)} s`],
        ['processor time of the controller', `${used.toFixed(2)} s`],
        ['learned per processor second', `${Math.round(total / used)}`],
      ])
    } finally {
      await end(controller)
    }
  },
}
