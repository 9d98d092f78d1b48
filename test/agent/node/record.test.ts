// Whatever happens to the node's addresses: what they are belongs to the node's owner.
import t from 'tap'
import {
  type Address,
  type Device,
  type Machine,
  type OwnRoute,
  type Route,
  readNeighbours,
  readRules,
} from '../../../agent/node/devices.ts'
import { placement } from '../../../agent/node/placement.ts'
import {
  aside,
  linkLocal,
  parseRecord,
  physical,
  reconstruct,
  recordOf,
  refreshed,
  type UplinkRecord,
} from '../../../agent/node/record.ts'
import { veth } from '../plans.ts'

const mac = '52:54:00:00:00:01'
const eth0: Device = { ...veth('eth0', 2), kind: undefined, peer: undefined, mac }
const phy: Device = { ...eth0, name: physical, index: 9, kind: 'tun' }
const below: Device = { ...eth0, mac: aside(mac) }
const here = { boot: 'b', namespace: 'n', node: 'n1' }
const settings = { 'ipv6/accept_ra': '2', 'ipv6/autoconf': '1', 'ipv4/forwarding': '1', 'ipv6/addr_gen_mode': '0' }
const machine = (
  devices: readonly Device[],
  addresses: readonly Address[],
  routes: readonly Route[] = [],
  uptime = 1000,
): Machine => ({
  devices: new Map(devices.map(device => [device.name, device])),
  ...{ addresses, routes, uptime, neighbours: [], rules: [] },
})
const on = (device: string, address: string, over: Partial<Address> = {}): Address => ({
  ...{ device, address, scope: 'global', ...over },
})
const gateway: OwnRoute = { to: 'default', family: 4, via: '192.0.2.254', metric: 100, protocol: 'dhcp' }
const first = recordOf(
  'eth0',
  machine([eth0], [on('eth0', '192.0.2.1/24')], [{ device: 'eth0', ...gateway }]),
  new Map([['eth0', settings]]),
  here,
)
const bridged: UplinkRecord = { ...first, at: { device: physical, index: phy.index } }
const after = (record: UplinkRecord, addresses: readonly Address[], routes: readonly Route[] = []) =>
  refreshed(record, machine([below, phy], addresses, routes), new Map([[physical, settings]]))
const listed = ({ addresses }: UplinkRecord) => addresses.map(({ address }) => address)
const onPhy = (address: string, over: Partial<Address> = {}) => on(physical, address, over)

t.test('what the owner adds, changes and takes away on br-phy is followed', async t => {
  t.same(listed(after(bridged, [onPhy('192.0.2.1/24'), onPhy('192.0.2.50/32')])), ['192.0.2.1/24', '192.0.2.50/32'])
  t.same(listed(after(bridged, [onPhy('192.0.2.51/24')])), ['192.0.2.51/24'], 'a node that was given another address')
  t.same(after(bridged, [onPhy('192.0.2.1/24')]).routes, [], 'a route that was taken away')
  const metric = { device: physical, ...gateway, metric: 7 }
  t.match(after(bridged, [onPhy('192.0.2.1/24')], [metric]).routes, [{ metric: 7 }])
  const scoped = after(bridged, [onPhy('192.0.2.1/24', { label: `${physical}:vip`, scope: 'site', metric: 5 })])
  t.match(scoped.addresses, [{ label: '*:vip', scope: 'site', metric: 5 }])
  const now = refreshed(bridged, machine([below, phy], []), new Map([[physical, { 'ipv4/forwarding': '0' }]]))
  t.match(now.settings, { 'ipv4/forwarding': '0', 'ipv6/accept_ra': '2' })
})

t.test('nothing is written while nothing happens, although lifetimes go by', async t => {
  const start = after(bridged, [onPhy('192.0.2.1/24', { validUntil: 1500 })], [{ device: physical, ...gateway }])
  const next = after(start, [onPhy('192.0.2.1/24', { validUntil: 1501 })], [{ device: physical, ...gateway }])
  t.equal(next, start)
  t.match(after(start, [onPhy('192.0.2.1/24', { validUntil: 2500 })]).addresses, [{ validUntil: 2500 }], 'renewed')
})

t.test('what is down, gone or another device took nothing away', async t => {
  const look = (...devices: Device[]) => refreshed(bridged, machine(devices, []), new Map())
  t.same(listed(look(below, { ...phy, up: false })), ['192.0.2.1/24'])
  for (const devices of [[below], [below, { ...phy, index: 12 }]]) {
    const record = look(...devices)
    t.same(listed(record), ['192.0.2.1/24'])
    t.equal(record.at, undefined, 'they are nowhere')
  }
  const more = refreshed(bridged, machine([below], [on('eth0', '192.0.2.7/24')]), new Map())
  t.same(listed(more), ['192.0.2.1/24', '192.0.2.7/24'], 'what the owner puts on the device meanwhile comes to it')
})

t.test('a device that was replaced has its own MAC address', async t => {
  const fresh = { ...eth0, index: 30, mac: '52:54:00:00:00:99' }
  const record = refreshed(bridged, machine([fresh, phy], [onPhy('192.0.2.1/24')]), new Map())
  t.equal(record.mac, fresh.mac)
  const { lines } = placement(record, physical, machine([fresh, phy], [onPhy('192.0.2.1/24')]))
  t.ok(lines.includes(`link set eth0 address ${aside(fresh.mac)}`), lines.join('\n'))
})

t.test(
  'a device that was made anew while br-phy is gone has what its owner gave it, and nothing of before',
  async t => {
    const record = refreshed(bridged, machine([{ ...eth0, index: 30 }], [on('eth0', '192.0.2.77/24')]), new Map())
    t.same([listed(record), record.at], [['192.0.2.77/24'], { device: 'eth0', index: 30 }])
    const bare = refreshed(bridged, machine([{ ...eth0, index: 30 }], []), new Map())
    t.same(listed(bare), ['192.0.2.1/24'], 'one without any address gets back what the node had')
  },
)

t.test('a device that has another name now is still that device', async t => {
  const record = refreshed(bridged, machine([{ ...below, name: 'lan0' }, phy], [onPhy('192.0.2.1/24')]), new Map())
  t.match(record, { device: 'lan0', mac, addresses: [{ address: '192.0.2.1/24' }] })
})

/** What a node is after such lines of `ip -batch`. */
const carriedOut = ({ devices, addresses, routes, ...rest }: Machine, lines: readonly string[]): Machine => {
  const now = { devices: new Map(devices), addresses: [...addresses], routes: [...routes] }
  for (const line of lines) {
    const [, verb, address = '', device = ''] = /^addr (replace|del) (\S+).* dev (\S+)/.exec(line) ?? []
    if (verb === 'replace') now.addresses.push(on(device, address))
    if (verb === 'del') now.addresses = now.addresses.filter(one => one.device !== device || one.address !== address)
    const [, name = '', fresh] = /^link set (\S+) address (\S+)$/.exec(line) ?? []
    if (fresh) now.devices.set(name, { ...now.devices.get(name)!, mac: fresh })
    const [, to] = /^route replace 0\.0\.0\.0\/0 via 192\.0\.2\.254 dev (\S+) proto dhcp metric 100$/.exec(line) ?? []
    if (to) now.routes = [{ device: to, ...gateway }]
  }
  return { ...rest, ...now }
}

t.test('static neighbours and rules that name the device go with it, and are followed there', async t => {
  const rules = readRules(
    [
      '0:\tfrom all lookup local',
      '77:\tfrom all to 10.77.0.0/16 iif eth0 [detached] lookup 77 suppress_prefixlength 0',
      '78:\tnot from all fwmark 0x1/0xff iif eth0 oif eth0 unreachable',
      '32766:\tfrom all lookup main',
    ].join('\n'),
    4,
  )
  const six = readRules('90:\tfrom 2001:db8::/32 oif eth0 goto 100 [unresolved]', 6)
  const neighbours = [
    ...readNeighbours('[{"dst":"192.0.2.9","dev":"eth0","lladdr":"02:00:00:00:00:09","state":["PERMANENT"]}]'),
    ...readNeighbours('[{"dst":"192.0.2.10","dev":"eth0","proxy":null,"state":[]}]'),
  ]
  const start = { ...machine([eth0, phy], [on('eth0', '192.0.2.1/24')]), rules: [...rules, ...six], neighbours }
  const record = recordOf('eth0', start, new Map([['eth0', settings]]), here)
  t.same(parseRecord(JSON.stringify(record), here), record)
  const there = placement(record, physical, start)
  t.same(
    there.lines.filter(line => /^(rule|neigh)/.test(line)),
    [
      'neighbour replace 192.0.2.9 lladdr 02:00:00:00:00:09 dev br-phy nud permanent',
      'neighbour add proxy 192.0.2.10 dev br-phy',
      'rule add priority 77 from all to 10.77.0.0/16 iif br-phy lookup 77 suppress_prefixlength 0',
      'rule add priority 78 not from all fwmark 0x1/0xff iif br-phy oif br-phy unreachable',
      'rule del priority 77 from all to 10.77.0.0/16 iif eth0 lookup 77 suppress_prefixlength 0',
      'rule del priority 78 not from all fwmark 0x1/0xff iif eth0 oif eth0 unreachable',
      'neighbour del proxy 192.0.2.10 dev eth0',
    ],
  )
  t.same(there.rules6, [
    'rule add priority 90 from 2001:db8::/32 oif br-phy goto 100',
    'rule del priority 90 from 2001:db8::/32 oif eth0 goto 100',
  ])
  t.ok(
    placement(record, physical, { ...start, devices: machine([below, phy], []).devices }).lines.includes(
      'neighbour del 192.0.2.9 dev eth0',
    ),
    'no MAC address changes',
  )
  const moved = { ...record, at: { device: physical, index: phy.index } }
  const one = rules.slice(0, 1).map(rule => ({ ...rule, device: physical }))
  const followed = refreshed(
    moved,
    { ...machine([below, phy], [onPhy('192.0.2.1/24')]), rules: one, neighbours: [] },
    new Map(),
  )
  t.match(followed, { rules: [{ words: ['priority', '77'] }], neighbours: [] }, 'what the owner takes away stays away')
  t.equal(followed.rules.length, 1)
  // br-phy has gone with ovs-vswitchd, and rules still name it.
  const gone = { ...machine([below], []), rules: one }
  t.same(
    placement(refreshed(followed, gone, new Map()), 'eth0', gone).lines.filter(line => line.startsWith('rule')),
    [
      'rule add priority 77 from all to 10.77.0.0/16 iif eth0 lookup 77 suppress_prefixlength 0',
      'rule del priority 77 from all to 10.77.0.0/16 iif br-phy lookup 77 suppress_prefixlength 0',
    ],
  )
})

t.test('addresses, routes, settings and MAC go to br-phy and back, and the node is as it was', async t => {
  const start = machine([eth0, phy], [on('eth0', '192.0.2.1/24')], [{ device: 'eth0', ...gateway }])
  const there = placement(first, physical, start)
  t.same(there.lines, [
    `link set eth0 address ${aside(mac)}`,
    'addr replace 192.0.2.1/24 scope global dev br-phy',
    'route replace 0.0.0.0/0 via 192.0.2.254 dev br-phy proto dhcp metric 100',
    'addr del 192.0.2.1/24 dev eth0',
  ])
  t.same(there.settings, [
    [physical, settings],
    ['eth0', { 'ipv6/accept_ra': '0', 'ipv6/autoconf': '0' }],
  ])
  const moved = carriedOut(start, there.lines)
  t.same(placement(bridged, physical, moved).lines, [], 'and then nothing is left to do')
  const back = placement(bridged, 'eth0', moved)
  t.same(back.settings, [['eth0', settings]])
  const home = carriedOut(moved, back.lines)
  t.same([home.addresses, home.devices.get('eth0'), home.routes], [start.addresses, eth0, start.routes])
  t.same(placement(first, 'eth0', home).lines, [])
  t.same(placement(first, physical, machine([eth0], start.addresses)).lines, [], 'nor to a bridge that does not exist')
})

t.test(
  'an address that the owner takes away while it moves comes nowhere; what is left of a lifetime is kept',
  async t => {
    const record: UplinkRecord = {
      ...bridged,
      addresses: [
        { address: '192.0.2.1/24', scope: 'global', validUntil: 1500, preferredUntil: 1100 },
        { address: '192.0.2.2/24', scope: 'global', validUntil: 900 },
      ],
    }
    const { lines } = placement(record, 'eth0', machine([below, phy], []))
    t.ok(
      lines.includes('addr replace 192.0.2.1/24 scope global dev eth0 valid_lft 500 preferred_lft 100'),
      lines.join(),
    )
    t.notOk(lines.some(line => line.includes('192.0.2.2/')))
  },
)

t.test('the first address of a subnet goes last, or it would take the others with it', async t => {
  const addresses = ['192.0.2.1/24', '192.0.2.2/24'].map(address => on('eth0', address))
  const record = recordOf('eth0', machine([eth0], addresses), new Map(), here)
  const { lines } = placement(record, physical, machine([eth0, phy], addresses))
  t.same(lines.slice(-2), ['addr del 192.0.2.2/24 dev eth0', 'addr del 192.0.2.1/24 dev eth0'])
})

t.test('what the owner puts on the device alone stays there; what is on both is only needed on br-phy', async t => {
  const look = machine([below, phy], [onPhy('192.0.2.1/24'), on('eth0', '192.0.2.1/24'), on('eth0', '192.0.2.9/32')])
  t.same(placement(bridged, physical, look).lines, ['addr del 192.0.2.1/24 dev eth0'])
})

t.test(
  'a kept record counts on this machine since its start, in this namespace, for this node, if it is one',
  async t => {
    const text = JSON.stringify(bridged)
    t.same(parseRecord(text, here), bridged)
    t.equal(JSON.stringify(parseRecord(text, here)), text, 'spelled as it was: nothing is to be written')
    for (const other of [{ boot: 'c' }, { namespace: 'm' }, { node: 'n2' }])
      t.equal(parseRecord(text, { ...here, ...other }), undefined)
    const bad = (over: object) => parseRecord(JSON.stringify({ ...bridged, ...over }), here)
    t.same(
      [parseRecord('', here), parseRecord('[]', here), bad({ format: 2 }), bad({ mac: 'x' })],
      Array(4).fill(undefined),
    )
    t.equal(bad({ device: 'eth0\nlink del eth1' }), undefined)
    t.equal(bad({ addresses: [{ address: '192.0.2.1/24', scope: 'global dev eth1' }] }), undefined)
  },
)

t.test('a record that is lost can be made of br-phy itself', async t => {
  const look = machine([below, { ...phy, carrier: false }], [onPhy('192.0.2.1/24')])
  t.match(reconstruct(look, new Map(), here), { device: 'eth0', mac, at: { device: physical, index: 9 } })
  t.equal(reconstruct(machine([eth0, phy], [onPhy('192.0.2.1/24')]), new Map(), here), undefined, 'of somebody else')
})

t.test('the other MAC is one for a single station, and locally administered', async t => {
  for (const mac of ['52:54:00:00:00:01', '02:1a:b0:00:00:01', 'ff:ff:ff:ff:ff:fe']) {
    t.equal(Number.parseInt(aside(mac).slice(0, 2), 16) & 3, 2)
    t.not(aside(mac), mac)
  }
  t.equal(linkLocal('72:7a:e3:d6:e6:04'), 'fe80::707a:e3ff:fed6:e604')
})
