// Frames that switches drop, answer or change when they look into them: whoever carries them all, as they are, carries anything.
import { randomBytes } from 'node:crypto'
import { arp, broadcast, type Ethernet, ethernet, ethertypes, neighbourSolicitation, udp } from '../lab/frame.ts'
import { probeFrame } from '../topology/lldp.ts'

/** By name. @param src The MAC address of who sends them. */
export function anyFrames(src: string): ReadonlyMap<string, Buffer> {
  const to = (dst: string, tags: Ethernet['tags'] = []) => ({ dst, src, tags })
  const words = Buffer.from('a frame of a vlink, to be left as it is, whatever it looks like')
  const llc = (...head: number[]) => Buffer.concat([Buffer.from(head), words])
  const bridges = '01:80:c2:00:00:00'
  const peer = '02:be:ef:00:00:01'
  return new Map<string, Buffer>([
    ['STP', ethernet(to(bridges), 38, llc(0x42, 0x42, 3, 0, 0, 0, 0))],
    ['RSTP', ethernet(to(bridges), 39, llc(0x42, 0x42, 3, 0, 0, 2, 2))],
    ['PAUSE', ethernet(to('01:80:c2:00:00:01'), 0x8808, llc(0, 1, 0xff, 0xff))],
    ['LACP', ethernet(to('01:80:c2:00:00:02'), 0x8809, llc(1, 1, 1, 20))],
    ['EAPOL', ethernet(to('01:80:c2:00:00:03'), 0x888e, llc(2, 1, 0, 0))],
    ['LLDP', ethernet(to('01:80:c2:00:00:0e'), ethertypes.lldp, llc(2, 7, 4))],
    [
      'an LLDP probe of a controller',
      probeFrame(
        Buffer.alloc(32),
        { from: { dpid: '00000000000000a1', port: 1 }, sequence: 9, sentAt: 0, mtu: 0 },
        src,
      ),
    ],
    ['PVST+', ethernet(to('01:00:0c:cc:cc:cd'), 50, llc(0xaa, 0xaa, 3, 0, 0, 0x0c, 1, 0x0b))],
    ['CDP', ethernet(to('01:00:0c:cc:cc:cc'), 60, llc(0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0))],
    ['GVRP', ethernet(to('01:80:c2:00:00:21'), 40, llc(0x42, 0x42, 3, 0, 1))],
    ['802.1Q', ethernet(to(peer, [7]), ethertypes.experimental, words)],
    ['a priority tag', ethernet(to(peer, [{ vid: 0, priority: 5 }]), ethertypes.experimental, words)],
    ['a tag behind a priority tag', ethernet(to(peer, [0, 9]), ethertypes.experimental, words)],
    ['QinQ', ethernet(to(peer, [{ vid: 100, tpid: 0x88a8 }, 7]), ethertypes.experimental, words)],
    ['three tags', ethernet(to(peer, [1, 2, 3]), ethertypes.experimental, words)],
    ['MPLS', ethernet(to(peer), 0x8847, llc(0, 0x01, 0xd1, 0x40))],
    ['ARP', arp(to(broadcast), { op: 'request', sender: { mac: src, ip: '10.0.0.1' }, target: { ip: '10.0.0.2' } })],
    [
      'neighbour discovery',
      neighbourSolicitation(to('33:33:ff:00:00:02'), {
        src: 'fe80::1',
        dst: 'ff02::1:ff00:2',
        target: 'fe80::2',
        mac: src,
      }),
    ],
    [
      'a large datagram',
      udp(to(peer), { src: '10.0.0.1', dst: '10.0.0.2', sourcePort: 68, targetPort: 67, payload: randomBytes(1300) }),
    ],
    ['IPv4 without a header', ethernet(to(peer), ethertypes.ipv4, Buffer.alloc(46, 0xff))],
    ['from a multicast address', ethernet({ dst: peer, src: '01:00:5e:00:00:01' }, ethertypes.experimental, words)],
    ['from nobody', ethernet({ dst: peer, src: '00:00:00:00:00:00' }, ethertypes.experimental, words)],
    ['to itself', ethernet({ dst: src, src }, ethertypes.experimental, words)],
  ])
}
