// Ten switches in full mesh, and one network over all of them.
import t from 'tap'
import { needs } from '../../lab/install.ts'
import { until } from '../controller/watching.ts'
import { apart, hearing, makeStage, streamTo } from './stage.ts'

if (needs(t)) {
  const stage = await makeStage(t, { nodes: 10, podsPerNode: 1 })
  const { mesh, frames } = stage
  const pods = mesh.pods()

  t.test('all ninety links are found', async t => {
    t.equal(stage.controller.links().length, 90)
    await until('all are up', () => stage.controller.links().every(({ state }) => state === 'up'))
  })

  t.test('each of ten pods on ten nodes reaches each other, and a broadcast reaches each once', async t => {
    await stage.join('red', pods, 'learn')
    t.strictSame(await hearing(stage, pods), apart(pods, pods))
    await Promise.all(pods.map((pod, i) => stage.ping(pod, pods[(i + 1) % 10]!)))
    const { times } = await frames.reach(pods, { kind: 'unicast' })
    const missed = pods.flatMap(a => pods.filter(b => a !== b && times(a, b) !== 1).map(b => `${a.name} to ${b.name}`))
    t.strictSame(missed, [])
  })

  t.test('a node that leaves and comes back costs the others nothing', async t => {
    const [a, b, c] = [pods[0]!, pods[1]!, pods[9]!]
    const talk = await streamTo(stage, a, b, 3)
    await stage.leave('red', [c])
    await stage.join('red', [c], 'learn')
    const counts = await talk.finish()
    t.strictSame([counts.at(b).lost, counts.at(b).duplicated], [0, 0])
    t.strictSame(await hearing(stage, pods), apart(pods, pods))
  })
}
