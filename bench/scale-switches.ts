// Emulated switches for scale.ts, in a process of their own: reference switches, which keep what they are sent, check it, and answer
// readings with it. Told by messages: how many to connect, to hang up, to come back; tells what they were sent.
import { newPeer, newSwitch, type Peer } from '../test/reference/index.ts'
import { dpidOf, linkPorts, type Plan, type Tally } from './scale-plan.ts'

const plan: Plan = JSON.parse(process.argv[2]!)

const peers: readonly Peer[] = Array.from({ length: plan.switches }, (_, s) =>
  newPeer({
    sw: newSwitch({
      dpid: dpidOf(s),
      ports: Array.from({ length: plan.ports }, (_, p) => p + 1),
      tunnels: linkPorts(s, plan.switches),
    }),
    host: '127.0.0.1',
    port: plan.openflowPort,
  }),
)

function tally(): Tally {
  let flows = 0
  let flowMods = 0
  for (const { sw, received } of peers) {
    for (const table of sw.tables.values()) flows += table.size
    for (const message of received) {
      const inner = message.type === 'bundle_add' ? message.message.type : message.type
      if (inner === 'flow_mod' || inner === 'group_mod' || inner === 'meter_mod') flowMods++
    }
    ;(received as unknown[]).length = 0
  }
  return { flows, flowMods }
}

process.on('message', async (order: 'connect' | 'hang up' | 'tally') => {
  if (order === 'connect')
    for (let at = 0; at < peers.length; at += 50)
      await Promise.all(peers.slice(at, at + 50).map(peer => peer.connect()))
  if (order === 'hang up') for (const peer of peers) peer.hangUp()
  process.send!(tally())
})
process.on('disconnect', () => process.exit())
process.send!('ready')
