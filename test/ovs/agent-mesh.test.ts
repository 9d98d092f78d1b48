// Agents make a mesh out of nothing but Open vSwitch that runs: the network itself says whether it is one.
import t from 'tap'
import { run } from '../../lab/command.ts'
import { needs } from '../../lab/install.ts'
import { bridgeOf, makeAgents } from './agents.ts'
import { apart, hearing } from './stage.ts'

if (needs(t)) {
  const began = performance.now()
  const agents = await makeAgents(t, { nodes: 3 })
  t.comment(`three nodes as planned after ${Math.round(performance.now() - began)} ms`)
  const { stage } = agents
  const { mesh } = stage
  await stage.start()
  const red = await Promise.all([1, 2, 3].map(node => agents.pod(node, 1)))
  const blue = await Promise.all([1, 2, 3].map(node => agents.pod(node, 2)))
  await stage.join('red', red)
  await stage.join('blue', blue, 'learn')

  t.test('pods of a network hear each other, and nobody else', async t => {
    const pods = [...red, ...blue]
    t.strictSame(await hearing(stage, pods), apart(pods, red, blue))
    for (const [a, b] of [
      [0, 1],
      [1, 2],
      [2, 0],
    ] as const)
      await stage.ping(red[a]!, red[b]!)
  })

  t.test('a frame as long as the pod’s MTU allows arrives, and the underlay carries it in one piece', async t => {
    const [a, b] = red
    const { mtu } = JSON.parse(await run('ip', ['-json', 'link', 'show', 'eth0'], { netns: a!.netns }))[0]
    t.equal(mtu, 1600 - 50)
    const ping = (size: number) => [
      '-q',
      '-c',
      '3',
      '-i',
      '0.05',
      '-w',
      '3',
      '-M',
      'do',
      '-s',
      String(size - 28),
      b!.ips[0]!.split('/')[0]!,
    ]
    t.match(await mesh.exec(a!, 'ping', ...ping(mtu)), / 0% packet loss/)
    await t.rejects(mesh.exec(a!, 'ping', ...ping(mtu + 1)), /exit 1/)
  })

  t.test('TCP flows: checksums are right', async t => {
    const [a, b] = red
    const program = `
import socket, sys
peer = socket.create_connection((sys.argv[1], 7777), 5)
for _ in range(64): peer.sendall(b'x' * 65536)
peer.shutdown(socket.SHUT_WR); sys.stdout.write(str(len(peer.recv(99))))`
    const server = `
import socket
listening = socket.create_server(('', 7777)); peer, _ = listening.accept(); peer.settimeout(10); total = 0
while (piece := peer.recv(1 << 20)): total += len(piece)
peer.sendall(str(total).encode().rjust(7)); print(total)`
    const serving = run('python3', ['-c', server], { netns: b!.netns })
    await new Promise(resolve => setTimeout(resolve, 300))
    t.equal(await run('python3', ['-c', program, b!.ips[0]!.split('/')[0]!], { netns: a!.netns }), '7')
    t.equal((await serving).trim(), String(64 * 65536))
  })

  t.test('the switches are as ours must be', async t => {
    for (const { number, ovs, dpid } of mesh.nodes) {
      // What begins with a letter and has no other signs stands without quotes.
      const get = async (column: string) =>
        (await ovs.vsctl('get', 'bridge', bridgeOf(number), column)).trim().replaceAll('"', '')
      t.same(
        [
          await get('fail_mode'),
          await get('protocols'),
          await get('other_config:disable-in-band'),
          await get('datapath_id'),
        ],
        ['secure', '[OpenFlow13]', 'true', dpid],
      )
    }
  })
}
