// Plans for tests, and what they come to on a node where all that they ask for is there.

import type { Device } from '../../agent/node/devices.ts'
import { range } from '../../agent/node/stock.ts'
import { desired, type Situation, type Wanted } from '../../agent/switch/desired.ts'
import type { NodePlan, PlannedLink } from '../../api/contract/node-schemas.ts'

export const bridge = 'br-0a1b2c3d'

export const link = (n: number, over: Partial<PlannedLink> = {}): PlannedLink => ({
  ...{ peer: `n${n}`, name: `vx${String(n).padStart(10, '0')}`, port: 10 + n, type: 'vxlan', bfd: false },
  ...{ local: '192.0.2.1', remote: `192.0.2.${n}`, udpPort: 7000 },
  ...over,
})

type Over = Omit<Partial<NodePlan>, 'interfaces'> & { readonly interfaces?: number }

export const plan = ({ interfaces = 3, ...over }: Over = {}): NodePlan => ({
  ...{ node: 'n1', version: '0123456789abcdef', provider: 'l2sm-controller', bridge, dpid: '00000000000000a1' },
  ...{ underlay: { address: '192.0.2.1' }, links: [], controllers: ['tcp:192.0.2.9:6653'] },
  interfaces: { fixed: interfaces, spare: 0, most: 1000, bridgePrefix: 'lsabcde', podPrefix: 'lpabcde' },
  openvswitch: { datapath: 'auto', inactivityProbe: 5000, maxBackoff: 1000 },
  ...over,
})

export const veth = (name: string, index: number, peer: Device['peer'] = 'here'): Device => ({
  ...{ name, index, peer, mac: '02:00:00:00:00:01', mtu: 1450, up: true, carrier: true, kind: 'veth' },
  ...{ loopback: false, ethernet: true, master: undefined, alias: undefined, peerName: undefined },
})

export type Given = Partial<Situation> & { readonly index?: (number: number) => number }

/** As on a node where the devices of all planned interfaces are there, with these indexes. */
export const wantedOf = (of: NodePlan, { index = number => number, ...over }: Given = {}): Wanted => {
  const devices = range(1, of.interfaces.fixed).map(number => [number, veth(`x${number}`, index(number))] as const)
  return { bridges: [desired(of, { datapath: 'netdev', interfaces: new Map(devices), ...over })], tls: of.tls }
}
