import t from 'tap'
import {
  type Address,
  type Device,
  isChosen,
  type Machine,
  readAddresses,
  readDevices,
  readRoutes,
} from '../../../agent/node/devices.ts'
import { physical, recordOf } from '../../../agent/node/record.ts'
import { contradictions, encapsulation, underlay, unusableDevice } from '../../../agent/node/underlay.ts'
import { emptyDatabase } from '../../../agent/ovsdb/schema.ts'
import { unusableAddress } from '../../../api/contract/addresses.ts'
import { link, plan, veth } from '../plans.ts'

// As `ip -json` printed it.
const links = `[{"ifindex":1,"ifname":"lo","flags":["LOOPBACK","UP","LOWER_UP"],"mtu":65536,"operstate":"UNKNOWN","link_type":"loopback","address":"00:00:00:00:00:00"},
{"ifindex":2,"link_index":3,"ifname":"p1","flags":["BROADCAST","UP","LOWER_UP"],"mtu":1500,"link_type":"ether","address":"22:c1:d1:c1:58:ca","link_netnsid":0,"master":"br0","linkinfo":{"info_kind":"veth"}},
{"ifindex":4,"link":"q2","ifname":"p2","flags":["BROADCAST"],"mtu":1400,"link_type":"ether","ifalias":"mine","address":"22:c1:d1:c1:58:cb","linkinfo":{"info_kind":"veth"}}]`
const addresses = `[{},{"ifname":"eth0","addr_info":[{"family":"inet","local":"10.1.0.1","address":"10.1.0.9","prefixlen":32,"scope":"link","noprefixroute":true,"label":"eth0","valid_life_time":4294967295,"preferred_life_time":4294967295},
{"family":"inet","local":"192.0.2.1","prefixlen":24,"metric":77,"broadcast":"192.0.2.255","scope":"global","label":"eth0:1","valid_life_time":498,"preferred_life_time":98},
{"family":"inet6","local":"2001:db8::1","prefixlen":64,"scope":"global","deprecated":true,"dynamic":true,"mngtmpaddr":true,"valid_life_time":498,"preferred_life_time":0}]},
{"ifname":"lo","addr_info":[{"family":"inet","local":"127.0.0.1","prefixlen":8,"scope":"host"}]}]`
const four = `[{"type":"unicast","dst":"default","gateway":"192.0.2.254","dev":"eth0","table":"main","protocol":"dhcp","scope":"global","metric":100,"flags":[],"metrics":[{"mtu":1400}]},
{"type":"unicast","dst":"192.0.2.0/24","dev":"eth0","table":"main","protocol":"kernel","scope":"link","prefsrc":"192.0.2.1","flags":[]},
{"type":"unicast","dst":"10.1.0.0/24","dev":"eth0","table":"main","protocol":"kernel","scope":"link","prefsrc":"10.1.0.1","metric":100,"flags":[]},
{"type":"unicast","dst":"10.5.0.0/16","table":"77","protocol":"boot","scope":"global","flags":[],"nexthops":[{"gateway":"192.0.2.8","dev":"eth0","weight":2,"flags":[]},{"gateway":"192.0.2.7","dev":"eth0","weight":1,"flags":[]}]},
{"type":"blackhole","dst":"10.7.0.0/16","table":"main","protocol":"boot","scope":"global","flags":[]},
{"type":"local","dst":"192.0.2.1","dev":"eth0","table":"local","protocol":"kernel","scope":"host","prefsrc":"192.0.2.1","flags":[]}]`
const six = `[{"type":"unicast","dst":"default","gateway":"fe80::9","dev":"eth0","table":"main","protocol":"ra","metric":1024,"flags":[],"expires":1790,"pref":"medium"},
{"type":"unicast","dst":"2001:db8::/64","dev":"eth0","table":"main","protocol":"kernel","scope":"global","metric":256,"flags":[],"pref":"medium"},
{"type":"unicast","dst":"2001:db8:5::/64","gateway":"fe80::1","dev":"eth0","table":"main","protocol":"boot","scope":"global","metric":1024,"flags":[],"expires":297,"pref":"high"}]`

t.test('what ip prints is read, with all that its owner chose', async t => {
  const devices = readDevices(links)
  t.match(devices.get('p1'), { index: 2, up: true, carrier: true, kind: 'veth', peer: 'elsewhere', master: 'br0' })
  t.match(devices.get('p2'), { up: false, mtu: 1400, peer: 'here', peerName: 'q2', alias: 'mine', ethernet: true })
  t.match(devices.get('lo'), { kind: undefined, peer: undefined, loopback: true, ethernet: false })
  t.same(readAddresses(addresses, 1000), [
    {
      ...{ device: 'eth0', address: '10.1.0.1/32', peer: '10.1.0.9', scope: 'link' },
      ...{ label: 'eth0', flags: ['noprefixroute'] },
    },
    {
      ...{ device: 'eth0', address: '192.0.2.1/24', broadcast: '192.0.2.255', scope: 'global', label: 'eth0:1' },
      ...{ metric: 77, validUntil: 1498, preferredUntil: 1098 },
    },
    {
      ...{ device: 'eth0', address: '2001:db8::1/64', scope: 'global', flags: ['mngtmpaddr'] },
      ...{ validUntil: 1498, preferredUntil: 1000 },
    },
  ])
  t.same([readRoutes('', 6, 0), readAddresses('', 0)], [[], []])
})

t.test('routes that somebody chose are told from those that come by themselves', async t => {
  const own = readAddresses(addresses, 1000)
  const routes = [...readRoutes(four, 4, 1000), ...readRoutes(six, 6, 1000)].filter(route => isChosen(route, own))
  const eth0 = { device: 'eth0' } as const
  t.same(routes, [
    {
      ...{ ...eth0, to: 'default', family: 4, via: '192.0.2.254', protocol: 'dhcp', metric: 100 },
      metrics: { mtu: 1400 },
    },
    // Of an address that comes without one.
    { ...eth0, to: '10.1.0.0/24', family: 4, protocol: 'kernel', scope: 'link', from: '10.1.0.1', metric: 100 },
    {
      ...{ ...eth0, to: '10.5.0.0/16', family: 4, table: '77' },
      hops: [
        { via: '192.0.2.8', weight: 2 },
        { via: '192.0.2.7', weight: 1 },
      ],
    },
    { ...eth0, to: '2001:db8:5::/64', family: 6, via: 'fe80::1', metric: 1024, pref: 'high', expires: 1297 },
  ])
})

const eth0: Device = { ...veth('eth0', 2), kind: undefined, peer: undefined, mac: '52:54:00:00:00:01', mtu: 1500 }
const phy: Device = { ...eth0, name: physical, index: 9, kind: 'tun' }
const machine = (devices: readonly Device[], addresses: readonly Address[]): Machine => ({
  ...{
    devices: new Map(devices.map(device => [device.name, device])),
    addresses,
    routes: [],
    neighbours: [],
    rules: [],
    uptime: 1000,
  },
})
const on = (device: string, address: string): Address => ({ device, address, scope: 'global' })
const here = { boot: 'b', namespace: 'n', node: 'n1' }
const none = emptyDatabase()

t.test('the underlay is the device that has the address; in userspace it is to be bridged', async t => {
  const seen = machine([eth0], [on('eth0', '192.0.2.1/24'), on('eth0', '2001:db8::1/64')])
  t.same(underlay('192.0.2.1', false, seen, none, undefined), { is: 'plain', device: 'eth0', mtu: 1500 })
  t.match(underlay('192.0.2.1', true, seen, none, undefined), { is: 'bridged', device: 'eth0', mtu: 1500 })
  t.match(underlay('2001:0DB8:0::1', true, seen, none, undefined), { is: 'bridged' }, 'however it is spelled')
  t.match(underlay('192.0.2.2', true, seen, none, undefined), {
    ...{ is: 'missing', why: /declared address 192\.0\.2\.2 \(it has 192\.0\.2\.1\/24 on eth0, / },
  })
})

t.test('a device that was taken counts while it has the address, wherever that is at the moment', async t => {
  const record = recordOf('eth0', machine([eth0], [on('eth0', '192.0.2.1/24')]), new Map(), here)
  const moved = machine([eth0, phy], [on(physical, '192.0.2.1/24')])
  t.match(underlay('192.0.2.1', true, moved, none, record), { is: 'bridged', device: 'eth0', record })
  const { at: _, ...moving } = record
  t.match(underlay('192.0.2.1', true, machine([eth0, phy], []), none, moving), { is: 'bridged', device: 'eth0' })
  t.match(
    underlay('192.0.2.1', true, machine([eth0, phy], []), none, record),
    { is: 'missing' },
    'taken away by its owner',
  )
  const eth1 = { ...eth0, name: 'eth1', index: 3 }
  const other = machine([eth0, eth1, phy], [on('eth1', '192.0.2.1/24')])
  t.match(underlay('192.0.2.1', true, other, none, record), { is: 'bridged', device: 'eth1', record: undefined })
  const gone = (...more: Address[]) => machine([eth1, phy], [on(physical, '192.0.2.1/24'), ...more])
  t.match(underlay('192.0.2.1', true, gone(), none, record), { is: 'missing', why: /device eth0, .* does not exist/ })
  t.match(underlay('192.0.2.1', true, gone(on('eth1', '192.0.2.1/24')), none, record), {
    is: 'bridged',
    device: 'eth1',
  })
})

t.test('addresses that mean no machine, or another one everywhere, are refused in words', async t => {
  for (const address of ['127.0.0.1', '127.9.9.9', '::1']) t.match(unusableAddress(address), /loopback/, address)
  for (const address of ['fe80::1', 'FEBF::1', '169.254.7.7']) t.match(unusableAddress(address), /link-local/, address)
  for (const address of ['0.0.0.0', '::', '224.0.0.1', 'ff02::1', '255.255.255.255'])
    t.match(unusableAddress(address), /not the address of one machine/, address)
  for (const address of ['192.0.2.1', '10.0.0.1', '2001:db8::1', 'fd00::1', '128.0.0.1'])
    t.equal(unusableAddress(address), undefined, address)
})

t.test('only a device that can be an uplink is taken', async t => {
  const refused = (over: Partial<Device>) => unusableDevice({ ...eth0, ...over }, none)
  for (const kind of [undefined, 'veth', 'bond', 'vlan', 'macvlan']) t.equal(refused({ kind }), undefined, String(kind))
  for (const kind of ['bridge', 'tun', 'dummy', 'ipvlan', 'wireguard', 'vxlan', 'vrf'])
    t.match(refused({ kind }), /uplink/, kind)
  t.match(refused({ loopback: true }), /loopback/)
  t.match(refused({ ethernet: false }), /no Ethernet device/)
  t.match(refused({ master: 'docker0' }), /port of docker0/)
})

t.test('what a tunnel adds', async t => t.same([encapsulation('192.0.2.1'), encapsulation('2001:db8::1')], [50, 70]))

t.test('where what is declared can not be, it is said what to do', async t => {
  const below = { is: 'plain', device: 'eth0', mtu: 1500 } as const
  const say = (over: Parameters<typeof plan>[0]) => contradictions(plan(over), below)
  t.same(say({ underlay: { address: '192.0.2.1', mtu: 1500 }, links: [link(2)] }), [])
  t.match(say({ underlay: { address: '192.0.2.1', mtu: 9000 } }), [
    /declared MTU 9000 is above that of eth0, 1500.*"mtu": 1500/,
  ])
  t.match(say({ links: [link(2, { remote: '2001:db8::2' })] }), [/both with IPv4 or both with IPv6/])
  t.match(say({ links: [link(2, { remote: '192.0.2.1' })] }), [/node n2 is declared with the address of this node/])
})
