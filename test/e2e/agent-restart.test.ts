// Open vSwitch is restarted on purpose, while no controller runs: what it knew it knows again, or it says that it does not.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { inNamespace, shell } from '../../lab/command.ts'
import { needs } from '../../lab/install.ts'
import { l2sm, run } from '../cli/command.ts'
import { until } from '../controller/watching.ts'
import { makeAgents, nameOf } from '../ovs/agents.ts'
import { apart, hearing, holdings } from '../ovs/stage.ts'

if (needs(t)) {
  const agents = await makeAgents(t, { nodes: 2 })
  const { stage } = agents
  const { mesh } = stage
  const { ovs, netns } = mesh.node(1)
  await stage.start()
  const pods = await Promise.all([1, 2].flatMap(node => [1, 2].map(number => agents.pod(node, number))))
  const [red, blue] = [pods.filter(({ port }) => port === 1), pods.filter(({ port }) => port === 2)]
  await stage.join('red', red)
  await stage.join('blue', blue, 'learn')
  await stage.frames.reach(blue)
  await stage.stop()
  const socket = join(ovs.directory, 'db.sock')
  const restart = (command: string) =>
    run(['agent', '--node', nameOf(1), '--ovs', socket, '--restart', command], {}, { netns })
  const waiting = async () =>
    (await ovs.vsctl('--no-wait', 'get', 'Open_vSwitch', '.', 'other_config')).includes('flow-restore-wait')
  const files = ['pid', 'ctl', 'log'].map(kind => join(ovs.directory, `ovs-vswitchd.${kind}`))
  const again = [
    `ovs-appctl -t ${files[1]} exit`,
    `while kill -0 $(cat ${files[0]}) 2>/dev/null; do sleep 0.02; done`,
    `OVS_RUNDIR=${ovs.directory} ovs-vswitchd unix:${socket} --disable-system --pidfile=${files[0]} --unixctl=${files[1]} --log-file=${files[2]} --detach --no-chdir -vconsole:off`,
  ].join('; ')

  t.test('flows, groups and meters are the same after it, and frames flow, without a controller', async t => {
    const before = await holdings(mesh.node(1))
    const meters = await ovs.ofctl(mesh.node(1).bridge, 'dump-meters')
    t.match(meters, /meter=/)
    t.ok(before.length > 10, `${before.length} flows and groups`)
    const pid = await ovs.pid()
    const { code, stdout } = await restart(again)
    t.equal(code, 0, stdout)
    t.not(await ovs.pid(), pid)
    t.same(await holdings(mesh.node(1)), before)
    t.equal(without(await ovs.ofctl(mesh.node(1).bridge, 'dump-meters')), without(meters))
    t.notOk(await waiting())
    await agents.settled(1)
    // The first frame over a tunnel of a switch that has just started is lost to the search for the peer's MAC.
    await stage.frames.reach(pods)
    t.strictSame(await hearing(stage, pods), apart(pods, red, blue))
  })

  t.test('a pod of Open vSwitch that goes waits until its flows are kept, and the next one has them', async t => {
    const before = await holdings(mesh.node(1))
    const pid = await ovs.pid()
    const asked = join(ovs.directory, 'replacing')
    const answered = join(ovs.directory, 'replacing.saved')
    writeFileSync(asked, '')
    await until('the flows are kept', () => existsSync(answered), { ms: 30_000 })
    await shell(netns, [again])
    await until('they are put back', () => !existsSync(asked) && !existsSync(answered), { ms: 60_000 })
    t.not(await ovs.pid(), pid)
    t.same(await holdings(mesh.node(1)), before)
    t.notOk(await waiting())
    await stage.frames.reach(pods)
    t.strictSame(await hearing(stage, pods), apart(pods, red, blue))
  })

  t.test(
    'a restart that is killed leaves its switch without controllers for seconds, not for as long as it could take',
    async t => {
      const targets = () => ovs.vsctl('--no-wait', 'get-controller', mesh.node(1).bridge)
      const planned = (await targets()).replace(/:0+(\d+)/, ':$1')
      const whose = ['agent', '--node', nameOf(1), '--ovs', socket, '--restart', 'sleep 60']
      const child = spawn(...inNamespace(netns, process.execPath, [l2sm, ...whose]), { stdio: 'ignore' })
      await until('the controllers are parked', async () => (await targets()).includes('127.0.0.1:1'))
      t.ok(await waiting())
      await agents.looked(1)
      t.match(await targets(), /127\.0\.0\.1:1/, 'while it runs nobody touches them')
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
      await until('they are back', async () => (await targets()).replace(/:0+(\d+)/, ':$1') === planned, { ms: 15_000 })
      await until('so are flows', async () => !(await waiting()), { ms: 15_000 })
    },
  )

  t.test('a restart that fails leaves a switch that takes flows', async t => {
    const { code, stderr } = await restart('exit 7')
    t.equal(code, 1)
    t.match(stderr, /exit 7/)
    t.notOk(await waiting())
    t.strictSame(await hearing(stage, red), apart(red, red))
  })
}

/** The number of the message that it answers. */
/** Open vSwitch lists meters in no order. */
const without = (text: string) =>
  text
    .replace(/.*xid=0x.*/, '')
    .split('\n\n')
    .map(meter => meter.trim())
    .sort()
    .join('\n')
