// A port that was asked for by name: another port that has its number gets nothing, and lets nothing in.
import t from 'tap'
import { compile } from '../../controller/compile/compile.ts'
import type { Subject } from '../../controller/compile/local-network.ts'
import type { Action } from '../../openflow/index.ts'
import type { Attachment } from '../../store/state.ts'
import { mesh } from '../../topology/mesh.ts'
import { paths } from '../../topology/paths.ts'
import { route } from '../../topology/route.ts'

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
    4,
    'in by it, untagged or with a priority; its address; to it',
  )
  t.strictSame(about(held), [])
  t.strictSame(
    held.filter(item => item.kind === 'group'),
    without.filter(item => item.kind === 'group'),
  )
})
