// What guards let through is proved: what machines say of themselves and no more, also where an entry too many lets a lie pass.
import t from 'tap'
import type { Content } from '../../../controller/compile/item.ts'
import { flowItem } from '../../../controller/compile/item.ts'
import { atOnce } from '../../../controller/compile/steps.ts'
import { newProver } from '../../../controller/proof/prover.ts'
import { isBreach } from '../../../controller/proof/report.ts'
import { foreignOwner } from '../../../controller/switch/content.ts'
import { parseFlow } from '../../../openflow/index.ts'
import { endpointKey } from '../../../topology/topology.ts'
import { attachmentOf, desired, type Guarded, heardBy, keyOf, machineAt } from '../guarded.ts'
import { fabricOf } from '../reference-fabric.ts'
import * as world from '../world.ts'
import { planeWith } from './random-plane.ts'

const [a, b, c] = [machineAt({ s: 0, port: 1 }), machineAt({ s: 0, port: 2 }), machineAt({ s: 1, port: 1 })] as const
const red = { network: 'red' }
const virtual = { mac: '00:00:5e:00:01:07', ip: '10.0.9.9' }
const allowed = { ...red, allowedAddresses: [virtual, { ip: '10.9.0.0/16' }, { ip: 'fd09::5' }, { ip: 'fe80::/64' }] }
const scenes: Readonly<Record<string, Guarded>> = {
  'a strict network': strictly([a, red], [b, red], [c, red]),
  'strict ports in a network that is not': {
    ...strictly([a, red], [b, { ...red, guard: 'learn' }], [c, red]),
    networks: [{ id: 'red', number: 7 }],
  },
  'allowed addresses': strictly([a, allowed], [b, red], [c, allowed]),
  'ports that are trusted': strictly([a, { ...red, trusted: ['dhcp', 'router'] }], [b, { ...red, trusted: ['dhcp'] }]),
  'a MAC that is pinned, and another that is allowed': {
    ...strictly([a, { ...allowed, guard: 'mac' }], [b, { ...red, guard: 'mac' }], [c, { ...red, guard: 'mac' }]),
    networks: [{ id: 'red', number: 7 }],
  },
}
function strictly(...ports: Guarded['ports']): Guarded {
  return { switches: 2, networks: [{ id: 'red', number: 7, guard: 'strict' }], ports }
}

function proofOf({ switches, networks, ports }: Guarded, contents: ReadonlyMap<string, Content>, nicira: boolean) {
  const members = (id: string) => ports.filter(([, { network }]) => network === id)
  const plane = planeWith({
    ...{ switches, links: world.links(switches), contents, nicira },
    networks: networks.map(({ id, number }) => ({
      ...{ id, number, numbers: [number] },
      members: () => members(id).map(([place, wish]) => attachmentOf(place, wish)),
    })),
  })
  return atOnce(newProver(plane).prove())
}

for (const nicira of [true, false])
  for (const [name, scene] of Object.entries(scenes))
    t.test(`${name}: proved (${nicira ? 'Open vSwitch' : 'plain OpenFlow 1.3'})`, async t => {
      const { is, counterexamples } = proofOf(scene, desired({ ...scene, datapath: { answers: nicira } }), nicira)
      t.equal(is, 'proved', JSON.stringify(counterexamples.slice(0, 2), undefined, 1))
    })

/** What lets a strict port say something that it may not, in the guard. */
const lies: Readonly<Record<string, string>> = {
  'ARP from any address': 'arp',
  'ARP with the MAC of another': `arp,arp_spa=${a.ip4}`,
  'IPv4 from any address': 'ip',
  'IPv4 from the subnet of its address': 'ip,nw_src=10.0.0.0/16',
  'IPv6 from any address': 'ipv6',
  'advertisements of any address': 'icmp6,icmp_type=136',
  'advertisements of another address from its own': `icmp6,icmp_type=136,ipv6_src=${a.ip6},nd_target=${b.ip6}`,
  'router advertisements from its own address': `icmp6,icmp_type=134,ipv6_src=${a.linkLocal}`,
  'answers of a DHCP server': `udp,nw_src=${a.ip4},tp_src=67`,
  'what is neither ARP nor IP': 'dl_type=0x88b5',
}
for (const [name, match] of Object.entries(lies))
  t.test(`${name}: found, and so it is`, async t => {
    const scene = scenes['strict ports in a network that is not']!
    const contents = desired(scene)
    const {
      tableId = 0,
      priority = 0,
      ...flow
    } = parseFlow(`table=1,priority=60,in_port=1,metadata=7/0xffffffff,dl_src=${a.mac},${match},actions=goto_table:2`)
    const item = flowItem(foreignOwner, {
      tableId,
      priority,
      match: flow.match,
      instructions: flow.instructions ?? [],
      cookie: 0n,
    })
    const dpid = world.dpidOf(a.s)
    const damaged = new Map(contents).set(dpid, new Map(contents.get(dpid)).set(item.key, item))
    const { counterexamples } = proofOf(scene, damaged, true)
    const found = counterexamples.find(({ fault }) => fault === 'spoofed')
    t.ok(found && isBreach(found), JSON.stringify(counterexamples.slice(0, 2)))
    const frame = Buffer.from(found!.frame!, 'hex')
    t.not(heardBy(fabricOf({ switches: 2 }, damaged), a, frame).length, 0, 'with it the lie is heard')
    t.same(heardBy(fabricOf({ switches: 2 }, contents), a, frame), [], 'without it is not')
    t.equal(endpointKey(found!.from!), keyOf(a))
  })
