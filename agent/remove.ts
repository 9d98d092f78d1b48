/** Removes everything that agents made on this node, bridges and interfaces, and gives the node its addresses back. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from './log.ts'
import { run } from './machine/command.ts'
import { readMachine, removePairs } from './machine/machine.ts'
import { type RecordFile, recordFile } from './machine/record-file.ts'
import { isMarked } from './node/pairs.ts'
import { physical } from './node/record.ts'
import { numberOf } from './node/stock.ts'
import { openDatabase } from './ovsdb/once.ts'
import type { Ovsdb } from './ovsdb/ovsdb.ts'
import type { Database, Row } from './ovsdb/schema.ts'
import { bridgesOf, deviceNote, interfacesNote, mark, portsOf } from './switch/desired.ts'
import { removal } from './switch/diff.ts'
import { giveBack } from './uplink.ts'

export type RemoveOptions = {
  /** Of the database's Unix socket. */
  readonly socket: string
  readonly node: string
  /** The folder for what the agent keeps itself. */
  readonly state: string
  readonly log: Log
}

/** Milliseconds to wait for ovs-vswitchd to let go of its devices. */
const patience = 5_000

/**
 * Resolves with how many bridges were removed. Pairs with an end in a pod go as well: nothing is to stay. Without a database
 * the node gets its own back all the same; rejects if it had lost nothing.
 */
export async function removeAll({ socket, node, state, log }: RemoveOptions): Promise<number> {
  const file = recordFile(state, node, socket)
  const opened = await openDatabase(socket).catch((error: Error) => error)
  if (opened instanceof Error) return removeWithout(opened, file, node, log)
  const { ovsdb, database } = opened
  try {
    const bridges = bridgesOf(await database(), node)
    // While br-phy is still there: the node is not without its address for long.
    const device = await giveBack(file, node, await database(), log)
    for (const bridge of bridges) await removeOne(ovsdb, database, bridge, log)
    await removeDead()
    if (device !== undefined) log.info({}, `${device} has the node's addresses again, without ${physical}`)
    return bridges.length
  } finally {
    ovsdb.close()
  }
}

async function removeWithout(why: Error, file: RecordFile, node: string, log: Log): Promise<number> {
  const device = await giveBack(file, node, undefined, log)
  if (device === undefined) throw why
  const { devices } = await readMachine()
  const pairs = [...devices.values()].filter(device => isMarked(device) && device.alias?.endsWith(`:${node}`))
  await removePairs(pairs.map(({ name }) => name))
  await removeDead()
  log.info({}, `${device} has the node's addresses again, without ${physical}; ${pairs.length} interfaces removed`)
  log.warn({}, `${why.message} What it holds of this node stays until this is run again while it runs.`)
  return 0
}

/** A br-phy that ovs-vswitchd left behind when it was killed. */
async function removeDead(): Promise<void> {
  const bridge = (await readMachine()).devices.get(physical)
  if (bridge?.kind === 'tun' && !bridge.carrier) await run('ip', ['link', 'del', physical]).catch(() => {})
}

/** The row that says what was ours goes last: whoever was killed before runs again and goes on. */
async function removeOne(
  ovsdb: Ovsdb,
  database: () => Promise<Database>,
  { name, external_ids }: Row<'Bridge'>,
  log: Log,
): Promise<void> {
  const copy = await database()
  const prefix = external_ids[interfacesNote]?.split(' ')[0]
  const { devices } = await readMachine()
  const noted = new Set(
    portsOf(copy, name).flatMap(({ port, interface: row }) =>
      port.external_ids[mark] === name ? [`${row.name} ${row.external_ids[deviceNote]}`] : [],
    ),
  )
  const pairs = [...devices.values()].filter(device => {
    if (!prefix || numberOf(prefix, device.name) === undefined) return false
    return device.alias?.startsWith(`l2sm:${name}:`) || noted.has(`${device.name} ${device.index}`)
  })
  await removePairs(pairs.map(device => device.name))
  if (pairs.length > 0) log.info({}, `${pairs.length} interfaces removed`)
  const { operations, changes } = removal(copy, name)
  for (const change of changes) log.info({}, change)
  await ovsdb.transact(operations)
  const written = configOf(await database()).next_cfg
  for (let waited = 0; waited < patience && configOf(await database()).cur_cfg < written; waited += 20) await sleep(20)
}

const configOf = (copy: Database) => [...copy.Open_vSwitch.values()][0]!
