import { spawn } from 'node:child_process'
import t from 'tap'
import { CommandFailed, run } from '../../lab/command.ts'
import { isAlive, ownerPrefix, parseOwner } from '../../lab/leftovers.ts'
import { respell } from '../../lab/node.ts'
import { addBridge, addPort, sequence, setControllers } from '../../lab/ovs.ts'
import { podOf } from '../../lab/pod.ts'
import { startTime } from '../../lab/proc.ts'
import { lossProgram } from '../../lab/underlay.ts'

t.test('a name tells its owner, and only a name of ours does', async t => {
  const prefix = ownerPrefix('0123ab')
  for (const name of [prefix, `${prefix}-n1`, `${prefix}-pod-n1p1`]) {
    t.match(parseOwner(name), { pid: process.pid, lab: '0123ab' }, name)
  }
  const others = [
    'l2sm',
    'l2sm-1',
    'l2sm-operator',
    'l2sm-1-2-3',
    'l2sm-12-3c-0123abc',
    'xl2sm-1-2-0123ab',
    'l2sm-x-2-0123ab',
    '',
  ]
  for (const name of others) t.equal(parseOwner(name), undefined, name)
})

t.test('an owner is alive as long as its process, not as long as its pid', async t => {
  const owner = parseOwner(ownerPrefix('0123ab'))!
  t.equal(isAlive(owner), true)
  t.equal(isAlive({ ...owner, start: '1' }), false, 'the pid is somebody else by now')
  const child = spawn('sleep', ['1000'])
  const other = { pid: child.pid!, start: startTime(child.pid!)!, lab: '0123ab' }
  t.equal(isAlive(other), true)
  child.kill('SIGKILL')
  await new Promise(resolve => child.on('exit', resolve))
  t.equal(isAlive(other), false)
})

t.test('a command that fails says which, where and why', async t => {
  const error = await run('sh', ['-c', 'echo out; echo no such thing >&2; exit 3']).catch(error => error)
  t.ok(error instanceof CommandFailed)
  t.same([error.code, error.stdout], [3, 'out\n'])
  t.match(error.message, /^sh -c .*: exit 3: no such thing$/)
  await t.rejects(run('l2sm-no-such-command', []), /l2sm-no-such-command : .*ENOENT/)
  await t.rejects(run('sh', ['-c', 'kill -9 $$']), /ended by SIGKILL/)
  await t.rejects(run('sleep', ['1000'], { timeout: 50 }), {
    message: 'sleep 1000: killed, as it took more than 50 ms',
  })
})

t.test('what a pod leaves out follows from its place, and what is wrong is named', async t => {
  t.match(podOf('x', 3, { port: 2 }), {
    ...{ name: 'n3p2', netns: 'x-pod-n3p2', mac: '02:00:00:03:00:02', ips: ['10.200.3.2/8'], vlan: undefined },
  })
  t.same(podOf('x', 3, { port: 2, ips: ['10.0.0.1', 'fd00::1', '10.0.0.2/30'] }).ips, [
    '10.0.0.1/24',
    'fd00::1/64',
    '10.0.0.2/30',
  ])
  const macs = new Set([1, 2, 256, 300].flatMap(port => [1, 2, 250].map(node => podOf('x', node, { port }).mac)))
  t.equal(macs.size, 12)
  t.throws(() => podOf('x', 1, { port: 0 }), /pod n1p0: port 0, expected 1 to 9999/)
  t.throws(() => podOf('x', 1, { port: 10_000 }), /port 10000/)
  for (const ip of ['10.0.0', '10.0.0.1/', '10.0.0.1/8/8', '10.0.0.1; reboot', '']) {
    t.throws(() => podOf('x', 1, { port: 1, ips: [ip] }), /expected an address, with or without \/n/, ip)
  }
  t.throws(() => podOf('x', 1, { port: 1, name: '../x y' }), /name "..\/x y"/)
})

t.test('one ovs-vsctl transaction holds many commands', async t => {
  t.same(sequence(['a', 'b'], [], ['c']), ['a', 'b', '--', 'c'])
  t.same(
    addPort({ bridge: 'b', name: 'vx2', ofport: 10_002, type: 'vxlan', options: { key: 'flow' } }).join(' '),
    '--may-exist add-port b vx2 -- set interface vx2 ofport_request=10002 type=vxlan options:key=flow',
  )
  t.match(addBridge({ name: 'b', datapath: 'kernel' }), [
    'add-br',
    'b',
    '--',
    'set',
    'bridge',
    'b',
    'datapath_type=system',
  ])
  t.same(setControllers('b', []), ['set', 'bridge', 'b', 'controller=[]'])
  const two = setControllers('b', ['tcp:1.2.3.4:1', 'tcp:1.2.3.4:2'])
  const ids = two.filter(word => word.startsWith('--id=')).map(word => word.slice(5))
  t.equal(two.at(-1), `controller=[${ids.join(',')}]`)
  t.equal(new Set(ids).size, 2)
})

t.test('a target spelled in another way is still the same target', async t => {
  t.equal(respell('tcp:1.2.3.4:6653'), 'tcp:1.2.3.4:06653')
  t.equal(respell('tcp:1.2.3.4:06653'), 'tcp:1.2.3.4:6653')
  t.equal(respell('ssl:[fd00::1]:6653'), 'ssl:[fd00::1]:06653')
})

t.test('a loss is a BPF program whose length is told first, and none loses nothing', async t => {
  t.equal(lossProgram([]), '2,32 0 0 8,6 0 0 0')
  t.equal(lossProgram([{ mac: '02:1a:b0:00:00:01', share: 0 }]), '2,32 0 0 8,6 0 0 0')
  t.equal(lossProgram([{ mac: '02:1a:b0:00:00:01', share: 1 }]), '4,32 0 0 8,21 0 1 2952790017,6 0 0 2,6 0 0 0')
  t.equal(
    lossProgram([{ mac: '02:1a:b0:00:00:01', share: 0.5 }]),
    '7,32 0 0 8,21 0 4 2952790017,32 0 0 4294963256,53 1 0 2147483648,6 0 0 2,6 0 0 0,6 0 0 0',
  )
})
