// A node's agent: a hundred links from nothing, two hundred pairs of interfaces, and what it costs while nothing changes. Beside
// what a script would do: one ovs-vsctl for all, and commands for each.
import { mkdir, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { NodePlan } from '../api/contract/node-schemas.ts'
import { ipBatch, run } from '../lab/command.ts'
import { type Ovs, openOvs, sequence } from '../lab/ovs.ts'
import { bridgeName, datapathOf, interfaceNames, tunnelName } from '../topology/names.ts'
import type { Bench } from './bench.ts'
import { end, start } from './contenders.ts'
import { cpuOf, memoryNow, print } from './machine.ts'

const node = 'n1'
const bridge = bridgeName(node)
const [httpPort, underlay] = [8182, '198.51.100.1']
const remote = (n: number) => `198.51.101.${n + 1}`

export const agentBench: Bench = {
  about: 'links and interfaces of a node, made from nothing by its agent; and its processor time while nothing changes',
  async run({ folder, small }) {
    const [links, pairs, quiet] = small ? [10, 20, 5] : [100, 200, 30]
    await ipBatch([
      'link add name und0 type veth peer name und1',
      `addr add ${underlay}/24 dev und0`,
      'link set und0 up',
      'link set und1 up',
    ])
    const own = await startBare(join(folder, 'agent'))
    const agent = await startAgent(folder, own)
    const rows = [
      agent.started,
      await agent.measured(`${links} links`, plan({ links })),
      await agent.measured(`${pairs} pairs of interfaces`, plan({ links, pairs })),
      await agent.measured('one link more', plan({ links: links + 1, pairs })),
      await agent.measured('the same again', plan({ links: links + 1, pairs })),
    ]
    const before = cpuOf(agent.program.pid)
    await sleep(quiet * 1000)
    const idle = ((cpuOf(agent.program.pid) - before) / quiet) * 1000
    const memory = memoryNow(agent.program.pid)
    await end(agent.program)
    await own.close()
    const theirs = await startBare(join(folder, 'script'))
    rows.push(...(await script(theirs, links, pairs)))
    await theirs.close()
    print('seconds from the plan until Open vSwitch has it, and processor time', [
      ['', 's', 'CPU s of the agent'],
      ...rows,
    ])
    print('while nothing changes', [
      ['', 'CPU ms per s', 'MiB'],
      ['the agent', idle.toFixed(2), memory.toFixed(0)],
    ])
  },
}

/** Open vSwitch in userspace, as it starts on a node: nothing is on it. */
async function startBare(directory: string): Promise<Ovs> {
  await mkdir(directory)
  const ovs = await openOvs({ directory, datapath: 'userspace' })
  await ovs.start()
  return ovs
}

const plan = ({ links = 0, pairs = 0 }: { readonly links?: number; readonly pairs?: number }): NodePlan => ({
  ...{ node, provider: 'l2sm-controller', bridge, dpid: datapathOf(bridge), underlay: { address: underlay } },
  version: (links * 1000 + pairs).toString(16).padStart(16, '0'),
  links: Array.from({ length: links }, (_, n) => ({
    ...{ peer: `p${n}`, name: tunnelName(bridge, `p${n}`), port: 1000 + n, type: 'vxlan', udpPort: 7000, bfd: false },
    ...{ local: underlay, remote: remote(n) },
  })),
  interfaces: { fixed: pairs, spare: 0, most: 1000, ...interfaceNames(bridge) },
  controllers: [],
  openvswitch: { datapath: 'userspace', inactivityProbe: 5000, maxBackoff: 1000 },
})

async function startAgent(folder: string, { directory }: Ovs) {
  const file = join(folder, 'plan.json')
  const write = async (of: NodePlan) => {
    await writeFile(`${file}.new`, JSON.stringify(of))
    await rename(`${file}.new`, file)
  }
  const ready = async (version: string) => {
    for (;;) {
      const pages = ['/readyz', '/metrics'].map(path =>
        fetch(`http://127.0.0.1:${httpPort}${path}`).catch(() => undefined),
      )
      const [answer, metrics] = await Promise.all(pages)
      if (answer?.status === 200 && (await metrics?.text())?.includes(`plan="${version}"`)) return
      await sleep(2)
    }
  }
  await write(plan({}))
  const began = performance.now()
  const cli = new URL('../cli/l2sm.ts', import.meta.url).pathname
  const words = [
    'agent',
    '--plan',
    file,
    '--ovs',
    join(directory, 'db.sock'),
    '--http',
    `127.0.0.1:${httpPort}`,
    '--state',
    directory,
  ]
  const program = start({ argv: [process.execPath, cli, ...words, '--log-level', 'warn'] })
  await ready(plan({}).version)
  const seconds = (performance.now() - began) / 1000
  return {
    program,
    started: [
      'the agent itself, the bridge, and br-phy with the address',
      seconds.toFixed(2),
      cpuOf(program.pid).toFixed(2),
    ],
    /** From the moment that the file is there. */
    measured: async (name: string, of: NodePlan): Promise<string[]> => {
      const cpu = cpuOf(program.pid)
      const began = performance.now()
      await write(of)
      await ready(of.version)
      const seconds = (performance.now() - began) / 1000
      return [name, seconds.toFixed(2), (cpuOf(program.pid) - cpu).toFixed(2)]
    },
  }
}

/** What people write: the same ports, without looking at what is there. */
async function script(ovs: Ovs, links: number, pairs: number): Promise<string[][]> {
  const vxlan = (n: number) => [
    ...['add-port', 'br0', `vx${n}`, '--', 'set', 'interface', `vx${n}`, 'type=vxlan', `ofport_request=${1000 + n}`],
    ...['options:key=flow', `options:remote_ip=${remote(n)}`, 'options:dst_port=7000'],
  ]
  await ovs.vsctl('add-br', 'br0', '--', 'set', 'bridge', 'br0', 'datapath_type=netdev')
  const timed = async (name: string, work: () => Promise<unknown>): Promise<string[]> => {
    const began = performance.now()
    await work()
    return [name, ((performance.now() - began) / 1000).toFixed(2), '-']
  }
  const numbers = Array.from({ length: links }, (_, n) => n)
  return [
    await timed(`${links} links, one ovs-vsctl for all`, () => ovs.vsctl(...sequence(...numbers.map(vxlan)))),
    await timed(`${pairs} pairs, ip, ethtool and ovs-vsctl for each`, () =>
      run(
        'sh',
        [
          '-ec',
          `for n in $(seq ${pairs}); do ip link add s$n type veth peer name t$n; ethtool -K t$n tx off >/dev/null; ip link set s$n up; ` +
            `ovs-vsctl --db=unix:${ovs.directory}/db.sock add-port br0 s$n -- set interface s$n ofport_request=$n; done`,
        ],
        { timeout: 120_000 },
      ),
    ),
  ]
}
