// A port that was asked for by name: another port that has its number gets nothing, and lets nothing in.
import t from 'tap'
import { compile } from '../../controller/compile/compile.ts'
import type { Subject } from '../../controller/compile/local-network.ts'
import type { Action } from '../../openflow/index.ts'
import { attach, putNetwork } from '../../store/desired.ts'
import type { Attachment } from '../../store/state.ts'
import { mesh } from '../../topology/mesh.ts'
import { paths } from '../../topology/paths.ts'
import { route } from '../../topology/route.ts'
import { portDesc, putPort } from '../reference/index.ts'
import { dpidOf, makePeers, type Peers } from './peers.ts'

const dpid = '00000000000000a1'
const attachment = (port: number, portName?: string): Attachment => ({
  ...{ network: 'red', dpid, port, guard: 'mac', mac: `02:00:00:00:00:0${port}`, revision: 1 },
  ...(portName !== undefined && { portName }),
})

/** What the switch must hold, with its ports called so. */
const compiled = (attachments: readonly Attachment[], names?: Readonly<Record<number, string>>) => {
  const subject: Subject = {
    network: { id: 'red', number: 7, revision: 1 },
    ...{ attachments, learned: [], suppressed: new Set(), snooped: undefined },
  }
  const called = names && new Map(Object.entries(names).map(([port, name]) => [Number(port), name]))
  const datapath = {
    ports: new Set([1, 2, 3]),
    meteredPacketIns: true,
    maxMeter: 0x3ffff,
    ...(called && { names: called }),
  }
  const pathVersions = [{ epoch: 0, route: route(new Set([dpid]), paths(mesh([]))) }] as const
  return compile(subject, new Map([[dpid, datapath]]), pathVersions).get(dpid)
}

t.test('the port of that name is what was asked for', async t => {
  const members = [attachment(1, 'eth1'), attachment(2)]
  t.strictSame(compiled(members, { 1: 'eth1', 2: 'eth2' }), compiled([attachment(1), attachment(2)]))
})

t.test('a port that has its number and another name is left out, as if it were not there', async t => {
  const others = [attachment(2), attachment(3)]
  const without = compiled(others)!
  const held = compiled([attachment(1, 'eth1'), ...others], { 1: 'eth7', 2: 'eth2', 3: 'eth3' })!
  const goesTo = (actions: readonly Action[]) => actions.some(action => action.type === 'output' && action.port === 1)
  const about = (items: typeof held) =>
    items.filter(
      item =>
        item.kind === 'flow' &&
        (item.match.in_port === 1 || item.instructions.some(i => i.type === 'apply_actions' && goesTo(i.actions))),
    )
  t.equal(
    about(compiled([attachment(1), ...others])!).length,
    7,
    'in by it, untagged or with a priority, and both to a group; its address; to it; from it to nobody knows where',
  )
  t.strictSame(about(held), [])
  t.strictSame(
    held.filter(item => item.kind === 'group'),
    without.filter(item => item.kind === 'group'),
  )
})

t.test('a name that two ports have moves no attachment, then or later', async t => {
  const world = await makePeers(t, { ports: 6 })
  await world.live()
  const called = (number: number, name: string) =>
    world.peer(1).say(...putPort(world.peer(1).sw, number, { desc: { ...portDesc(number), name } }))
  const portOf = () => [...world.store.state().members.get('red')!.values()].map(({ port }) => port)
  const name = 'uplinkGigabitEt'
  called(1, name)
  await world.until('it is called so', () => namesOf(world).get(1) === name)
  await world.ask(draft => putNetwork(draft, 'red'))
  await world.ask(draft => attach(draft, { network: 'red', dpid: dpidOf(1), port: 1, portName: name }))
  called(6, name)
  await world.until('both are', () => namesOf(world).get(6) === name)
  // A session tells of its ports ten times a second at most, by a clock of its own.
  const began = performance.now()
  await world.until('it is told', () => performance.now() - began > 250)
  await world.clock.pass(1000)
  t.strictSame(portOf(), [1])
  t.equal((await world.controller.settled('red', 0, 5000)).state, 'programmed')
  world.peer(1).port(1, false)
  await world.until('it is gone', () => !namesOf(world).has(1))
  await world.clock.pass(1000)
  t.strictSame(portOf(), [1], 'which of them is left is chance')
  t.equal(world.controller.network('red')?.state, 'pending')
  called(2, name)
  await world.until('two others are', () => namesOf(world).get(2) === name)
  const reason = () => world.controller.network('red')?.reason ?? ''
  await world.until('it is said', () => reason().includes(`several ports called ${name} (2, 6): none is meant`), {
    why: reason,
  })
})

t.test('an attachment goes where the only port of its name goes', async t => {
  const world = await makePeers(t, { ports: 3 })
  await world.live()
  await world.ask(draft => putNetwork(draft, 'red'))
  await world.ask(draft => attach(draft, { network: 'red', dpid: dpidOf(1), port: 1, portName: 'port1' }))
  world.peer(1).port(1, false)
  world.peer(1).say(...putPort(world.peer(1).sw, 5, { desc: { ...portDesc(5), name: 'port1' } }))
  await world.until('it is followed', () => world.store.state().attachments.has(`${dpidOf(1)}/5`))
})

const namesOf = (world: Peers) =>
  new Map(world.controller.switch(dpidOf(1))!.ports.map(({ number, name }) => [number, name]))
