// What one switch does with a frame, against the reference switch, which shares no code with it.
import t from 'tap'
import { atOnce } from '../../../controller/compile/steps.ts'
import { forward } from '../../../controller/proof/forward.ts'
import { type Held, heldSteps } from '../../../controller/proof/lookup.ts'
import { type Model, openVSwitch, packetOf, plainSwitch } from '../../../controller/proof/packet.ts'
import { ports } from '../../../openflow/index.ts'
import { apply, type Kind, newSwitch, plainHardware, process, type Switch } from '../../reference/index.ts'
import { accessPorts, newRandom, type Random, randomPipeline, tunnelPorts } from '../../reference/random.ts'
import { randomFrame } from '../../reference/random-frame.ts'
import { itemsOf } from './held.ts'

type Arrival = { readonly inPort: number; readonly tunnelId: bigint; readonly frame: Buffer }

const isTunnel = (port: number) => (tunnelPorts as readonly number[]).includes(port)

/** What leaves, as text, sorted: `102@7 <frame>`, `controller <frame>`. */
function ours(sw: Switch, held: Held, model: Model, { inPort, tunnelId, frame }: Arrival) {
  const pipeline = new Map([
    ['in_port', BigInt(inPort)],
    ['tunnel_id', tunnelId],
  ])
  const numbers = [...sw.ports.keys()]
  const packet = packetOf(frame, model, pipeline)
  if (!packet) return { left: [], doubts: [] }
  const { steps, copies } = atOnce(forward(held, packet, model, numbers))
  const left = copies
    .filter(({ port, controllerId }) => (port === ports.controller ? !controllerId : sw.ports.has(port)))
    .map(({ port, packet: { bytes, pipeline } }) =>
      port === ports.controller
        ? `controller ${bytes.toString('hex')}`
        : `${port}@${isTunnel(port) ? (pipeline.get('tunnel_id') ?? 0n) : 0} ${bytes.toString('hex')}`,
    )
  return { left: left.sort(), doubts: steps.flatMap(step => step.doubts) }
}

function theirs(sw: Switch, { inPort, tunnelId, frame }: Arrival) {
  const { outputs, packetIns, ambiguous } = process(sw, inPort, frame, tunnelId)
  const left = [
    ...outputs.map(o => `${o.port}@${o.tunnelId} ${o.frame.toString('hex')}`),
    ...packetIns.map(({ payload }) => `controller ${payload.toString('hex')}`),
  ]
  return { left: left.sort(), ambiguous }
}

function randomArrival(r: Random): Arrival {
  const frame = randomFrame(r, Buffer.from('00112233445566ff', 'hex'))
  if (r.chance(0.5)) return { inPort: r.one(accessPorts), tunnelId: 0n, frame }
  return { inPort: r.one(tunnelPorts), tunnelId: r.one([0n, 7n, 9n, 0xfffffen]), frame }
}

function agreement(kind: Partial<Kind>, model: Model, seeds: number) {
  const wrong: string[] = []
  let copies = 0
  for (let seed = 1; seed <= seeds; seed++) {
    const r = newRandom(seed)
    const sw = newSwitch({ dpid: 1n, ports: accessPorts, tunnels: tunnelPorts, kind })
    for (const message of randomPipeline(r, 40)) apply(sw, message)
    const held = atOnce(heldSteps(itemsOf(sw)))
    for (let i = 0; i < 60; i++) {
      const arrival = randomArrival(r)
      const reference = theirs(sw, arrival)
      const traced = ours(sw, held, model, arrival)
      copies += reference.left.length
      if (reference.ambiguous) {
        if (!traced.doubts.some(words => /same priority/.test(words)))
          wrong.push(`seed ${seed}: two rivals were not said`)
      } else if (traced.left.join() !== reference.left.join())
        wrong.push(
          `seed ${seed}, port ${arrival.inPort}, tunnel ${arrival.tunnelId}, ${arrival.frame.toString('hex')}\n  ours ${traced.left.join('\n       ')}\n  reference ${reference.left.join('\n       ')}`,
        )
    }
  }
  return { wrong, copies }
}

t.test('a frame leaves Open vSwitch as the reference switch lets it out, byte for byte', async t => {
  const { wrong, copies } = agreement({}, openVSwitch, 25)
  t.strictSame(wrong.slice(0, 3), [], `${wrong.length} of 1500`)
  t.ok(copies > 1500, `${copies} copies`)
})

t.test('a frame leaves a plain OpenFlow 1.3 switch as the reference switch lets it out', async t => {
  const { wrong, copies } = agreement({ ...plainHardware, nicira: true, maxGroups: 1_000_000 }, plainSwitch, 25)
  t.strictSame(wrong.slice(0, 3), [], `${wrong.length} of 1500`)
  t.ok(copies > 1500, `${copies} copies`)
})
