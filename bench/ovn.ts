// OVN on one chassis, in a folder of its own: both databases, northd, and a controller for one Open vSwitch.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../lab/command.ts'
import { pathOf } from '../lab/install.ts'
import { unixctl } from '../lab/unixctl.ts'
import { daemon, type Port, startOvs, stopDaemon } from './ovs.ts'
import { mapOf, transact } from './ovsdb.ts'

export type Ovn = {
  /** What `ovn-nbctl ARGS` does, without a process for each call: its own daemon mode. */
  nbctl(...args: string[]): Promise<string>
  /** Of everything that works for a change, by name. */
  readonly pids: Readonly<Record<string, readonly number[]>>
  close(): Promise<void>
}

const schemas = '/usr/share/ovn'
export const ovnIsThere = (): boolean =>
  existsSync(join(schemas, 'ovn-nb.ovsschema')) && ['ovn-northd', 'ovn-controller', 'ovn-nbctl'].every(pathOf)
export const ovnInstall = 'apt-get install ovn-central ovn-host'

/** @param ports What is plugged into br-int, whether or not a logical port of that name is there yet. */
export async function startOvn(folder: string, ports: readonly Port[]): Promise<Ovn> {
  const ovs = await startOvs(join(folder, 'ovs'))
  await ovs.addBridge({ name: 'br-int', dpid: '00000000000000f1', ports, controllers: [] })
  const settings = mapOf({
    'system-id': 'chassis',
    'ovn-remote': `unix:${join(folder, 'sb.sock')}`,
    'ovn-encap-type': 'geneve',
    'ovn-encap-ip': '127.0.0.1',
    'ovn-monitor-all': 'true',
  })
  await transact(ovs.socket, 'Open_vSwitch', [
    { op: 'update', table: 'Open_vSwitch', where: [], row: { external_ids: settings } },
  ])
  const database = async (name: string) => {
    const file = join(folder, `${name}.db`)
    await run('ovsdb-tool', ['create', file, join(schemas, `ovn-${name}.ovsschema`)])
    const own = join(folder, name)
    await run('mkdir', [own])
    return daemon(own, 'ovsdb-server', [file, `--remote=punix:${join(folder, `${name}.sock`)}`])
  }
  const [nb, sb] = [await database('nb'), await database('sb')]
  const [north, south] = [`unix:${join(folder, 'nb.sock')}`, `unix:${join(folder, 'sb.sock')}`]
  await run('ovn-nbctl', [`--db=${north}`, 'init'])
  const northd = await daemon(folder, 'ovn-northd', [`--ovnnb-db=${north}`, `--ovnsb-db=${south}`])
  const controller = await daemon(folder, 'ovn-controller', [`unix:${ovs.socket}`], ovs.folder)
  await daemon(folder, 'ovn-nbctl', [`--db=${north}`])
  return {
    nbctl: (...args) => unixctl(join(folder, 'ovn-nbctl.ctl'), 'run', args, 300_000),
    pids: { databases: [nb, sb], northd: [northd], controller: [controller], vswitchd: [ovs.pid] },
    async close() {
      for (const name of ['ovn-nbctl', 'ovn-controller', 'ovn-northd']) await stopDaemon(folder, name)
      for (const name of ['nb', 'sb']) await stopDaemon(join(folder, name), 'ovsdb-server')
      await ovs.close()
    },
  }
}
