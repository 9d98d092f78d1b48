/**
 * One Open vSwitch, an ovsdb-server and an ovs-vswitchd, in a namespace and a folder of its own: it shares nothing with
 * the distribution's service or with any other of ours.
 */

import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { CommandFailed, run } from './command.ts'
import { waitForEnd } from './proc.ts'
import { unixctl } from './unixctl.ts'

/** `kernel`: the openvswitch module, one datapath per network namespace. `userspace`: in ovs-vswitchd, works anywhere. */
export type Datapath = 'kernel' | 'userspace'

export type Ovs = {
  readonly directory: string
  readonly netns: string | undefined
  readonly datapath: Datapath
  /** `ovs-vsctl ARGS`; returns when ovs-vswitchd has done it. */
  vsctl(...args: string[]): Promise<string>
  /** `ovs-ofctl -O OpenFlow13 COMMAND unix:BRIDGE.mgmt ARGS`, with `input` on its standard input (then an argument is `-`). */
  ofctl(bridge: string, command: string, args?: readonly string[], input?: string): Promise<string>
  /** `ovs-appctl METHOD ARGS` of ovs-vswitchd. */
  appctl(method: string, ...args: string[]): Promise<string>
  /** Starts ovs-vswitchd; returns when it has made the bridges of its database. */
  start(): Promise<void>
  /** Ends ovs-vswitchd: asked politely, or with `kill` by SIGKILL. Returns when it is gone. The database stays. */
  stop(how?: { readonly kill: boolean }): Promise<void>
  /** Kills ovsdb-server by SIGKILL and starts it again, from what is on disk; with `empty` that was lost meanwhile. */
  restartDatabase(how?: { readonly empty: boolean }): Promise<void>
  /** The process id of the running ovs-vswitchd. Rejects when none runs. */
  pid(): Promise<number>
  /** Ends both daemons. */
  close(): Promise<void>
}

export type OvsOptions = {
  /** An existing folder of its own; the daemons' files and sockets go there. Unix sockets allow some 90 characters. */
  readonly directory: string
  readonly netns?: string
  readonly datapath: Datapath
}

const schema = '/usr/share/openvswitch/vswitch.ovsschema'

/** The database runs, ovs-vswitchd does not yet: what `config` asks for is there as soon as `start()` returns. */
export async function openOvs(options: OvsOptions, config: readonly string[] = []): Promise<Ovs> {
  const { directory, netns, datapath } = options
  await mkdir(directory, { recursive: true })
  const at = (name: string) => join(directory, name)
  const env = { OVS_RUNDIR: directory, OVS_LOGDIR: directory, OVS_DBDIR: directory, OVS_SYSCONFDIR: directory }
  const inside = { env, ...(netns === undefined ? {} : { netns }) }
  const daemon = (name: string, ...args: string[]) => {
    const files = [
      `--pidfile=${at(`${name}.pid`)}`,
      `--unixctl=${at(`${name}.ctl`)}`,
      `--log-file=${at(`${name}.log`)}`,
    ]
    return run(name, [...args, ...files, '--detach', '--no-chdir', '-vconsole:off'], inside)
  }
  const database = `unix:${at('db.sock')}`
  const vsctl = (...args: string[]) => run('ovs-vsctl', [`--db=${database}`, '--timeout=20', ...args], { env })
  const appctl = (method: string, ...args: string[]) => unixctl(at('ovs-vswitchd.ctl'), method, args)
  const pid = () => daemonPid(directory, 'ovs-vswitchd')

  const serve = () => daemon('ovsdb-server', at('conf.db'), `--remote=p${database}`)

  const create = async () => {
    await rm(at('conf.db'), { force: true })
    await run('ovsdb-tool', ['create', at('conf.db'), schema], { env })
  }

  const ovs: Ovs = {
    directory,
    netns,
    datapath,
    vsctl,
    appctl,
    pid,
    ofctl: (bridge, command, args = [], input) =>
      run('ovs-ofctl', ['-O', 'OpenFlow13', command, `unix:${at(`${bridge}.mgmt`)}`, ...args], {
        env,
        ...(input === undefined ? {} : { input }),
      }),
    start: async () => {
      await daemon('ovs-vswitchd', database, ...(datapath === 'userspace' ? ['--disable-system'] : []))
    },
    stop: async ({ kill } = { kill: false }) => {
      const running = await pid()
      if (kill) process.kill(running, 'SIGKILL')
      else await appctl('exit')
      await waitForEnd(running)
    },
    restartDatabase: async ({ empty } = { empty: false }) => {
      const running = await daemonPid(directory, 'ovsdb-server')
      process.kill(running, 'SIGKILL')
      await waitForEnd(running)
      if (empty) await create()
      await serve()
      if (empty) await vsctl('--no-wait', 'init')
    },
    close: async () => {
      for (const name of ['ovs-vswitchd', 'ovsdb-server']) {
        const running = await daemonPid(directory, name).catch(() => undefined)
        if (running === undefined) continue
        process.kill(running, 'SIGTERM')
        await waitForEnd(running)
      }
    },
  }
  await create()
  await serve()
  await vsctl('--no-wait', ...sequence(['init'], config))
  return ovs
}

/** Commands for one ovs-vsctl transaction, from pieces such as those below; empty ones are left out. */
export const sequence = (...pieces: readonly (readonly string[])[]): string[] =>
  pieces.filter(piece => piece.length > 0).flatMap((piece, index) => (index === 0 ? piece : ['--', ...piece]))

export type Bridge = {
  readonly name: string
  readonly datapath: Datapath
  readonly failMode?: 'secure' | 'standalone'
  /** 16 hex digits. */
  readonly dpid?: string
  readonly mac?: string
}

/** ovs-vsctl arguments. In-band control is off: it would add hidden flows above everything else. */
export function addBridge({ name, datapath, failMode = 'secure', dpid, mac }: Bridge): string[] {
  const settings = [
    `datapath_type=${datapath === 'userspace' ? 'netdev' : 'system'}`,
    `fail_mode=${failMode}`,
    'other_config:disable-in-band=true',
    ...(dpid === undefined ? [] : [`other_config:datapath-id=${dpid}`]),
    ...(mac === undefined ? [] : [`other_config:hwaddr="${mac}"`]),
    ...(failMode === 'secure' ? ['protocols=OpenFlow13'] : []),
  ]
  return sequence(['add-br', name], ['set', 'bridge', name, ...settings])
}

export type Port = {
  readonly bridge: string
  readonly name: string
  /** The OpenFlow port number asked for. Open vSwitch gives another one when it is taken. */
  readonly ofport: number
  readonly type?: string
  readonly options?: Readonly<Record<string, string>>
}

export function addPort({ bridge, name, ofport, type, options = {} }: Port): string[] {
  const settings = [
    `ofport_request=${ofport}`,
    ...(type === undefined ? [] : [`type=${type}`]),
    ...Object.entries(options).map(([key, value]) => `options:${key}=${value}`),
  ]
  return sequence(['--may-exist', 'add-port', bridge, name], ['set', 'interface', name, ...settings])
}

/** Replaces a bridge's controllers. Beware: the first one added, and the last one removed, flush all flows of the bridge. */
export function setControllers(bridge: string, targets: readonly string[]): string[] {
  const ids = targets.map(() => `@c${randomBytes(6).toString('hex')}`)
  const create = targets.map((target, index) => [
    ...[`--id=${ids[index]}`, 'create', 'controller', `target="${target}"`],
    ...['connection_mode=out-of-band', 'inactivity_probe=5000', 'max_backoff=1000'],
  ])
  return sequence(...create, ['set', 'bridge', bridge, `controller=[${ids.join(',')}]`])
}

/** Rejects when Open vSwitch could not open an interface, or numbered it otherwise than asked: it tells nobody on its own. */
export async function checkInterfaces(ovs: Ovs): Promise<void> {
  const columns = '--columns=name,ofport,ofport_request,error'
  const { data: rows }: { data: unknown[][] } = JSON.parse(
    await ovs.vsctl('--format=json', columns, 'list', 'interface'),
  )
  for (const [name, ofport, asked, error] of rows) {
    const where = `interface ${name} in ${ovs.directory}`
    // An empty column is the set ["set", []].
    if (typeof error === 'string' && error !== '') throw new Error(`${where}: ${error}`)
    if (typeof ofport !== 'number' || ofport < 0)
      throw new Error(`${where} has no port number; ${await complaints(ovs)}`)
    if (typeof asked === 'number' && ofport !== asked)
      throw new Error(`${where}: asked for port ${asked}, got ${ofport}`)
  }
}

async function complaints(ovs: Ovs): Promise<string> {
  const lines = (await readFile(join(ovs.directory, 'ovs-vswitchd.log'), 'utf8')).split('\n')
  const last = lines.filter(line => /\|(WARN|ERR|EMER)\|/.test(line)).slice(-3)
  return `the last complaints in ovs-vswitchd.log: ${last.join('; ') || 'none'}`
}

/** Which datapath works here, found by trying: `netns` is a namespace to try it in, where nothing else is. */
export async function findDatapath(netns: string): Promise<Datapath> {
  try {
    await run('modprobe', ['openvswitch'])
    await run('ovs-dpctl', ['add-dp', 'l2sm-try'], { netns })
    await run('ovs-dpctl', ['del-dp', 'l2sm-try'], { netns })
    return 'kernel'
  } catch (error) {
    if (error instanceof CommandFailed) return 'userspace'
    throw error
  }
}

/** A pid file may be stale and its pid somebody else's by now: the command line must name this folder. */
async function daemonPid(directory: string, name: string): Promise<number> {
  const pid = Number(await readFile(join(directory, `${name}.pid`), 'utf8'))
  const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  if (!words.includes(`${directory}/`)) throw new Error(`${name} in ${directory} does not run`)
  return pid
}
