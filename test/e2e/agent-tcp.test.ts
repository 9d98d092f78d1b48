// TCP of a node goes on when its address goes to br-phy, or the address comes back. On this underlay devices leave checksums
// to hardware that there is not, as veths and virtual machines do: a ping passes where TCP is dead.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import t from 'tap'
import { inNamespace, run } from '../../lab/command.ts'
import { needs } from '../../lab/install.ts'
import { until } from '../controller/watching.ts'
import { makeAgents } from '../ovs/agents.ts'
import { openflowPort } from '../ovs/stage.ts'

if (needs(t)) {
  const agents = await makeAgents(t, { nodes: 2, start: false, offload: true })
  const { mesh } = agents.stage
  const { address } = mesh.node(1)
  const has = async (node: number, device: string) =>
    (await agents.on(node, `ip -4 address show dev ${device} 2>/dev/null || true`)).includes(mesh.node(node).address)
  /** Whether somebody who listens there greets a node within three seconds. */
  const greeted = (node: number, host: string, port = openflowPort) =>
    agents.on(
      node,
      `python3 -c "import socket; print(socket.create_connection(('${host}', ${port}), 3).recv(2))" 2>/dev/null || true`,
    )
  const greeter = `
import socket
listening = socket.create_server(('', 7777))
while True: peer, _ = listening.accept(); peer.sendall(b'hi'); peer.close()`
  /** Somebody on a node who greets whoever connects to port 7777. */
  const greet = (node: number) => {
    const child = spawn(...inNamespace(mesh.node(node).netns, 'python3', ['-c', greeter]), { stdio: 'ignore' })
    const ended = once(child, 'exit')
    const end = async () => {
      child.kill('SIGKILL')
      await ended
    }
    t.teardown(end)
    return { end }
  }
  const controller = createServer(socket => void socket.on('error', () => {}).end('hi'))
  await new Promise<void>(resolve => controller.listen(openflowPort, mesh.ctl.address, resolve))
  t.teardown(() => controller.close())

  t.test(
    'where the controller leaves checksums to hardware, the address is back within seconds, and it says why',
    async t => {
      await agents.start(1)
      await until('it says so', async () => /TCP to .*wrong checksums.*ethtool -K/.test(await agents.health(1)))
      t.ok(await has(1, 'uplink'))
      t.match(await greeted(1, mesh.ctl.address), /hi/)
      await until('br-phy is gone', async () => (await agents.on(1, 'ip link show br-phy || true')) === '')
    },
  )

  t.test('where it computes them, TCP goes on from br-phy; the nodes themselves see to theirs', async t => {
    t.match(await agents.on(2, 'ethtool -k uplink'), /tx-checksumming: on/)
    await run('ethtool', ['-K', mesh.ctl.device, 'tx', 'off'])
    await agents.stop(1, 'SIGTERM')
    await Promise.all([agents.start(1), agents.start(2)])
    await Promise.all([agents.settled(1, () => has(1, 'br-phy')), agents.settled(2, () => has(2, 'br-phy'))])
    t.match(await greeted(1, mesh.ctl.address), /hi/)
    const { end } = greet(1)
    await until('nodes reach each other', async () => /hi/.test(await greeted(2, address, 7777)))
    t.match(await agents.on(2, 'ethtool -k uplink'), /tx-checksumming: off/)
    await agents.stop(2, 'SIGTERM')
    t.equal((await agents.remove(2)).code, 0)
    t.match(await agents.on(2, 'ethtool -k uplink'), /tx-checksumming: on/, 'a node that is removed is as it was')
    await end()
  })

  t.test('a node that nobody can reach by TCP any more finds that out by itself', async t => {
    const { end } = greet(1)
    t.match(await agents.on(2, 'ethtool -k uplink'), /tx-checksumming: on/)
    t.ok(await has(1, 'br-phy'))
    // Its controller is on the node itself: nobody elsewhere answered by TCP before.
    await agents.stop(1, 'SIGTERM')
    t.equal((await agents.remove(1)).code, 0)
    agents.change(1, () => ({ controllers: [`tcp:${address}:${openflowPort}`] }))
    t.match(await greeted(2, address, 7777), /hi/)
    await agents.start(1)
    await agents.settled(1, () => has(1, 'br-phy'))
    t.match(await agents.on(2, `ping -c 1 -W 2 ${address}`), / 0% packet loss/)
    await until('the other node reaches it again', async () => /hi/.test(await greeted(2, address, 7777)), {
      ms: 20_000,
    })
    t.ok(await has(1, 'uplink'))
    t.match(await agents.health(1), /TCP segments were dropped.*wrong checksums/)
    await end()
  })
}
