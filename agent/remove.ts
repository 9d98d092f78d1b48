/** Removes everything that agents made on this node, bridges and interfaces, and gives the node its addresses back. */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from './log.ts'
import { ipBatch } from './machine/command.ts'
import { readMachine, removePairs } from './machine/machine.ts'
import { numberOf } from './node/stock.ts'
import { physical, placement, savedIn } from './node/underlay.ts'
import { openDatabase } from './ovsdb/once.ts'
import type { Ovsdb } from './ovsdb/ovsdb.ts'
import type { Database, Row } from './ovsdb/schema.ts'
import { bridgesOf, interfacesNote } from './switch/desired.ts'
import { removal } from './switch/diff.ts'

/** Milliseconds to wait for ovs-vswitchd to let go of its devices. */
const patience = 5_000

/** Resolves with how many bridges were removed. Pairs with an end in a pod go as well: nothing is to stay. */
export async function removeAll(socket: string, node: string, log: Log): Promise<number> {
  const { ovsdb, database } = await openDatabase(socket)
  try {
    const bridges = bridgesOf(await database(), node)
    for (const bridge of bridges) await removeOne(ovsdb, database, bridge, log)
    return bridges.length
  } finally {
    ovsdb.close()
  }
}

/** The row that says what was ours goes last: whoever was killed before runs again and goes on. */
async function removeOne(
  ovsdb: Ovsdb,
  database: () => Promise<Database>,
  { name, external_ids }: Row<'Bridge'>,
  log: Log,
): Promise<void> {
  const copy = await database()
  const saved = savedIn(copy, name)
  // While br-phy is still there: the node is not without its address for long.
  if (saved)
    await ipBatch(placement(saved, saved.device, await readMachine()), 'force').catch((error: Error) =>
      log.error({}, error.message),
    )
  const bridgePrefix = external_ids[interfacesNote]?.split(' ')[0]
  const { devices } = await readMachine()
  const pairs = [...devices.values()].filter(
    ({ name, peer }) => peer && bridgePrefix && numberOf(bridgePrefix, name) !== undefined,
  )
  await removePairs(pairs.map(device => device.name))
  if (pairs.length > 0) log.info({}, `${pairs.length} interfaces removed`)
  const { operations, changes } = removal(copy, name)
  for (const change of changes) log.info({}, change)
  await ovsdb.transact(operations)
  const told = configOf(await database()).next_cfg
  for (let waited = 0; waited < patience && configOf(await database()).cur_cfg < told; waited += 20) await sleep(20)
  if (saved) log.info({}, `${saved.addresses.join(' ')} is on ${saved.device} again, without ${physical}`)
}

const configOf = (copy: Database) => [...copy.Open_vSwitch.values()][0]!
