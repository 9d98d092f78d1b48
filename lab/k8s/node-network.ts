/**
 * The machines of a cluster as network namespaces: one Linux bridge joins the nodes' eth0 and the place of the control plane, which is this
 * machine's own namespace. Pods of a node have a subnet of their own, and routes lead there.
 */

import { randomBytes } from 'node:crypto'
import { ipBatch, run, shell } from '../command.ts'
import { ownerPrefix, removeOwned } from '../leftovers.ts'
import { claimSubnet, type Subnet } from '../subnet.ts'

export type NodeNetwork = {
  readonly name: string
  readonly netns: string
  readonly address: string
  /** Of its pods: `198.18.9.0/24`. */
  readonly pods: string
}

export type Network = {
  /** Starts the names of what belongs to this cluster; see leftovers.ts. */
  readonly prefix: string
  /** Of the control plane. */
  readonly address: string
  readonly nodes: readonly NodeNetwork[]
  close(): Promise<void>
}

/** When it rejects, nothing is left behind. */
export const openNetwork = async (names: readonly string[]): Promise<Network> => {
  const lab = randomBytes(3).toString('hex')
  const prefix = ownerPrefix(lab)
  const subnets: Subnet[] = []
  const close = async () => {
    removeOwned(owner => owner.lab === lab)
    for (const subnet of subnets) await subnet.release()
  }
  try {
    const { prefix: underlay } = await claimed(subnets)
    const nodes: NodeNetwork[] = []
    for (const [i, name] of names.entries()) {
      const pods = `${(await claimed(subnets)).prefix}.0/24`
      nodes.push({ name, netns: `${prefix}-${name}`, address: `${underlay}.${i + 1}`, pods })
    }
    const network = { prefix, address: `${underlay}.254`, nodes }
    await connect(network, lab)
    return { ...network, close }
  } catch (error) {
    await close()
    throw error
  }
}

const claimed = async (subnets: Subnet[]): Promise<Subnet> => {
  const subnet = await claimSubnet()
  subnets.push(subnet)
  return subnet
}

const connect = async ({ prefix, address, nodes }: Omit<Network, 'close'>, lab: string): Promise<void> => {
  const wires = `${prefix}-wires`
  const here = `k${lab}`
  await ipBatch([`netns add ${wires}`, ...nodes.map(({ netns }) => `netns add ${netns}`)])
  await ipBatch([
    `link add ${here} type veth peer name here netns ${wires}`,
    `link set ${here} alias ${prefix}`,
    `addr add ${address}/24 dev ${here}`,
    `link set ${here} up`,
    ...nodes.map(({ name, netns }) => `link add ${name} netns ${wires} type veth peer name eth0 netns ${netns}`),
  ])
  await ipBatch(
    [
      'link add br0 type bridge',
      'link set br0 up',
      ...['here', ...nodes.map(({ name }) => name)].flatMap(port => [
        `link set ${port} master br0`,
        `link set ${port} up`,
      ]),
    ],
    wires,
  )
  // Userspace Open vSwitch forwards frames as they are: their checksums must be there.
  await shell(
    wires,
    ['here', ...nodes.map(({ name }) => name)].map(port => `ethtool -K ${port} tx off >/dev/null`),
  )
  await run('ethtool', ['-K', here, 'tx', 'off'])
  for (const { netns, address: own } of nodes) {
    const others = nodes.filter(node => node.netns !== netns)
    const commands = [
      'link set lo up',
      `addr add ${own}/24 dev eth0`,
      'link set eth0 up',
      `route add default via ${address}`,
    ]
    await ipBatch([...commands, ...others.map(node => `route add ${node.pods} via ${node.address}`)], netns)
    await shell(netns, ['sysctl -qw net.ipv4.ip_forward=1', 'ethtool -K eth0 tx off >/dev/null'])
  }
  // The API server calls webhooks at the addresses of their pods.
  await ipBatch(nodes.map(node => `route add ${node.pods} via ${node.address} dev ${here}`))
}
