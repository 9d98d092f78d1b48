// Addresses learned a second, and a second of the controller's processor time: 16 emulated switches show it senders that it does not
// know yet; an address counts when its entry has come back.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { cookie } from '../controller/compile/cookie.ts'
import { pipeline } from '../controller/compile/pipeline.ts'
import { addressesPerPort } from '../controller/learning/learned-addresses.ts'
import { attach, putDeclaredLink, putNetwork } from '../store/desired.ts'
import { openSqlite } from '../store/sqlite/sqlite.ts'
import type { Bench } from './bench.ts'
import {
  answers,
  asksForFeatures,
  type Command,
  end,
  httpPort,
  l2sm,
  openflowPort,
  peers,
  profiling,
  start,
} from './contenders.ts'
import { cpuOf, print } from './machine.ts'
import type { Plan, Result } from './switches.ts'
import { dpidOf, linkPort, must, networkId } from './world.ts'

const switches = 16
const outstanding = 64
/** Until a contender must have greeted all switches, and then until it must have learned all; ms. */
const longest = 120_000

/** Which networks a switch has a port in: port p of switch s. */
type Layout = { readonly words: string; readonly ports: number; network(s: number, p: number): number }
const layouts = (ports: number): readonly Layout[] => [
  { words: `a network for each port`, ports, network: (s, p) => s * ports + p },
  { words: `a network for each switch, ${ports} ports`, ports, network: s => s },
  { words: '16 networks over all switches, a port on each', ports: switches, network: (_, p) => p },
]

type LinkStatistics = Result & { readonly cpu: number }

export const learn: Bench = {
  about: 'addresses learned from packet-ins, per second of the controller’s processor time',
  async run({ folder, small }) {
    const rows: string[][] = []
    const row = (name: string, { ms, answers, flowMods, cpu }: LinkStatistics) =>
      rows.push([
        name,
        String(answers),
        `${Math.round(answers / ms)}k`,
        `${(answers / cpu / 1000).toFixed(1)}k`,
        `${(flowMods / cpu / 1000).toFixed(0)}k`,
      ])
    const addresses = small ? addressesPerPort / 8 : addressesPerPort
    for (const [i, layout] of layouts(16).entries())
      row(`l2sm, ${layout.words}`, await ours(join(folder, `store${i}`), join(folder, 'cache'), layout, addresses))
    for (const { name, command, there, install } of peers)
      if (!there()) rows.push([`${name} is missing: ${install}`])
      else
        await theirs(command, addresses).then(
          linkStatistics => row(`${name}, 16 ports a switch`, linkStatistics),
          error => rows.push([`${name} did not finish: ${error.message}`]),
        )
    print(`${switches} switches, ${outstanding} packet-ins of each on their way`, [
      ['', 'addresses', 'a second', 'a CPU second', 'flow-mods a CPU second'],
      ...rows,
    ])
  },
}

async function ours(file: string, cache: string, layout: Layout, addresses: number): Promise<LinkStatistics> {
  const store = await openSqlite(file)
  await store.write(draft => {
    for (let s = 0; s < switches; s++)
      for (let t = 0; t < s; t++)
        must(
          putDeclaredLink(draft, {
            from: { dpid: dpidOf(s), port: linkPort(t) },
            to: { dpid: dpidOf(t), port: linkPort(s) },
          }),
        )
    for (let s = 0; s < switches; s++)
      for (let p = 0; p < layout.ports; p++) {
        const network = networkId(layout.network(s, p))
        must(putNetwork(draft, network))
        must(attach(draft, { network, dpid: dpidOf(s), port: 1 + p, guard: 'learn' }))
      }
  })
  const number = (n: number) => store.state().networks.get(networkId(n))!.number
  const senders = (s: number) =>
    Array.from({ length: layout.ports }, (_, p) => ({
      port: 1 + p,
      cookie: String(cookie('network', number(layout.network(s, p)))),
      tableId: pipeline.guard.id,
    }))
  const plan = planOf(senders, addresses, pipeline.guard.id)
  await store.close()
  return measure(l2sm(`sqlite:${file}`, cache, ...profiling), plan, () => answers(httpPort, '/readyz'))
}

/** Other controllers learn too, and answer each frame with a packet-out. */
function theirs(command: Command, addresses: number): Promise<LinkStatistics> {
  const senders = () => Array.from({ length: 16 }, (_, p) => ({ port: 1 + p, cookie: '0', tableId: 0 }))
  return measure(command, planOf(senders, addresses, 'packet_out'), () => asksForFeatures(openflowPort))
}

const planOf = (
  senders: (s: number) => Plan['switches'][number]['ports'],
  addresses: number,
  answer: Plan['answer'],
): Plan => ({
  ...{ port: openflowPort, addresses, outstanding, answer },
  switches: Array.from({ length: switches }, (_, s) => ({
    dpid: dpidOf(s),
    ports: senders(s),
    links: Array.from({ length: switches }, (_, t) => linkPort(t)),
  })),
})

async function measure(command: Command, plan: Plan, ready: () => Promise<void>): Promise<LinkStatistics> {
  const controller = start(command)
  try {
    await Promise.race([controller.died, ready()])
    const peer = fork(join(import.meta.dirname, 'switches.ts'), [JSON.stringify(plan)])
    try {
      const gone = once(peer, 'exit').then(() => Promise.reject(new Error('the emulated switches ended early')))
      gone.catch(() => {})
      const late = sleep(longest, undefined, { ref: false }).then(() => {
        throw new Error(`not done after ${longest / 1000} s`)
      })
      late.catch(() => {})
      const told = async (): Promise<unknown> =>
        (await Promise.race([once(peer, 'message'), gone, controller.died, late]))[0]
      await told()
      // Until every switch has what its networks had before.
      await sleep(2000)
      const before = cpuOf(controller.pid)
      peer.send('go')
      const result = (await told()) as Result
      return { ...result, cpu: cpuOf(controller.pid) - before }
    } finally {
      peer.kill()
    }
  } finally {
    await end(controller)
  }
}
