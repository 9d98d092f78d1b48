// Three kubelets with everything from our manifests: installing takes minutes, so all that is asked of it is asked of one cluster.
import t from 'tap'
import { everywhere } from './everywhere.ts'
import { examples } from './examples.ts'
import { install, needsNodes } from './installed.ts'
import { pingPong } from './ping-pong.ts'
import { uninstall } from './uninstall.ts'

if (await needsNodes(t)) {
  const cluster = await install(t)
  await pingPong(t, cluster)
  await examples(t, cluster)
  await everywhere(t, cluster)
  await uninstall(t, cluster)
}
