// A switch that its agent makes to speak TLS: with the files that `l2sm pki` makes, renewed under it.
import { join } from 'node:path'
import t from 'tap'
import { needs } from '../../lab/install.ts'
import { run, startController } from '../cli/command.ts'
import { until } from '../controller/watching.ts'
import { missingOpenssl } from '../openflow/certificates.ts'
import { makeAgents } from '../ovs/agents.ts'
import { openflowPort } from '../ovs/stage.ts'

const missing = missingOpenssl()
if (missing !== undefined) t.comment(`not run: ${missing}`)
else if (needs(t)) {
  const agents = await makeAgents(t, { nodes: 1 })
  const { mesh } = agents.stage
  const { dpid, ovs } = mesh.node(1)
  const { address } = mesh.ctl
  const folder = join(mesh.directory, 'pki')
  const pki = (...more: string[]) => run(['pki', folder, '--switch', `n1=${dpid}`, '--controller', address, ...more])
  await pki()
  const at = (name: string) => join(folder, name)
  const own = [
    '--openflow-key',
    at('controller.key'),
    '--openflow-cert',
    at('controller.crt'),
    '--openflow-ca',
    at('ca.crt'),
  ]
  const target = `ssl:${address}:${openflowPort}`

  t.test('a plan with TLS files connects the switch by TLS, and one that is told to again does nothing', async t => {
    const controller = await startController(t, [
      ...['--openflow', `tls:${address}:${openflowPort}`, ...own, '--http', '127.0.0.1:0', '--store', 'memory'],
    ])
    const connected = async () => {
      const { switches } = (await (await fetch(`${controller.base}/v1/switches`)).json()) as {
        switches: { dpid: string; connected: boolean }[]
      }
      return switches.some(each => each.dpid === dpid && each.connected)
    }
    const tls = { key: at('switch-n1.key'), cert: at('switch-n1.crt'), ca: at('ca.crt') }
    agents.change(1, () => ({ controllers: [target], tls }))
    await until('it is connected', connected)
    await agents.settled(1)
    const config = () => ovs.vsctl('get', 'Open_vSwitch', '.', 'next_cfg')
    const before = await config()
    await agents.stop(1, 'SIGKILL')
    await agents.start(1)
    await agents.settled(1)
    t.equal(await config(), before)
    t.match(await ovs.vsctl('get-ssl'), /switch-n1\.crt/)

    // Another certificate, by the same CA: Open vSwitch reads it by itself for its next connection.
    await pki('--renew')
    await controller.stop('SIGKILL')
    const next = await startController(t, [
      ...['--openflow', `tls:${address}:${openflowPort}`, ...own, '--http', '127.0.0.1:0', '--store', 'memory'],
    ])
    const again = async () => /"connected":true/.test(await (await fetch(`${next.base}/v1/switches`)).text())
    await until('it is connected again', again, { ms: 15_000 })
  })
}
