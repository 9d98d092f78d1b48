/** Takes away all that agents of this node have made: bridges, interfaces, and what an underlay had is put back. */

import { setTimeout as sleep } from 'node:timers/promises'
import { ipBatch } from './command.ts'
import { interfacesNote, mark, nodeNote } from './desired.ts'
import { removal } from './diff.ts'
import { readMachine, removePairs } from './machine.ts'
import { type Ovsdb, openOvsdb } from './ovsdb.ts'
import type { Log } from './reconcile.ts'
import type { Database } from './schema.ts'
import { numberOf } from './stock.ts'
import { physical, placement, savedIn } from './underlay.ts'

/** Milliseconds to wait for Open vSwitch. */
const patience = 5_000

/** Resolves with how many bridges were removed. Pairs with an end in a pod go as well: their ports are gone. */
export async function removeAll(socket: string, node: string, log: Log): Promise<number> {
  const ovsdb = openOvsdb({ path: socket, changed: () => {} })
  try {
    const owners = bridgesOf(await database(ovsdb, socket), node)
    for (const { owner, near } of owners) await removeOne(ovsdb, socket, owner, near, log)
    return owners.length
  } finally {
    ovsdb.close()
  }
}

const bridgesOf = (copy: Database, node: string) =>
  [...copy.Bridge.values()]
    .filter(({ name, external_ids }) => external_ids[mark] === name && external_ids[nodeNote] === node)
    .map(({ name, external_ids }) => ({ owner: name, near: external_ids[interfacesNote]?.split(' ')[0] }))

async function removeOne(ovsdb: Ovsdb, socket: string, owner: string, near: string | undefined, log: Log) {
  const copy = await database(ovsdb, socket)
  const saved = savedIn(copy, owner)
  // While br-phy is still there to take them from: whoever is killed now finds both, and goes on.
  if (saved) await ipBatch(placement(saved, saved.device, await readMachine()))
  const { devices } = await readMachine()
  const pairs = [...devices.values()].filter(({ name, peer }) => peer && near && numberOf(near, name) !== undefined)
  await removePairs(pairs.map(({ name }) => name))
  if (pairs.length > 0) log.info({}, `${pairs.length} interfaces removed`)
  const { operations, changes } = removal(copy, owner)
  for (const change of changes) log.info({}, change)
  await ovsdb.transact(operations)
  // Until ovs-vswitchd, if it runs, has let go of the devices.
  const [root] = (await database(ovsdb, socket)).Open_vSwitch.values()
  for (let waited = 0; waited < patience; waited += 20) {
    const [now] = (await database(ovsdb, socket)).Open_vSwitch.values()
    if (now!.cur_cfg >= root!.next_cfg) break
    await sleep(20)
  }
  if (saved) log.info({}, `${saved.addresses.join(' ')} is on ${saved.device} again, without ${physical}`)
}

async function database(ovsdb: Ovsdb, socket: string): Promise<Database> {
  for (let waited = 0; waited < patience; waited += 10) {
    const state = ovsdb.state()
    if (state.is === 'live') return state.database
    await sleep(10)
  }
  throw new Error(`the database of Open vSwitch at ${socket} is not there: does ovsdb-server run?`)
}
