import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import * as frame from '../../lab/frame.ts'
import { openFrames, type Received } from '../../lab/frames.ts'
import { needs } from '../../lab/install.ts'
import { makeMesh } from '../../lab/mesh.ts'
import { broadcastOf, flood } from './flooding.ts'

if (needs(t)) {
  t.setTimeout(90_000)
  const mesh = await makeMesh({ nodes: 3, podsPerNode: 2 })
  t.teardown(mesh.close)
  const pods = mesh.pods()
  const [a, b, c] = [pods[0]!, pods[1]!, pods[2]!]
  const others = pods.slice(1)
  const frames = await openFrames(pods)
  t.teardown(frames.close)
  const matrix = async () => {
    const seen = await frames.reach(pods)
    return pods.map(from => pods.map(at => seen.times(from, at)).join('')).join(' ')
  }

  t.test('a switch has the number, the ports and the settings that were asked for', async t => {
    for (const node of mesh.nodes) {
      const shown = await node.ovs.ofctl('br-l2', 'show')
      t.match(shown, new RegExp(`dpid:${node.dpid}`))
      const ports = [...shown.matchAll(/^ (\d+)\((\w+)\)/gm)].map(([, number, name]) => `${number} ${name}`).sort()
      const links = [1, 2, 3].filter(other => other !== node.number).map(other => `${10_000 + other} vx${other}`)
      t.same(ports, ['1 p1', '2 p2', ...links].sort())
      const settings = await node.ovs.vsctl('get', 'bridge', 'br-l2', 'fail_mode', 'protocols', 'other_config')
      t.match(settings, /secure\s+.*OpenFlow13\S*\s+.*disable-in-band="?true/)
    }
  })

  t.test('without flows nobody reaches anybody', async t => {
    t.equal(await matrix(), '000000 000000 000000 000000 000000 000000')
    t.equal(await mesh.ping(a, b), 0)
  })

  t.test('with flooding flows everybody else receives a broadcast once', async t => {
    await flood(mesh)
    t.equal(await matrix(), '011111 101111 110111 111011 111101 111110')
    for (const to of others) t.equal(await mesh.ping(a, to, 3), 3, `${a.name} pings ${to.name}`)
  })

  t.test('unicast frames are told apart from what others see of them', async t => {
    const seen = await frames.reach([a, b, c], { kind: 'unicast' })
    t.equal([a, b, c].map(from => [a, b, c].map(at => seen.times(from, at)).join('')).join(' '), '011 101 110')
    t.equal(seen.strays.length, 6, 'each of six frames floods to the third pod too')
    t.match(seen.strays, [{ from: a.name, to: b.name, at: c.name, times: 1 }])
  })

  t.test('TCP passes, so checksums are right', async t => {
    const serve = 'import socket;s=socket.create_server(("0.0.0.0",5000));c=s.accept()[0];n=0\n'
    const received = mesh.exec(c, 'python3', '-c', `${serve}while d:=c.recv(65536):n+=len(d)\nprint(n)`)
    const target = c.ips[0]!.split('/')[0]
    const dial = `import socket,time\nfor i in range(500):\n try:s=socket.create_connection(("${target}",5000),5);break\n except OSError:time.sleep(.01)\n`
    await mesh.exec(a, 'python3', '-c', `${dial}s.sendall(bytes(1000000))`)
    t.equal((await received).trim(), '1000000')
  })

  t.test('of 1,000 frames at 1,000 a second every receiver counts 1,000', async t => {
    const counts = await (await frames.stream(a, broadcastOf(a), { pps: 1000, seconds: 1 })).finish()
    t.equal(counts.sent, 1000)
    t.equal(counts.reflected, 0)
    for (const pod of others) {
      t.match(counts.at(pod), { received: 1000, lost: 0, duplicated: 0, reordered: 0, overflow: 0 }, pod.name)
    }
  })

  t.test('two streams at once are counted apart', async t => {
    const streams = await Promise.all(
      [a, c].map(pod => frames.stream(pod, broadcastOf(pod), { pps: 500, seconds: 0.4 })),
    )
    const [fromA, fromC] = await Promise.all(streams.map(stream => stream.finish()))
    t.match(fromA!.at(c), { received: 200, lost: 0, duplicated: 0 })
    t.match(fromC!.at(a), { received: 200, lost: 0, duplicated: 0 })
  })

  t.test('a flow that is deleted while frames pass shows as loss, and only behind it', async t => {
    const stream = await frames.stream(a, broadcastOf(a), { pps: 1000, seconds: 1 })
    await sleep(300)
    await mesh.node(2).deleteFlows('in_port=10001')
    const counts = await stream.finish()
    const behind = counts.at(c)
    t.ok(behind.received > 0 && behind.lost > 0, `${behind.received} received, ${behind.lost} lost`)
    t.equal(behind.received + behind.lost, 1000)
    t.equal(counts.at(b).lost, 0)
    t.equal(counts.at(pods[5]!).lost, 0)
    await flood(mesh)
  })

  t.test('a stream that is stopped early counts against what was sent', async t => {
    const stream = await frames.stream(a, broadcastOf(a), { pps: 1000, seconds: 60 })
    await sleep(100)
    await stream.stop()
    const counts = await stream.finish()
    t.ok(counts.sent > 0 && counts.sent < 60_000)
    t.match(counts.at(b), { received: counts.sent, lost: 0 })
  })

  t.test('a flow that outputs twice, or back, is counted so', async t => {
    await mesh.node(1).addFlows(['priority=40000,in_port=1,actions=output:2,output:2,in_port'])
    const counts = await (await frames.stream(a, broadcastOf(a), { pps: 1000, seconds: 0.2 })).finish()
    t.match(counts.at(b), { received: 200, lost: 0, duplicated: 200 })
    t.equal(counts.reflected, 200)
    t.match(counts.at(c), { received: 0, lost: 200, duplicated: 0 })
    const seen = await frames.reach([a, b])
    t.same([seen.times(a, b), seen.times(a, a), seen.times(b, a)], [2, 1, 1])
    await mesh.node(1).deleteFlows()
    await flood(mesh)
  })

  t.test('a frame that arrives after a later one is counted as reordered', async t => {
    let stream = 0
    const spy = (counted: frame.Probe) => {
      stream = counted.stream
      return broadcastOf(a)(counted)
    }
    const running = await frames.stream(a, spy, { pps: 10, seconds: 0.1 })
    for (const sequence of [5, 3]) {
      const late = frame.probe({ dst: frame.broadcast, src: a.mac }, { stream, sequence: 0 })
      late.writeUInt32BE(sequence, late.indexOf(frame.magic) + 12)
      // As one of many in a list: `send` would number it itself.
      await frames.reach([a], { frame: () => late })
    }
    t.match((await running.finish()).at(b), { received: 3, reordered: 1, duplicated: 0 })
  })

  t.test('captured frames are whole, tags included, and none is our own', async t => {
    const seen: Received[] = []
    const stop = await frames.capture([a, b, c], received => seen.push(received))
    const header = { dst: frame.broadcast, src: a.mac }
    const sent = [
      frame.ethernet(header, 0x88b6, Buffer.from('untagged')),
      frame.ethernet({ ...header, tags: [5] }, 0x88b6, Buffer.from('tagged')),
      frame.ethernet({ ...header, tags: [{ vid: 0, priority: 7 }] }, 0x88b6, Buffer.from('priority')),
      frame.ethernet({ ...header, tags: [{ vid: 9, tpid: 0x88a8 }, 4094] }, 0x88b6, Buffer.from('twice tagged')),
      frame.ethernet(header, 0x88b6, Buffer.alloc(1500, 1)),
    ]
    for (const bytes of sent) await frames.send(a, bytes)
    await frames.send(a, broadcastOf(a)({ stream: 1, sequence: 0 }))
    const all = () => [b, c].every(pod => seen.filter(received => received.pod === pod.name).length >= sent.length)
    for (let waited = 0; !all() && waited < 5000; waited += 10) await sleep(10)
    await stop()
    for (const pod of [b, c]) {
      const got = seen.filter(received => received.pod === pod.name).map(received => received.frame.toString('hex'))
      t.same(
        got,
        sent.map(bytes => bytes.toString('hex')),
        pod.name,
      )
    }
    t.same(
      seen.filter(received => received.pod === a.name),
      [],
    )
  })

  t.test("what a pod's own kernel sends is not received by it", async t => {
    const seen: Received[] = []
    const stop = await frames.capture([a], received => seen.push(received))
    t.equal(await mesh.ping(a, b, 2), 2)
    await stop()
    const senders = new Set(seen.map(({ frame: bytes }) => bytes.subarray(6, 12).toString('hex')))
    t.same([...senders], [b.mac.replaceAll(':', '')])
  })

  t.test("a pod's kernel understands the frames that are built", async t => {
    const six = await mesh.addPod(1, { port: 9, name: 'six', ips: ['10.9.9.9', 'fd00::9'] })
    await mesh.node(1).addFlows(['in_port=9,actions=output:1', 'priority=40000,in_port=1,actions=output:9'])
    const answers: Buffer[] = []
    const stop = await frames.capture([a], received => answers.push(received.frame))
    const header = { src: a.mac, dst: six.mac }
    const ends = { sourcePort: 5001, targetPort: 5002, payload: Buffer.from('odd') }
    const me = { mac: a.mac, ip: '10.9.9.1' }
    const solicited = { src: 'fd00::1', dst: 'fd00::9', target: 'fd00::9', mac: a.mac }
    const questions = [
      frame.arp({ ...header, dst: frame.broadcast }, { op: 'request', sender: me, target: { ip: '10.9.9.9' } }),
      frame.neighbourSolicitation(header, solicited),
      frame.udp(header, { src: '10.9.9.1', dst: '10.9.9.9', ...ends }),
      frame.udp(header, { src: 'fd00::1', dst: 'fd00::9', ...ends }),
    ]
    const expected = [
      { what: 'an ARP reply', is: (got: Buffer) => got.readUInt16BE(12) === 0x0806 && got.readUInt16BE(20) === 2 },
      { what: 'a neighbour advertisement', is: (got: Buffer) => got.readUInt16BE(12) === 0x86dd && got[54] === 136 },
      // A datagram with a wrong checksum would be dropped in silence.
      { what: 'an ICMP port unreachable', is: (got: Buffer) => got.readUInt16BE(12) === 0x0800 && got[34] === 3 },
      { what: 'an ICMPv6 port unreachable', is: (got: Buffer) => got.readUInt16BE(12) === 0x86dd && got[54] === 1 },
    ]
    for (const question of questions) await frames.send(a, question)
    const all = () => expected.every(({ is }) => answers.some(is))
    for (let waited = 0; !all() && waited < 5000; waited += 10) await sleep(10)
    for (const { what, is } of expected) t.ok(answers.some(is), what)
    await stop()
    await mesh.removePod(six)
    await mesh.node(1).deleteFlows()
    await flood(mesh)
  })

  t.test("a pod that is silent hears nothing of its node's own", async t => {
    const seen: Received[] = []
    const stop = await frames.capture(pods, received => seen.push(received))
    // The node's kernel sees what Open vSwitch reads: it must not answer for its underlay address.
    const sender = { mac: a.mac, ip: mesh.node(1).address.replace(/\d+$/, '200') }
    const ask = { op: 'request', sender, target: { ip: mesh.node(1).address } } as const
    await frames.send(a, frame.arp({ dst: frame.broadcast, src: a.mac }, ask))
    await sleep(500)
    await stop()
    t.same(
      seen.filter(received => received.pod === a.name),
      [],
    )
  })

  t.test('a trace says where a frame would go, and a dump what is there', async t => {
    t.equal((await mesh.node(1).trace('in_port=7')).actions, 'drop')
    t.match((await mesh.node(1).trace('in_port=1')).actions, /tnl_push.*vni=0x4d|set\(tunnel\(tun_id=0x4d/)
    const flows = await mesh.node(1).dumpFlows()
    t.equal(flows.length, 4)
    t.match(flows[0], /^cookie=0x0, duration=.* in_port=1 actions=output:2/)
    await mesh.node(1).ovs.ofctl('br-l2', 'add-group', ['group_id=7,type=all,bucket=output:1'])
    t.match(await mesh.node(1).dumpGroups(), [/^group_id=7,type=all/])
  })
}
