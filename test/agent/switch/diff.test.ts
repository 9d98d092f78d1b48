// What should be against what a real ovsdb-server holds: no switch runs, so what is written is all that there is.
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { openOvsdb } from '../../../agent/ovsdb/ovsdb.ts'
import { type Database, tableNames } from '../../../agent/ovsdb/schema.ts'
import { bridgeNamed, portsOf } from '../../../agent/switch/desired.ts'
import { type Difference, diff, removal } from '../../../agent/switch/diff.ts'
import { placeOf, reconnection } from '../../../agent/switch/target.ts'
import type { NodePlan } from '../../../api/contract/node-schemas.ts'
import { needs } from '../../../lab/install.ts'
import { until } from '../../controller/watching.ts'
import { startServer } from '../ovsdb/database.ts'
import { bridge, type Given, link, plan, wantedOf } from '../plans.ts'

async function stage(t: Test) {
  const server = await startServer()
  t.teardown(() => server.close())
  const ovsdb = openOvsdb({ path: server.socket, changed: () => {} })
  t.teardown(() => ovsdb.close())
  await until('it is live', () => ovsdb.state().is === 'live')
  const database = (): Database => {
    const state = ovsdb.state()
    if (state.is !== 'live') throw new Error(`the client is ${state.is}`)
    return state.database
  }
  const difference = (of: NodePlan, given?: Given) => diff(wantedOf(of, given), database(), bridge)
  const carryOut = async ({ operations, changes }: Difference) => {
    if (operations.length > 0) await ovsdb.transact(operations)
    return changes
  }
  /** Until there is nothing to do; answers what was done. */
  const apply = async (of: NodePlan, given?: Given): Promise<string[]> => {
    const changes: string[] = []
    for (let round = 0; round < 3; round++) {
      const next = difference(of, given)
      if (next.operations.length === 0) return changes
      changes.push(...(await carryOut(next)))
    }
    throw new Error(`it does not settle: ${changes.join('; ')}`)
  }
  const ports = () => portsOf(database(), bridge)
  /** Every row that is not marked as the bridge's, but for what the switch itself keeps. */
  const others = () =>
    tableNames
      .filter(table => table !== 'Open_vSwitch')
      .flatMap(table => [...database()[table].values()])
      .filter(({ external_ids }) => external_ids['l2sm'] !== bridge)
      .map(row => JSON.stringify(row))
      .sort()
  return { server, ovsdb, database, difference, carryOut, apply, ports, others }
}

if (needs(t)) {
  t.test('a plan makes the bridge as a switch of ours must be, in one transaction', async t => {
    const { apply, database, ports, difference } = await stage(t)
    t.equal((await apply(plan({ links: [link(2), link(3)] }))).length, 1)
    t.match(bridgeNamed(database(), bridge), {
      ...{ datapath_type: 'netdev', fail_mode: 'secure', protocols: ['OpenFlow13'] },
      other_config: { 'disable-in-band': 'true', 'datapath-id': /^[0-9a-f]{16}$/ },
    })
    t.match(
      [...database().Controller.values()],
      [{ target: 'tcp:192.0.2.9:6653', connection_mode: 'out-of-band', inactivity_probe: 5000 }],
    )
    const tunnels = ports().filter(({ interface: { type } }) => type === 'vxlan')
    const options = { key: 'flow', local_ip: '192.0.2.1', dst_port: '7000' }
    t.match(
      tunnels.map(({ interface: i }) => [i.ofport_request, i.options]).sort(),
      [
        [12, { ...options, remote_ip: '192.0.2.2' }],
        [13, { ...options, remote_ip: '192.0.2.3' }],
      ],
      'links have the numbers of the plan',
    )
    t.same(
      ports()
        .map(({ interface: i }) => i.ofport_request)
        .filter(n => n !== undefined && n < 4)
        .sort(),
      [1, 2, 3],
    )
    t.same(difference(plan({ links: [link(2), link(3)] })), { operations: [], changes: [], faults: [] })
  })

  t.test('a link added or removed leaves all others as they are, with their numbers', async t => {
    const { apply, ports } = await stage(t)
    await apply(plan({ links: [link(2), link(3), link(4)] }))
    const before = ports()
    t.match(await apply(plan({ links: [link(5), link(2), link(4)] })), [/removed/, /added as number 15/])
    const kept = before.filter(({ port }) => ports().some(other => other.port.uuid === port.uuid))
    t.equal(kept.length, before.length - 1)
    for (const own of kept)
      t.same(
        ports().find(({ port }) => port.uuid === own.port.uuid),
        own,
      )
    // A database is in no order.
    const changes = (await apply(plan({ links: [link(2, { port: 300 }), link(4)] }))).sort()
    t.match(changes, [/vx0000000002: ofport_request set to 300, was 12/, /vx0000000005 .*removed/])
  })

  t.test('what was changed by hand is put right and told; what is of others is not touched', async t => {
    const { server, apply, others, ports, database } = await stage(t)
    await server.vsctl('add-br br0 -- set-controller br0 tcp:192.0.2.77:6653 -- add-port br0 eth9')
    await apply(plan({ links: [link(2)] }))
    const more = 'other_config:mac-table-size=99 external_ids:a=b'
    await server.vsctl(`add-port ${bridge} tap0 -- set bridge ${bridge} ${more}`)
    await until('the port is known', () => ports().some(({ port }) => port.name === 'tap0'))
    const before = others()
    t.same(await apply(plan({ links: [link(2)] })), [])

    const [tunnel] = ports().filter(({ interface: { type } }) => type === 'vxlan')
    const [pod] = ports().filter(({ interface: { ofport_request } }) => ofport_request === 2)
    const changes = [
      `set bridge ${bridge} fail_mode=standalone protocols=[OpenFlow10,OpenFlow13] other_config:disable-in-band=false`,
      `set interface ${tunnel!.port.name} options:remote_ip=192.0.2.66 ofport_request=9`,
      `del-port ${bridge} ${pod!.port.name}`,
      `set controller ${bridge} connection_mode=in-band`,
      `--id=@c create controller target="tcp:192.0.2.66:6653"`,
      `add bridge ${bridge} controller @c`,
    ]
    await server.vsctl(changes.join(' -- '))
    await until('that is known', () => bridgeNamed(database(), bridge)?.controller.length === 2)
    const told = await apply(plan({ links: [link(2)] }))
    for (const words of [
      /fail_mode set to "secure", was "standalone"/,
      /protocols set to \["OpenFlow13"\]/,
      /disable-in-band set to "true", was "false"/,
      /options set to .*192\.0\.2\.2".* was .*192\.0\.2\.66"/,
      /connection_mode set to "out-of-band"/,
      /added as number 2/,
      /tcp:192\.0\.2\.66:6653 removed/,
    ])
      t.ok(
        told.some(line => words.test(line)),
        `${words}`,
      )
    t.match(bridgeNamed(database(), bridge)?.other_config, { 'mac-table-size': '99' })
    t.same(others(), before)
  })

  t.test(
    'a bridge or a port of that name that is somebody else’s is left alone, and said to be in the way',
    async t => {
      const { server, difference, database } = await stage(t)
      await server.vsctl(`add-br ${bridge}`)
      await until('it is known', () => bridgeNamed(database(), bridge) !== undefined)
      t.match(difference(plan()), {
        operations: [],
        faults: [/exists and does not belong to this agent: ovs-vsctl br-set-external-id/],
      })
      const [hint] = difference(plan()).faults[0]!.match(/br-set-external-id \S+ \S+ \S+/)!
      await server.vsctl(hint)
      await until('it is ours', () => difference(plan()).faults.length === 0)
      t.ok(difference(plan()).operations.length > 0, 'handed over as was said, it is used')
    },
  )

  t.test('a device that was made anew gives its port a new start, in two steps', async t => {
    const { apply, difference, carryOut, ports } = await stage(t)
    await apply(plan())
    const index = (number: number) => (number === 2 ? 77 : number)
    const before = ports()
    t.match(await carryOut(difference(plan(), { index })), [/removed: its device is another one now/])
    t.match(await carryOut(difference(plan(), { index })), [/added as number 2/])
    t.same(difference(plan(), { index }).operations, [])
    t.equal(ports().filter(({ port }) => before.some(old => old.port.uuid === port.uuid)).length, before.length - 1)
  })

  t.test('controllers are replaced in one step, never through none', async t => {
    const { apply, difference, database, ovsdb } = await stage(t)
    const to = (...targets: string[]) => plan({ controllers: targets.map(target => `tcp:192.0.2.${target}`) })
    const targets = () =>
      [...database().Controller.values()].map(({ target }) => target.slice('tcp:192.0.2.'.length)).sort()
    await apply(to('9:6653'))
    t.same(await apply(plan({ controllers: [] })), [], 'a plan without any keeps those that are there')
    t.equal(
      difference(to('8:6653')).operations.filter(({ op, row }) => op === 'update' && 'controller' in (row as object))
        .length,
      1,
    )
    await apply(to('8:6653', '7:6653'))
    t.same(targets(), ['7:6653', '8:6653'])

    await ovsdb.transact(reconnection([...database().Controller.values()]))
    t.same(targets(), ['7:06653', '8:06653'])
    t.same(await apply(to('8:6653', '7:6653')), [], 'spelled otherwise, it is the same')
    await ovsdb.transact(reconnection([...database().Controller.values()]))
    t.same(targets(), ['7:6653', '8:6653'])
  })

  t.test('TLS files are set, and those of somebody else are left alone', async t => {
    const { server, apply, difference, database } = await stage(t)
    const tls = { key: '/k', cert: '/c', ca: '/a' }
    const secured = plan({ controllers: ['ssl:192.0.2.9:6653'], tls })
    await apply(secured)
    t.match([...database().SSL.values()], [{ private_key: '/k', certificate: '/c', ca_cert: '/a' }])
    t.match(await apply({ ...secured, tls: { ...tls, cert: '/c2' } }), [/TLS: certificate set to "\/c2", was "\/c"/])
    await server.vsctl('set-ssl /theirs /theirs /theirs')
    await until('it is known', () => [...database().SSL.values()].some(({ ca_cert }) => ca_cert === '/theirs'))
    t.match(difference(secured), { operations: [], faults: [/takes only one set: ovs-vsctl del-ssl/] })
  })

  t.test('removed, all that is ours is gone and nothing else', async t => {
    const { server, apply, carryOut, database, others, difference } = await stage(t)
    await server.vsctl('add-br br0 -- add-port br0 eth9 -- set-controller br0 tcp:192.0.2.77:6653')
    await until('it is known', () => database().Controller.size === 1)
    const before = others()
    const tls = { key: '/k', cert: '/c', ca: '/a' }
    await apply(plan({ links: [link(2)], controllers: ['ssl:192.0.2.9:6653'], tls }))
    t.same(others(), before)
    await carryOut(removal(database(), bridge))
    t.same([others(), database().Bridge.size, database().Interface.size, database().SSL.size], [before, 1, 2, 0])
    t.same(removal(database(), bridge).operations, [])
    t.ok(difference(plan()).operations.length > 0)
  })

  t.test('whatever plans follow each other, each is reached, and then there is nothing to do', async t => {
    const { apply, ports, others } = await stage(t)
    const links = fc
      .uniqueArray(fc.integer({ min: 2, max: 12 }), { maxLength: 8 })
      .map(numbers => numbers.map(n => link(n)))
    const controllers = fc.uniqueArray(
      fc.constantFrom('tcp:192.0.2.7:6653', 'tcp:192.0.2.8:6653', 'tcp:192.0.2.9:6633'),
      { minLength: 1 },
    )
    const interfaces = fc.nat(6)
    await fc.assert(
      fc.asyncProperty(links, controllers, interfaces, async (links, controllers, interfaces) => {
        const of = plan({ links, controllers, interfaces })
        await apply(of)
        const own = ports().filter(({ interface: { type } }) => type !== 'internal')
        const numbers = own.map(({ interface: i }) => i.ofport_request)
        const remotes = own.flatMap(({ interface: i }) => i.options['remote_ip'] ?? []).sort()
        return (
          own.length === of.links.length + of.interfaces.fixed &&
          new Set(numbers).size === own.length &&
          JSON.stringify(remotes) === JSON.stringify(of.links.map(({ remote }) => remote).sort()) &&
          others().length === 0
        )
      }),
      { numRuns: 60 },
    )
  })
}

t.test('where a target leads is read as Open vSwitch reads it', async t => {
  t.same(placeOf('tcp:192.0.2.1:06653'), { host: '192.0.2.1', port: 6653 })
  t.same(placeOf('ssl:[2001:db8::1]:6653'), { host: '2001:db8::1', port: 6653 })
  t.same(placeOf('ptcp:6653'), undefined)
})
