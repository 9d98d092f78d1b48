/**
 * A planned restart of ovs-vswitchd, which forgets its flows when it ends: they are saved, the restart is done by the
 * command that whoever runs the daemon has for that, and they are put back. So a restart needs no controller.
 *
 * `flow-restore-wait` (ovs-vswitchd.conf.db(5)) keeps what the kernel's datapath knows meanwhile, and keeps controllers
 * away. But when it is cleared, ovs-vswitchd takes its controllers for the first ones, and flushes all flows once more: so
 * flows come after that. Controllers come last, or one could compare what is not complete: until then the targets lead
 * nowhere, and the agent, told by a note, leaves them so.
 */

import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from './log.ts'
import { run } from './machine/command.ts'
import { ourselves } from './machine/process.ts'
import { nowHere } from './machine/record-file.ts'
import { openDatabase } from './ovsdb/once.ts'
import type { Operation } from './ovsdb/ovsdb.ts'
import { type Database, mapOf, setOf, uuidOf } from './ovsdb/schema.ts'
import { bridgeNamed, bridgesOf, longestRestore, restoringNote, spellDeadline } from './switch/desired.ts'

/** Milliseconds that the command may take, and ovs-vswitchd after it until it answers. */
const patience = { command: (longestRestore - 30) * 1000, answer: 30_000 }

/** A restart by a command for a shell: done when ovs-vswitchd runs again. */
export const byCommand = (command: string) => () => run('sh', ['-c', command], { timeout: patience.command })

type Saved = { readonly meters: string; readonly groups: string; readonly flows: string }

/**
 * Rejects when the command failed, or flows could not be put back; in any case the switch takes flows and frames again.
 * @param restart Has restarted it. The database may have been away meanwhile.
 */
export async function restartAround(
  socket: string,
  node: string,
  restart: () => Promise<unknown>,
  log: Log,
): Promise<void> {
  const { ovsdb, database } = await openDatabase(socket)
  try {
    const bridges = bridgesOf(await database(), node).map(({ name }) => name)
    if (bridges.length === 0) throw new Error(`the database at ${socket} has no bridge of node ${node}`)
    const places = bridges.map(bridge => ({ bridge, place: `unix:${join(dirname(socket), `${bridge}.mgmt`)}` }))
    const saved = await Promise.all(places.map(async ({ place }) => ({ place, content: await save(place) })))
    const count = saved.reduce((sum, { content }) => sum + lines(content.flows).length, 0)
    log.info({}, `${count} flows saved of ${bridges.join(' ')}`)
    const controllers = targetsOf(await database(), bridges)
    await ovsdb.transact(park(controllers, spellDeadline(nowHere(), longestRestore, ourselves())))
    try {
      await restart()
      for (const { place } of saved) await answers(place)
      await ovsdb.transact([
        ...release,
        { op: 'mutate', table: 'Open_vSwitch', where: [], mutations: [['next_cfg', '+=', 1]] },
      ])
      await carriedOut(database)
      for (const { place, content } of saved) await restore(place, content)
    } finally {
      await ovsdb.transact([...release, ...unpark(controllers)])
    }
    log.info({}, `${count} flows put back`)
  } finally {
    ovsdb.close()
  }
}

const ofctl = (place: string, command: string, args: readonly string[] = [], input?: string): Promise<string> =>
  run('ovs-ofctl', ['-O', 'OpenFlow13', command, place, ...args], {
    timeout: 60_000,
    ...(input !== undefined && { input }),
  })

async function save(place: string): Promise<Saved> {
  const [meters, groups, flows] = await Promise.all([
    ofctl(place, 'dump-meters'),
    ofctl(place, 'dump-groups'),
    ofctl(place, 'dump-flows', ['--no-stats', '--no-names']),
  ])
  return { meters, groups, flows }
}

/** What a flow needs comes before it. */
async function restore(place: string, { meters, groups, flows }: Saved): Promise<void> {
  for (const meter of meterLines(meters)) await ofctl(place, 'add-meter', [meter])
  // One bundle each: all of it, or an error.
  await ofctl(place, 'add-groups', ['--bundle', '-'], lines(groups).join('\n'))
  await ofctl(place, 'add-flows', ['--bundle', '-'], lines(flows).join('\n'))
}

async function answers(place: string): Promise<void> {
  const end = performance.now() + patience.answer
  for (;;) {
    try {
      await ofctl(place, 'show')
      return
    } catch (error) {
      if (performance.now() > end) throw error
    }
    await sleep(20)
  }
}

async function carriedOut(database: () => Promise<Database>): Promise<void> {
  const configuration = async () => [...(await database()).Open_vSwitch.values()][0]!
  const told = (await configuration()).next_cfg
  for (let waited = 0; (await configuration()).cur_cfg < told; waited += 10) {
    if (waited > patience.answer)
      throw new Error('ovs-vswitchd does not carry out what the database says: does it run?')
    await sleep(10)
  }
}

type Target = { readonly uuid: string; readonly target: string }

const targetsOf = (copy: Database, bridges: readonly string[]): Target[] =>
  bridges
    .flatMap(name => bridgeNamed(copy, name)?.controller ?? [])
    .flatMap(uuid => copy.Controller.get(uuid) ?? [])
    .map(({ uuid, target }) => ({ uuid, target }))

const retarget = (controllers: readonly Target[]): Operation[] =>
  controllers.map(({ uuid, target }) => ({
    ...{ op: 'update', table: 'Controller', where: [['_uuid', '==', uuidOf(uuid)]], row: { target } },
  }))

/** Nobody listens there, and that is known at once. */
const nowhere = 'tcp:127.0.0.1:1'

const root = (mutations: readonly unknown[]): Operation => ({
  op: 'mutate',
  table: 'Open_vSwitch',
  where: [],
  mutations,
})

const park = (controllers: readonly Target[], until: string): Operation[] => [
  ...retarget(controllers.map(({ uuid }) => ({ uuid, target: nowhere }))),
  root([
    ['other_config', 'delete', setOf(['flow-restore-wait'])],
    ['other_config', 'insert', mapOf({ 'flow-restore-wait': 'true' })],
    ['external_ids', 'delete', setOf([restoringNote])],
    ['external_ids', 'insert', mapOf({ [restoringNote]: until })],
  ]),
]

const release = [root([['other_config', 'delete', setOf(['flow-restore-wait'])]])]

const unpark = (controllers: readonly Target[]): Operation[] => [
  ...retarget(controllers),
  root([['external_ids', 'delete', setOf([restoringNote])]]),
]

/** Entries, without the lines that say what they are an answer to. */
export const lines = (text: string): string[] =>
  text
    .split('\n')
    .filter(line => /^ \S/.test(line))
    .map(line => line.trim())

/** As `add-meter` takes them: `dump-meters` prints a meter's bands on lines of their own. */
export const meterLines = (text: string): string[] =>
  text
    .split(/^(?=meter=)/m)
    .filter(entry => entry.startsWith('meter='))
    .map(entry => {
      const [head = '', ...bands] = entry.trim().split('\n')
      const flags = head.replace(/ bands=$/, '').split(' ')
      return [...flags, ...bands.map(band => `band=${band.trim().split(' ').join(',')}`)].join(',')
    })
