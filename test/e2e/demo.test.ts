import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { needs } from '../../lab/install.ts'
import { list, readOrEmpty, waitForEnd } from '../../lab/proc.ts'
import { bridgeName } from '../../topology/names.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const demo = `${root}cli/demo.ts`

type Run = {
  readonly pid: number
  readonly child: ChildProcess
  /** What it has printed so far. */
  readonly text: () => string
  /** Resolves when this was printed after the first `from` characters; rejects when it ends before, or after a minute. */
  readonly printed: (what: string | RegExp, from?: number) => Promise<void>
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>
}

function start(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Run {
  const child = spawn(command, args, { cwd: root, env: { ...process.env, ...env }, stdio: 'pipe' })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', more => (text += more))
  child.stderr.setEncoding('utf8').on('data', more => (text += more))
  let over = false
  const ended = new Promise<number | string>(resolve => {
    child.on('close', (code, signal) => {
      over = true
      resolve(signal ?? code!)
    })
  })
  const printed = async (what: string | RegExp, from = 0) => {
    const found = () => (typeof what === 'string' ? text.includes(what, from) : what.test(text.slice(from)))
    const deadline = performance.now() + 60_000
    while (!found()) {
      if (over) throw new Error(`it ended before it printed ${what}:\n${text}`)
      if (performance.now() > deadline) throw new Error(`it did not print ${what} within a minute:\n${text}`)
      await sleep(20)
    }
  }
  return { pid: child.pid!, child, text: () => text, printed, ended }
}

const play = (args: readonly string[] = [], env = {}): Run => start(process.execPath, [demo, ...args], env)

/** What the demo of this process, or of one that it started, has on this machine. */
function traces(pid: number): string[] {
  const prefix = `l2sm-${pid}-`
  const links = spawnSync('ip', ['-json', 'link', 'show'], { encoding: 'utf8' }).stdout
  const aliases: { ifalias?: string }[] = JSON.parse(links)
  return [
    ...list('/run/netns').filter(name => name.startsWith(prefix)),
    ...readdirSync(tmpdir()).filter(name => name.startsWith(prefix)),
    ...aliases.flatMap(({ ifalias = '' }) => (ifalias.startsWith(prefix) ? [ifalias] : [])),
    ...commandLines()
      .filter(({ words }) => words.includes(prefix))
      .map(({ words }) => words),
  ]
}

const commandLines = () =>
  list('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(pid => ({ pid: Number(pid), words: readOrEmpty(`/proc/${pid}/cmdline`).replaceAll('\0', ' ') }))

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number)

const controllerOf = (run: Run): number => Number(/controller +process (\d+)/.exec(run.text())![1])

/** The command printed under the line that starts so, for a shell. */
function commandAfter(run: Run, label: string): string {
  const lines = run.text().split('\n')
  const at = lines.findIndex(line => line.startsWith(`  ${label}`))
  const end = lines.indexOf('', at)
  return lines.slice(at + 1, end).join('\n')
}

const shell = (command: string) => spawnSync('bash', ['-c', command], { cwd: root, encoding: 'utf8' })

const table = 'from \\ to'

t.test('flags that are wrong are told, with exit code 2', async t => {
  const run = play(['--nodes', '1'])
  t.equal(await run.ended, 2)
  t.match(run.text(), /--nodes can not be "1": expected a number from 2 to 10\n\nusage: npm run demo/)
})

t.test('--help tells what it does and needs', async t => {
  const run = play(['--help'])
  t.equal(await run.ended, 0)
  t.match(run.text(), /usage: npm run demo.*Needs root on Linux.*--check.*--nodes N/s)
})

if (needs(t)) {
  t.setTimeout(400_000)

  t.test('without root it says so, and makes nothing', async t => {
    for (const program of [demo, `${root}cli/setup.ts`]) {
      const run = start('setpriv', ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, program])
      t.equal(await run.ended, 1)
      t.match(run.text(), /needs root .*sudo/)
    }
  })

  t.test('setup has nothing to do where all is installed', async t => {
    const run = start(process.execPath, [`${root}cli/setup.ts`])
    t.equal(await run.ended, 0)
    t.equal(run.text(), '')
  })

  t.test('--check proves what it says, with true numbers', async t => {
    const run = play(['--check'])
    t.equal(await run.ended, 0, run.text())
    const text = run.text()
    t.match(text, 'PROVED: all 10 checks hold')
    // Three red, three blue, and nobody: 12 ordered pairs inside networks, of 42.
    t.match(text, /12 of 12 pairs in a network: all 36 answered, from the first on;\s+none of the 30 pairs across/)
    t.match(text, /70 broadcasts: 120 copies, .*\s+420 unicast frames to every MAC: 120 to members, each arrived once/)
    const streams = /([\d,]+) frames red-1 -> red-2 and ([\d,]+) broadcasts of blue-1, .*\s+none lost, none twice/.exec(
      text,
    )
    for (const number of streams?.slice(1) ?? [''])
      t.ok(Number(number.replace(',', '')) > 4000, `${number} frames: no fewer than are sent in the pauses alone`)
    // Two networks with two groups each on three switches; a meter for each port that learns.
    t.match(text, /(?!0)\d+ flows, 12 groups, (?!0)\d+ meters: none added,\s+none removed, no duration reset/)
    t.match(text, /196 frames: 96 copies, as of untagged ones/)
    for (const line of text.split('\n')) t.ok(line.length <= 100, `"${line}" fits 100 columns`)
    t.notMatch(text, '\x1b')
    t.strictSame(traces(run.pid), [])
  })

  t.test('--check fails when a frame can cross, and says which', async t => {
    const run = play(['--check', '--nodes', '2'])
    await run.printed('programmed')
    const folder = readdirSync(tmpdir()).find(name => name.startsWith(`l2sm-${run.pid}-`))
    const bridge = `unix:${tmpdir()}/${folder}/n1/${bridgeName('node-1')}.mgmt`
    let over = false
    const ended = run.ended.finally(() => (over = true))
    // The controller takes it out whenever it looks.
    while (!over) {
      spawnSync('ovs-ofctl', ['-O', 'OpenFlow13', 'add-flow', bridge, 'priority=500,in_port=3,actions=output:1'])
      await sleep(100)
    }
    t.equal(await ended, 1)
    t.match(run.text(), /FAIL {2}plain frames +\d+ wrong:/)
    t.match(run.text(), /broadcast, nobody -> red-1: expected none of 10, got \d+ once/)
    t.match(run.text(), /NOT PROVED: \d+ of 10 checks failed \(.*plain frames/)
    t.strictSame(traces(run.pid), [])
  })

  t.test('the table turns with a flow that is taken out, and back when it is repaired', async t => {
    const taken = createServer()
      .listen(8181, '127.0.0.1')
      .on('error', () => {})
    t.teardown(() => taken.close())
    const run = play()
    t.teardown(() => run.child.kill())
    await run.printed(table)
    t.match(run.text(), 'as wanted: 12 pairs hear each other once, 30 not at all')
    t.notMatch(run.text(), '127.0.0.1:8181', 'a port that is taken is left alone')
    t.match(shell(commandAfter(run, 'Look at the flows')).stdout, /cookie=0x6c32\w+, duration/)

    const takeOut = commandAfter(run, 'Take one out')
    const turned = 'red-2 -> red-1: MISSING'
    /** Types a command until the table says so: the controller may have repaired it before anybody looked. */
    const typed = async (command: string, says: string, from = 0) => {
      for (let tries = 0; tries < 10 && !run.text().includes(says, from); tries++) {
        t.equal(shell(command).status, 0)
        await sleep(5000)
      }
      await run.printed(says, from)
    }
    await typed(takeOut, turned)
    await run.printed('red-2 -> red-1: as wanted again')
    t.match(run.text(), /\n {2}red-2 +MISSING +\. +once +- +- +- +-\n/)

    await typed(commandAfter(run, 'Put a wrong one in'), 'red-1 -> blue-1: LEAK')
    await run.printed('red-1 -> blue-1: as wanted again')

    t.test('without a controller it stays, until there is one again', async t => {
      const controller = controllerOf(run)
      t.equal(shell(commandAfter(run, 'Kill the controller')).status, 0)
      await waitForEnd(controller)
      const before = run.text().length
      await typed(takeOut, turned, before)
      t.match(run.text().slice(before), 'controller: does not answer; the switches keep their flows')
      const again = spawn('bash', ['-c', commandAfter(run, 'Start it again')], { cwd: root, detached: true })
      t.teardown(() => process.kill(-again.pid!))
      await run.printed('red-2 -> red-1: as wanted again', before)
    })

    t.test('SIGTERM ends it, and takes everything away', async t => {
      run.child.kill('SIGTERM')
      t.equal(await run.ended, 143)
      t.strictSame(
        traces(run.pid).filter(trace => !trace.includes('l2sm.ts controller')),
        [],
      )
    })
  })

  t.test('on a terminal the table is redrawn in place, and Ctrl-C takes everything away', async t => {
    const python = 'import pty,sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)'
    const run = start('python3', ['-c', python, process.execPath, demo], { TERM: 'xterm', NO_COLOR: '1' })
    t.teardown(() => run.child.kill())
    await run.printed('\x1b[11A\x1b[J')
    t.notMatch(run.text(), '\x1b[3', 'no colours, as NO_COLOR asks')
    const [, pid] = /l2sm-(\d+)-/.exec(run.text())!
    run.child.stdin!.write('\x03')
    t.equal(await run.ended, 0)
    t.match(run.text(), 'all gone')
    t.strictSame(traces(Number(pid)), [])
  })

  for (const [signal, code, moment] of [
    ['SIGINT', 0, 'l2sm demo'],
    ['SIGTERM', 143, '  nodes'],
    ['SIGINT', 0, '  controller'],
    ['SIGHUP', 129, '  mesh'],
    ['SIGINT', 0, '  agents'],
    ['SIGTERM', 143, '  switches'],
    ['SIGHUP', 129, '  pods'],
    ['SIGINT', 0, '$url/networks/red'],
    ['SIGHUP', 129, '  URLs'],
  ] as const)
    t.test(`${signal} right after "${moment.trim()}" leaves nothing behind`, async t => {
      const run = play()
      await run.printed(moment)
      run.child.kill(signal)
      t.equal(await run.ended, code, run.text())
      t.strictSame(traces(run.pid), [])
    })

  t.test('when it crashes in the middle, nothing is left behind', async t => {
    const run = play()
    await run.printed(table)
    const frames = childrenOf(run.pid).find(pid => readOrEmpty(`/proc/${pid}/cmdline`).includes('frames.py'))!
    process.kill(frames, 'SIGKILL')
    t.equal(await run.ended, 1)
    t.match(run.text(), /demo: frames\.py has ended/)
    t.strictSame(traces(run.pid), [])
  })

  t.test('after kill -9 the controller ends with it, and the next run clears the rest; so does the sweep', async t => {
    const first = play()
    await first.printed(table)
    const controller = controllerOf(first)
    first.child.kill('SIGKILL')
    t.equal(await first.ended, 'SIGKILL')
    await waitForEnd(controller)
    t.not(traces(first.pid).length, 0, 'there is something to clear')

    const second = play()
    await second.printed(table)
    t.strictSame(traces(first.pid), [])
    second.child.kill('SIGKILL')
    t.equal(await second.ended, 'SIGKILL')
    await waitForEnd(controllerOf(second))

    const swept = start(process.execPath, [`${root}lab/sweep.ts`])
    t.equal(await swept.ended, 0)
    t.strictSame(traces(second.pid), [])
  })
}
