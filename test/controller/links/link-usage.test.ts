import t from 'tap'
import type { PathVersion, Rollout } from '../../../controller/compile/rollout.ts'
import type { Compiled } from '../../../controller/compile/tables.ts'
import { usage } from '../../../controller/links/link-usage.ts'
import { mesh } from '../../../topology/mesh.ts'
import { paths } from '../../../topology/paths.ts'
import { route } from '../../../topology/route.ts'
import type { Link } from '../../../topology/topology.ts'

const both = (a: string, p: number, b: string, q: number): Link[] => [
  { from: { dpid: a, port: p }, to: { dpid: b, port: q } },
  { from: { dpid: b, port: q }, to: { dpid: a, port: p } },
]
const triangle = paths(mesh([...both('a', 1, 'b', 1), ...both('b', 2, 'c', 2), ...both('a', 3, 'c', 3)]))
const pathVersion = (epoch: 0 | 1, ...members: string[]): PathVersion => ({ epoch, route: route(members, triangle) })

t.test('a port is used as long as any network uses it, in any of its path versions', async t => {
  const compiled = new Map<number, Compiled>()
  const used = usage({ compiled })
  const put = (number: number, rollout: Rollout | undefined) => {
    if (rollout) compiled.set(number, { rollout } as Compiled)
    else compiled.delete(number)
    used.compiled(number)
  }
  const ports = () =>
    ['a 1', 'b 1', 'b 2', 'c 2', 'a 3', 'c 3'].filter(name => {
      const [dpid, port] = name.split(' ')
      return used.has({ dpid: dpid!, port: Number(port) })
    })
  const ab = pathVersion(0, 'a', 'b')
  put(1, { is: 'steady', serial: 1, pathVersion: ab })
  put(2, { is: 'steady', serial: 2, pathVersion: pathVersion(0, 'a', 'b') })
  t.strictSame(ports(), ['a 1', 'b 1'])
  put(1, { is: 'preparing', serial: 3, from: ab, to: pathVersion(1, 'a', 'c') })
  t.strictSame(ports(), ['a 1', 'b 1', 'a 3', 'c 3'])
  put(1, undefined)
  t.strictSame(ports(), ['a 1', 'b 1'], 'the other network is still there')
  put(2, undefined)
  t.strictSame(ports(), [])
})
