// Reference switches of a placement, joined as its links say.
import { changeOf } from '../../controller/compile/diff.ts'
import type { Content } from '../../controller/compile/item.ts'
import { encode } from '../../openflow/index.ts'
import { apply, type Fabric, newFabric, newSwitch, plainHardware, type Switch } from '../reference/index.ts'
import type { Placement } from './world.ts'
import * as world from './world.ts'

/** How many switches there are, and whether some links between them are plain. */
type Joined = Pick<Placement, 'switches' | 'plain'>

const switchOf = (s: number, { switches, plain }: Joined, nicira: boolean, more: readonly number[]): Switch => {
  const isPlain = (port: number) => plain === true && world.isPlain(s, port - world.linkPort(s, 0))
  const links = world.linkPortsOf(s, switches)
  return newSwitch({
    dpid: world.dpidOf(s),
    ports: [1, 2, 3, ...more, ...links.filter(isPlain)],
    tunnels: links.filter(port => !isPlain(port)),
    ...(nicira ? {} : { kind: plainHardware }),
  })
}

/** Reference switches that hold this. @param nicira Whether they are as Open vSwitch is. @param more Ports of every switch that no station has. */
export function fabricOf(
  joined: Joined,
  contents: ReadonlyMap<string, Content>,
  nicira = true,
  more: readonly number[] = [],
): Fabric {
  const { switches, plain } = joined
  const all = Array.from({ length: switches }, (_, s) => switchOf(s, joined, nicira, more))
  const joints = world
    .links(switches, plain)
    .filter(l => l.from.dpid < l.to.dpid)
    .map(l => [`${l.from.dpid}/${l.from.port}`, `${l.to.dpid}/${l.to.port}`] as const)
  const fabric = newFabric(all, joints)
  for (const [dpid, content] of contents)
    for (const step of world.messages(new Map(), content)) tell(fabric, dpid, step)
  return fabric
}

/** Gives a switch one message, as bytes; it must take it. */
export function tell(fabric: Fabric, dpid: string, step: ReturnType<typeof world.messages>[number]): void {
  const change = changeOf(step)
  const error = apply(fabric.switches.get(dpid)!, encode(change)).find(reply => reply.type === 'error')
  if (error)
    throw new Error(
      `switch ${dpid} answers ${JSON.stringify(error)} to ${JSON.stringify(change, (_, v) => (typeof v === 'bigint' ? `${v}` : v))}`,
    )
}
