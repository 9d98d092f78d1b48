// A real ovsdb-server with Open vSwitch's schema, that can be stopped, killed and started again.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../../../lab/command.ts'
import { waitForEnd } from '../../../lab/proc.ts'

export type Server = {
  readonly socket: string
  /** Its words stand apart by spaces. */
  vsctl(command: string): Promise<string>
  start(): Promise<void>
  signal(signal: NodeJS.Signals): Promise<void>
  close(): Promise<void>
}

const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const

export async function startServer(): Promise<Server> {
  const folder = mkdtempSync(join(tmpdir(), 'l2sm-ovsdb-'))
  const at = (name: string) => join(folder, name)
  const env = { OVS_RUNDIR: folder, OVS_LOGDIR: folder }
  await run('ovsdb-tool', ['create', at('conf.db'), '/usr/share/openvswitch/vswitch.ovsschema'])
  const pid = () => Number(readFileSync(at('pid'), 'utf8'))
  // A test that ends early, by --bail or by a signal, ends without its teardown.
  const end = () => {
    try {
      process.kill(pid(), 'SIGKILL')
    } catch {
      // It has ended, or never began.
    }
    rmSync(folder, { recursive: true, force: true })
  }
  const stop = () => process.exit(1)
  process.once('exit', end)
  for (const signal of signals) process.once(signal, stop)
  const server: Server = {
    socket: at('db.sock'),
    vsctl: command =>
      run('ovs-vsctl', [`--db=unix:${at('db.sock')}`, '--no-wait', '--timeout=10', ...command.split(' ')]),
    start: async () => {
      const files = [`--pidfile=${at('pid')}`, `--unixctl=${at('ctl')}`, `--log-file=${at('log')}`]
      const args = [at('conf.db'), `--remote=punix:${at('db.sock')}`, ...files]
      await run('ovsdb-server', [...args, '--detach', '--no-chdir', '-vconsole:off'], { env })
    },
    signal: async signal => {
      const running = pid()
      process.kill(running, signal)
      if (signal === 'SIGTERM' || signal === 'SIGKILL') await waitForEnd(running)
    },
    close: async () => {
      await server.signal('SIGKILL').catch(() => {})
      rmSync(folder, { recursive: true, force: true })
      process.off('exit', end)
      for (const signal of signals) process.off(signal, stop)
    },
  }
  await server.start()
  await server.vsctl('init')
  return server
}
