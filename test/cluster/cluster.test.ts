// Three kubelets with everything from our manifests: installing takes minutes, so all that is asked of it is asked of one cluster.
import t from 'tap'
import { everywhere } from './everywhere.ts'
import { examples } from './examples.ts'
import { install, needsNodes } from './installed.ts'
import { pingPong } from './ping-pong.ts'
import { uninstall } from './uninstall.ts'

if (await needsNodes(t)) {
  const cluster = await install(t)
  // Each in a test of its own: while the outermost one has none that runs, it takes itself for ended.
  const timeout = 1_200_000
  await t.test("today's examples", { timeout }, t => pingPong(t, cluster))
  await t.test('our examples', { timeout }, t => examples(t, cluster))
  await t.test('a pod on each node', { timeout }, t => everywhere(t, cluster))
  await t.test('uninstalling', { timeout }, t => uninstall(t, cluster))
}
