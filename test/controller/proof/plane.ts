// A data plane drawn by hand: flows in the words of ovs-ofctl, and links.
import { flowItem, groupItem, type Item } from '../../../controller/compile/item.ts'
import type { DataPlane, PlaneSwitch, Use } from '../../../controller/proof/data-plane.ts'
import { parseFlow, parseGroup } from '../../../openflow/index.ts'
import { type Endpoint, endpointKey, type Link, linkKey } from '../../../topology/topology.ts'

type Drawn = {
  /** By switch: ports, and what it holds, a flow or group a line. */
  readonly switches: Readonly<Record<string, { readonly ports: readonly number[]; readonly holds: readonly string[] }>>
  /** `a/1-b/2`: both ways. */
  readonly links?: readonly string[]
  readonly uses?: Readonly<Record<string, readonly Use[]>>
  readonly dead?: readonly Link[]
}

const itemOf = (line: string): Item => {
  if (!line.startsWith('group_id=')) return flowItem(1, parseFlow(line))
  const { groupId, groupType, buckets } = parseGroup(line)
  return groupItem(1, groupId, groupType as 'all', buckets)
}
const endOf = (text: string): Endpoint => {
  const [dpid = '', port] = text.split('/')
  return { dpid, port: Number(port) }
}

export function drawn({ switches, links = [], uses = {}, dead = [] }: Drawn): DataPlane {
  const from = new Map<string, Link>()
  for (const [a, b] of links.map(text => text.split('-') as [string, string])) {
    from.set(a, { from: endOf(a), to: endOf(b) })
    from.set(b, { from: endOf(b), to: endOf(a) })
  }
  const known = Object.entries(switches).map(([dpid, { ports, holds }]): [string, PlaneSwitch] => {
    const items = holds.map(itemOf)
    const port = (number: number) => ({ number, name: `p${number}`, mac: '02:00:00:00:00:00', up: number !== 99 })
    return [
      dpid,
      { dpid, ports: new Map(ports.map(number => [number, port(number)])), isOpenVSwitch: true, items: () => items },
    ]
  })
  return {
    ...{ tables: 'held', revision: 1, switches: new Map(known), networks: () => [], network: () => undefined },
    link: end => from.get(endpointKey(end)),
    isDead: link => dead.some(each => linkKey(each) === linkKey(link)),
    at: end => uses[endpointKey(end)] ?? [],
  }
}
