import t from 'tap'
import { mesh } from '../../topology/mesh.ts'
import { exits } from '../../topology/path-mtu.ts'
import { paths } from '../../topology/paths.ts'
import { route } from '../../topology/route.ts'
import { endpointKey, type Link } from '../../topology/topology.ts'

const both = (a: string, p: number, b: string, q: number): Link[] => [
  { from: { dpid: a, port: p }, to: { dpid: b, port: q } },
  { from: { dpid: b, port: q }, to: { dpid: a, port: p } },
]
const line = mesh([...both('a', 1, 'b', 1), ...both('b', 2, 'c', 2), ...both('c', 3, 'd', 3)])
const exitsOf = (...members: string[]) => [...exits([route(members, paths(line))])].map(endpointKey).sort()

t.test('frames leave by the links between members, and no others, each told once', async t => {
  t.strictSame(exitsOf('a', 'b'), ['a/1', 'b/1'])
  t.strictSame(exitsOf('a', 'c'), ['a/1', 'b/1', 'b/2', 'c/2'], 'also by those of switches between them')
  t.strictSame(exitsOf('a'), [])
})
