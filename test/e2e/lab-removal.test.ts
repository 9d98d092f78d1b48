import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { chmod } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import t from 'tap'
import { run } from '../../lab/command.ts'
import { needs } from '../../lab/install.ts'
import { sweep } from '../../lab/leftovers.ts'
import { makeMesh } from '../../lab/mesh.ts'
import { waitForEnd } from '../../lab/proc.ts'

/** Whatever on this machine bears a mesh's name: namespaces, interfaces, folders, and processes that work in them. */
async function traces(prefix: string): Promise<string[]> {
  const links: { ifname: string; ifalias?: string }[] = JSON.parse(await run('ip', ['-json', 'link', 'show']))
  const commands = readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(pid => (existsSync(`/proc/${pid}/cmdline`) ? commandLine(pid) : ''))
  return [
    ...(existsSync('/run/netns') ? readdirSync('/run/netns') : []).filter(name => name.startsWith(prefix)),
    ...links.filter(({ ifalias }) => ifalias === prefix).map(({ ifname }) => ifname),
    ...readdirSync(tmpdir()).filter(name => name.startsWith(prefix)),
    ...commands.filter(words => words.includes(`/${prefix}`)),
  ]
}

function commandLine(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return '' // It ended while we looked.
  }
}

/** A process that makes a mesh, prints its prefix, and then does as `then` says. */
async function owner(then: string): Promise<{ child: ChildProcess; prefix: string; ended: Promise<unknown> }> {
  const lab = new URL('../../lab/', import.meta.url)
  const script = `
    import { makeMesh } from '${lab}mesh.ts'
    import { spawn } from 'node:child_process'
    const mesh = await makeMesh({ nodes: 2, podsPerNode: 1, controllerPorts: [] })
    spawn('nsenter', ['--net=/run/netns/' + mesh.pods()[0].netns, 'sleep', '1000'], { stdio: 'ignore' })
    console.log(mesh.prefix)
    ${then}`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'ignore'] })
  const ended = new Promise(resolve => child.on('exit', (code, signal) => resolve(signal ?? code)))
  for await (const prefix of createInterface({ input: child.stdout })) return { child, prefix, ended }
  throw new Error('the process ended before its mesh was up')
}

const wait = 'setInterval(() => {}, 1000)'
const listenersBefore = [process.listenerCount('SIGINT'), process.listenerCount('SIGTERM')]

if (needs(t)) {
  t.setTimeout(90_000)

  t.test('close removes everything that makeMesh made, and what runs in it', async t => {
    const mesh = await makeMesh({ nodes: 2, podsPerNode: 2, controllerPorts: [] })
    const before = await traces(mesh.prefix)
    // An underlay, 2 nodes and 4 pods; the interface towards the underlay; the folder; 4 daemons.
    t.equal(before.length, 7 + 1 + 1 + 4, before.join('\n'))
    const pid = Number(await mesh.exec(mesh.pods()[0]!, 'sh', '-c', 'sleep 1000 >/dev/null 2>&1 & echo $!'))
    await mesh.close()
    t.same(await traces(mesh.prefix), [])
    await waitForEnd(pid)
    t.same([process.listenerCount('SIGINT'), process.listenerCount('SIGTERM')], listenersBefore)
  })

  t.test('a mesh that cannot be made leaves nothing', async t => {
    await t.rejects(makeMesh({ nodes: 2, links: [[1, 3]] }), /link 1-3: the mesh has nodes 1 to 2/)
    await t.rejects(makeMesh({ nodes: 251 }), /nodes: 251, expected 1 to 250/)
    // Fails late, when all but the switch stands.
    const folder = t.testdir({ 'ovs-vswitchd': '#!/bin/sh\necho broken on purpose >&2\nexit 1\n' })
    await chmod(join(folder, 'ovs-vswitchd'), 0o755)
    const path = process.env['PATH']
    process.env['PATH'] = `${folder}:${path}`
    t.teardown(() => {
      process.env['PATH'] = path
    })
    await t.rejects(makeMesh({ nodes: 1, podsPerNode: 1 }), /ovs-vswitchd .*exit 1: broken on purpose/)
    t.same(await traces(`l2sm-${process.pid}-`), [])
  })

  t.test('a process that is killed leaves its mesh, and sweep removes it, but not that of a living one', async t => {
    const [dead, alive] = await Promise.all([owner(wait), owner(wait)])
    t.teardown(() => alive.child.kill('SIGKILL'))
    dead.child.kill('SIGKILL')
    await dead.ended
    const own = await makeMesh({ nodes: 1, controllerPorts: [] })
    t.same(await traces(dead.prefix), [], 'the next mesh swept it')
    const kept = await traces(alive.prefix)
    t.equal(kept.length, 5 + 1 + 1 + 4, kept.join('\n'))
    alive.child.kill('SIGKILL')
    await alive.ended
    // Another lab of this machine may do it at the same moment; then there is nothing left to remove here.
    const removed = sweep()
    for (const pid of removed.processes) await waitForEnd(pid)
    t.same(await traces(alive.prefix), [])
    t.not((await traces(own.prefix)).length, 0, 'what the sweeper owns stays')
    await own.close()
  })

  t.test('the command says what it removed', async t => {
    const dead = await owner(wait)
    dead.child.kill('SIGKILL')
    await dead.ended
    const command = new URL('../../lab/sweep.ts', import.meta.url).pathname
    t.match(await run(process.execPath, [command]), /namespaces: .*l2sm-|nothing was left behind/)
    t.same(await traces(dead.prefix), [])
    t.notMatch(await run(process.execPath, [command]), dead.prefix)
  })

  for (const { how, script, code } of [
    { how: 'SIGINT', script: `process.kill(process.pid, 'SIGINT'); ${wait}`, code: 130 },
    { how: 'SIGTERM', script: `process.kill(process.pid, 'SIGTERM'); ${wait}`, code: 143 },
    { how: 'SIGHUP', script: `process.kill(process.pid, 'SIGHUP'); ${wait}`, code: 129 },
    { how: 'an exception that nobody catches', script: `setTimeout(() => { throw new Error('oh') }, 10)`, code: 1 },
    { how: 'process.exit', script: 'process.exit(3)', code: 3 },
  ]) {
    t.test(`a process that ends by ${how} takes its mesh with it`, async t => {
      const { prefix, ended } = await owner(script)
      t.equal(await ended, code)
      t.same(
        (await traces(prefix)).filter(trace => !trace.includes('ovs')),
        [],
      )
    })
  }
}
