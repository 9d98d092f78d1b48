import t from 'tap'
import type { PathVersion } from '../../controller/compile/rollout.ts'
import type { Compiled, Tables } from '../../controller/compile/tables.ts'
import type { CompileQueue } from '../../controller/compile-queue.ts'
import { newRolloutLoop } from '../../controller/rollout-loop.ts'
import { putNetwork } from '../../store/desired.ts'
import { openMemory } from '../../store/memory.ts'
import { mesh } from '../../topology/mesh.ts'
import { paths } from '../../topology/paths.ts'
import { route } from '../../topology/route.ts'
import { testClock } from './clock.ts'

t.test(
  'a store that can not write the way of a network is asked again after a second, and not when it is over',
  async t => {
    const store = openMemory()
    await store.write(draft => putNetwork(draft, 'red'))
    const network = store.state().networks.get('red')!
    const apart = route(['a', 'b'], paths(mesh([])))
    const ends = [
      { dpid: 'a', port: 1 },
      { dpid: 'b', port: 1 },
    ] as const
    const links = [
      { from: ends[0], to: ends[1] },
      { from: ends[1], to: ends[0] },
    ]
    const joined = route(['a', 'b'], paths(mesh(links)))
    const pathVersion: PathVersion = { epoch: 0, route: apart }
    const at = {
      network,
      rollout: { is: 'steady', serial: 1, pathVersion },
      wanted: joined,
      datapaths: new Set(['a', 'b']),
    }
    const compiled = new Map([[network.number, at as unknown as Compiled]])
    const clock = testClock()
    let asked = 0
    const loop = newRolloutLoop({
      store: {
        ...store,
        write: async () => {
          asked += 1
          throw new Error('no space left')
        },
      },
      tables: {
        compiled,
        rollingOut: new Set([network.number]),
        outdated: new Map(),
        step: () => undefined,
      } as unknown as Tables,
      compileQueue: { ids: new Set(), markMoved() {} } as unknown as CompileQueue,
      switches: new Map(),
      clock,
      failed() {},
    })
    for (let i = 0; i < 20; i++) {
      loop.look()
      await clock.pass(5)
    }
    t.equal(asked, 1)
    await clock.pass(1200)
    t.equal(asked, 2)
    loop.stop()
    loop.look()
    await clock.pass(1200)
    t.equal(asked, 2)
  },
)
