import t from 'tap'
import { type Address, type Device, readAddresses, readDevices, readRoutes } from '../../../agent/node/devices.ts'
import { aside, encapsulation, physical, placement, type Saved, underlay } from '../../../agent/node/underlay.ts'
import { emptyDatabase } from '../../../agent/ovsdb/schema.ts'
import { bridge, veth } from '../plans.ts'

// As `ip -json` printed it.
const links = `[{"ifindex":1,"ifname":"lo","flags":["LOOPBACK","UP","LOWER_UP"],"mtu":65536,"operstate":"UNKNOWN","address":"00:00:00:00:00:00"},
{"ifindex":2,"link_index":3,"ifname":"p1","flags":["BROADCAST","UP","LOWER_UP"],"mtu":1500,"address":"22:c1:d1:c1:58:ca","link_netnsid":0,"linkinfo":{"info_kind":"veth"}},
{"ifindex":4,"link":"q2","ifname":"p2","flags":["BROADCAST"],"mtu":1400,"address":"22:c1:d1:c1:58:cb","linkinfo":{"info_kind":"veth"}}]`
const addresses = `[{},{"ifname":"eth0","addr_info":[{"family":"inet","local":"192.0.2.1","prefixlen":24,"scope":"global"},
{"family":"inet6","local":"fe80::1","prefixlen":64,"scope":"link"},{"family":"inet6","local":"2001:db8::1","prefixlen":64,"scope":"global"}]}]`
const routes = `[{"dst":"default","gateway":"192.0.2.254","dev":"eth0","flags":[],"metric":100},{"dst":"192.0.2.0/24","dev":"eth0","protocol":"kernel","prefsrc":"192.0.2.1"},
{"dst":"203.0.113.0/24","gateway":"198.51.100.1","dev":"eth0","flags":["onlink"]}]`

t.test('what ip prints is read', async t => {
  const devices = readDevices(links)
  t.match(devices.get('p1'), { index: 2, up: true, carrier: true, kind: 'veth', peer: 'elsewhere' })
  t.match(devices.get('p2'), { up: false, carrier: false, mtu: 1400, peer: 'here' })
  t.match(devices.get('lo'), { kind: undefined, peer: undefined })
  t.same(readAddresses(addresses), [
    { device: 'eth0', address: '192.0.2.1/24' },
    { device: 'eth0', address: '2001:db8::1/64' },
  ])
  t.same(readRoutes(routes, 4), [
    { device: 'eth0', to: 'default', family: 4, via: '192.0.2.254', metric: 100 },
    { device: 'eth0', to: '203.0.113.0/24', family: 4, via: '198.51.100.1', onlink: true },
  ])
  t.same([readRoutes('', 6), readAddresses('')], [[], []])
})

const eth0: Device = { ...veth('eth0', 2), kind: undefined, peer: undefined, mac: '52:54:00:00:00:01', mtu: 1500 }
const phy: Device = { ...eth0, name: physical, index: 9, kind: 'tun', up: false }
const own: Address[] = [{ device: 'eth0', address: '192.0.2.1/24' }]
const on = (...all: Device[]) => new Map(all.map(device => [device.name, device]))
const saved: Saved = { device: 'eth0', mac: eth0.mac, addresses: ['192.0.2.1/24'], routes: readRoutes(routes, 4) }

t.test('the underlay is the device that has the address; in userspace it is to be bridged', async t => {
  const seen = { devices: on(eth0), addresses: own, routes: readRoutes(routes, 4) }
  t.same(underlay('192.0.2.1', false, seen, emptyDatabase(), bridge), { is: 'plain', device: 'eth0', mtu: 1500 })
  t.same(underlay('192.0.2.1', true, seen, emptyDatabase(), bridge), { is: 'bridged', mtu: 1500, saved })
  t.match(underlay('192.0.2.2', true, seen, emptyDatabase(), bridge), {
    is: 'missing',
    why: /planned address 192\.0\.2\.2/,
  })
})

/** What the node is after these lines of `ip -batch`. */
const after = (lines: readonly string[], devices: Map<string, Device>, addresses: readonly Address[]) => {
  let now = [...addresses]
  for (const line of lines) {
    const [, verb, address, , device = ''] = /^addr (add|del) (\S+) (dev) (\S+)/.exec(line) ?? []
    if (verb === 'add') now.push({ device, address: address! })
    if (verb === 'del') now = now.filter(one => !(one.device === device && one.address === address))
    const [, name = '', mac] = /^link set (\S+) address (\S+)$/.exec(line) ?? []
    if (mac) devices.set(name, { ...devices.get(name)!, mac })
    const [, up = ''] = /^link set (\S+) up$/.exec(line) ?? []
    if (up) devices.set(up, { ...devices.get(up)!, up: true })
  }
  return { devices, addresses: now }
}

t.test('addresses, routes and MAC go to the bridge and back, and then nothing is left to do', async t => {
  const there = placement(saved, physical, { devices: on(eth0, phy), addresses: own })
  t.same(there, [
    `link set eth0 address ${aside(eth0.mac)}`,
    'link set br-phy up',
    'addr del 192.0.2.1/24 dev eth0',
    'addr add 192.0.2.1/24 dev br-phy',
    'route replace 0.0.0.0/0 via 192.0.2.254 dev br-phy metric 100',
    'route replace 203.0.113.0/24 via 198.51.100.1 dev br-phy onlink',
  ])
  const moved = after(there, on(eth0, phy), own)
  t.same(placement(saved, physical, moved), [])
  const back = placement(saved, 'eth0', moved)
  const home = after(back, moved.devices, moved.addresses)
  t.same([home.addresses, home.devices.get('eth0')], [own, eth0])
  t.same(placement(saved, 'eth0', home), [])
  t.same(placement(saved, physical, { devices: on(eth0), addresses: own }), [], 'and not to a bridge that is not there')
})

t.test('the way to a gateway comes before what leads over it', async t => {
  const routes = readRoutes(
    `[{"dst":"203.0.113.0/24","gateway":"204.0.0.1","dev":"eth0"},{"dst":"204.0.0.1","dev":"eth0","scope":"link"},{"dst":"default","dev":"eth1"}]`,
    4,
  )
  const found = underlay('192.0.2.1', true, { devices: on(eth0), addresses: own, routes }, emptyDatabase(), bridge)
  t.match(found, { is: 'bridged', saved: { routes: [{ to: '204.0.0.1' }, { to: '203.0.113.0/24' }] } })
})

t.test(
  'what was saved counts while it is about the planned address, and is remembered when its row is deleted',
  async t => {
    const moved = { devices: on({ ...eth0, mac: aside(eth0.mac) }), addresses: [] as Address[], routes: [] }
    t.match(underlay('192.0.2.1', true, moved, emptyDatabase(), bridge), { is: 'missing' })
    t.same(underlay('192.0.2.1', true, moved, emptyDatabase(), bridge, saved), { is: 'bridged', saved, mtu: 1500 })
    const renumbered = { ...moved, addresses: [{ device: 'eth0', address: '192.0.2.7/24' }] }
    t.same(underlay('192.0.2.7', true, renumbered, emptyDatabase(), bridge, saved), {
      ...{ is: 'bridged', mtu: 1500 },
      saved: { device: 'eth0', mac: eth0.mac, addresses: ['192.0.2.7/24'], routes: [] },
    })
  },
)

t.test('the other MAC is one for a single station, and locally administered', async t => {
  for (const mac of ['52:54:00:00:00:01', '02:1a:b0:00:00:01', 'ff:ff:ff:ff:ff:fe']) {
    const first = Number.parseInt(aside(mac).slice(0, 2), 16)
    t.equal(first & 3, 2)
    t.not(aside(mac), mac)
  }
  t.same([encapsulation('192.0.2.1'), encapsulation('2001:db8::1')], [50, 70])
})
