// A real Open vSwitch for benches of the control plane: no frame flows, so its devices may be its own dummies, which cost nothing.
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { run } from '../lab/command.ts'
import { waitForEnd } from '../lab/proc.ts'
import { mapOf, named, setOf, transact } from './ovsdb.ts'

export type Port = {
  readonly name: string
  readonly ofport: number
  /** Address of the other end of a VXLAN tunnel. Without one it is a patch port that leads nowhere: a port all the same. */
  readonly remote?: string
  /** OVN's name of it. */
  readonly ifaceId?: string
}
export type Bridge = {
  readonly name: string
  /** 16 hex digits. */
  readonly dpid: string
  readonly ports: readonly Port[]
  /** `tcp:127.0.0.1:6653` */
  readonly controllers: readonly string[]
}

export type Ovs = {
  readonly folder: string
  /** The database's. */
  readonly socket: string
  /** Of ovs-vswitchd. */
  readonly pid: number
  /** Returns when ovs-vswitchd has made it. */
  addBridge(bridge: Bridge): Promise<void>
  ofctl(bridge: string, command: string, ...args: string[]): Promise<string>
  close(): Promise<void>
}

/** The daemons' folder is made; unix sockets allow some 90 characters. */
export async function startOvs(folder: string): Promise<Ovs> {
  await mkdir(folder, { recursive: true })
  const at = (name: string) => join(folder, name)
  const env = { OVS_RUNDIR: folder, OVS_LOGDIR: folder, OVS_DBDIR: folder, OVS_SYSCONFDIR: folder }
  const socket = at('db.sock')
  await run('ovsdb-tool', ['create', at('conf.db'), '/usr/share/openvswitch/vswitch.ovsschema'], { env })
  await daemon(folder, 'ovsdb-server', [at('conf.db'), `--remote=punix:${socket}`])
  await transact(socket, 'Open_vSwitch', [{ op: 'insert', table: 'Open_vSwitch', row: {} }])
  const pid = await daemon(folder, 'ovs-vswitchd', [`unix:${socket}`, '--enable-dummy', '--disable-system'])
  return {
    folder,
    socket,
    pid,
    async addBridge(bridge) {
      await transact(socket, 'Open_vSwitch', bridgeRows(bridge))
      await configured(socket)
    },
    ofctl: (bridge, command, ...args) =>
      run('ovs-ofctl', ['-O', 'OpenFlow13', command, `unix:${at(`${bridge}.mgmt`)}`, ...args], { env }),
    async close() {
      await stopDaemon(folder, 'ovs-vswitchd')
      await stopDaemon(folder, 'ovsdb-server')
    },
  }
}

/**
 * Starts a daemon of Open vSwitch or OVN with its files in `folder`; resolves with its pid when it is ready.
 * @param bridges The folder of the ovs-vswitchd whose bridges it works on.
 */
export async function daemon(folder: string, name: string, args: readonly string[], bridges = folder): Promise<number> {
  const files = ['pid', 'log', 'ctl'].map(kind => join(folder, `${name}.${kind}`))
  const env = { OVS_RUNDIR: bridges, OVN_RUNDIR: folder, OVS_LOGDIR: folder, OVN_LOGDIR: folder }
  const where = [`--pidfile=${files[0]}`, `--log-file=${files[1]}`]
  // ovn-controller alone does not let us choose.
  if (name !== 'ovn-controller') where.push(`--unixctl=${files[2]}`)
  await run(name, [...args, ...where, '--detach', '--no-chdir', '-vconsole:off'], { env })
  return Number(await readFile(files[0]!, 'utf8'))
}

export async function stopDaemon(folder: string, name: string): Promise<void> {
  const pid = Number(await readFile(join(folder, `${name}.pid`), 'utf8').catch(() => ''))
  if (pid === 0) return
  process.kill(pid, 'SIGTERM')
  await waitForEnd(pid)
}

function bridgeRows({ name, dpid, ports, controllers }: Bridge): object[] {
  const insert = (table: string, id: string, row: object) => ({ op: 'insert', table, row, 'uuid-name': id })
  const local = insert('Interface', 'i0', { name, type: 'internal' })
  const devices = ports.map(({ name, ofport, remote, ifaceId }, i) =>
    insert('Interface', `i${i + 1}`, {
      name,
      type: remote === undefined ? 'patch' : 'vxlan',
      ofport_request: ofport,
      options: mapOf(remote === undefined ? { peer: `no-${name}` } : { key: 'flow', remote_ip: remote }),
      ...(ifaceId === undefined ? {} : { external_ids: mapOf({ 'iface-id': ifaceId }) }),
    }),
  )
  const all = [{ name }, ...ports]
  const targets = controllers.map((target, i) =>
    // No probes: on a machine that is busy with the bench a late answer is no sign of death.
    insert('Controller', `c${i}`, { target, connection_mode: 'out-of-band', max_backoff: 1000, inactivity_probe: 0 }),
  )
  return [
    local,
    ...devices,
    ...all.map((port, i) => insert('Port', `p${i}`, { name: port.name, interfaces: named(`i${i}`) })),
    ...targets,
    insert('Bridge', 'b', {
      name,
      datapath_type: 'dummy',
      fail_mode: 'secure',
      // OVN speaks OpenFlow 1.5.
      protocols: setOf(['OpenFlow13', 'OpenFlow15']),
      other_config: mapOf({ 'datapath-id': dpid, 'disable-in-band': 'true' }),
      ports: setOf(all.map((_, i) => named(`p${i}`))),
      controller: setOf(targets.map((_, i) => named(`c${i}`))),
    }),
    {
      op: 'mutate',
      table: 'Open_vSwitch',
      where: [],
      mutations: [
        ['bridges', 'insert', setOf([named('b')])],
        ['next_cfg', '+=', 1],
      ],
    },
  ]
}

/** ovs-vswitchd says in the database which of its configurations it has carried out. */
async function configured(socket: string): Promise<void> {
  for (;;) {
    const select = { op: 'select', table: 'Open_vSwitch', where: [], columns: ['next_cfg', 'cur_cfg'] }
    const [result] = await transact(socket, 'Open_vSwitch', [select])
    const { next_cfg, cur_cfg } = result!.rows![0]!
    if (next_cfg === cur_cfg) return
    await sleep(10)
  }
}
