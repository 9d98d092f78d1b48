/**
 * The network below the mesh: one Linux bridge in a namespace, a port for each node, and one for `ctl`, the
 * place where controllers listen. It can lose frames between any two of them.
 */

import { ipBatch, run } from './command.ts'

/** A node by its number, or the place of the controllers. */
export type Place = number | 'ctl'

export type Underlay = {
  readonly netns: string
  readonly macs: ReadonlyMap<Place, string>
}

/** `alias` says who owns the interface. */
export type Ctl = { readonly device: string; readonly address: string; readonly alias: string }

/** The bridge's port towards a place. */
export const portOf = (place: Place): string => (place === 'ctl' ? 'ctl' : `u${place}`)

/** Nodes are numbered from 1 up to 250: the number is the last octet of their address. */
export const underlayMac = (place: Place): string => `02:1a:b0:00:00:${hex(place === 'ctl' ? 0xfe : place, 2)}`

/**
 * For `ip -batch` in the caller's namespace: each node's uplink, with its own MAC where no br-phy has it, and the end of
 * `ctl` that stays here, with its address.
 */
export function underlayLinks(
  underlay: Underlay,
  ctl: Ctl,
  nodeNetns: (node: number) => string,
  ownMac: boolean,
): string[] {
  const nodes = [...underlay.macs.keys()].filter(place => place !== 'ctl')
  const { netns, macs } = underlay
  const end = (node: number) => `uplink mtu 1600${ownMac ? ` address ${macs.get(node)}` : ''}`
  const { device, address, alias } = ctl
  return [
    ...nodes.map(
      node =>
        `link add name ${portOf(node)} mtu 1600 netns ${netns} type veth peer name ${end(node)} netns ${nodeNetns(node)}`,
    ),
    `link add name ${device} mtu 1600 address ${macs.get('ctl')} type veth peer name ctl mtu 1600 netns ${netns}`,
    `link set ${device} alias ${alias}`,
    `link set ${device} addrgenmode none`,
    `addr add ${address}/24 dev ${device}`,
    `link set ${device} up`,
  ]
}

export const ctlAddress = (subnet: string): string => `${subnet}.254`

/** The bridge itself has an address too, for nodes to see whether they are connected. */
export const gateAddress = (subnet: string): string => `${subnet}.253`
export const gateMac = '02:1a:b0:00:00:fd'

/**
 * Shell commands, to be run in the underlay's namespace when its links are there.
 * @param offload Frames come to nodes as from any other veth, with checksums left to hardware that there is not.
 */
export function underlayCommands(places: readonly Place[], subnet: string, offload = false): string[] {
  const ports = places.map(portOf)
  const batch = [
    `link add br0 address ${gateMac} type bridge`,
    `addr add ${gateAddress(subnet)}/24 dev br0`,
    'link set br0 up',
    ...ports.flatMap(port => [`link set ${port} master br0`, `link set ${port} up`]),
  ]
  // A veth hands over frames whose checksum nobody has filled in yet, and userspace Open vSwitch would forward them so.
  const filled = offload ? [] : ports.map(port => `ethtool -K ${port} tx off >/dev/null`)
  return ["ip -batch - <<'END'", ...batch, 'END', ...filled]
}

/** Which share (0 to 1) of the frames from a place never gets to another, and of the others those of more than `mtu` bytes after the Ethernet header. */
export type Loss = { readonly from: Place; readonly to: Place; readonly share: number; readonly mtu?: number }

/** Makes the port towards `to` lose just these shares: what it lost before and is not named is over. */
export async function setLosses(underlay: Underlay, to: Place, losses: readonly Loss[]): Promise<void> {
  const dev = portOf(to)
  await run('tc', ['qdisc', 'replace', 'dev', dev, 'clsact'], { netns: underlay.netns })
  const filter = ['dev', dev, 'egress', 'prio', '1', 'handle', '1', 'protocol', 'all', 'bpf']
  const program = lossProgram(losses.map(loss => ({ ...loss, mac: underlay.macs.get(loss.from)! })))
  await run('tc', ['filter', 'replace', ...filter, 'bytecode', program, 'direct-action'], { netns: underlay.netns })
}

/** A port without carrier, as if the node's cable were pulled. */
export const setCable = (underlay: Underlay, place: Place, plugged: boolean): Promise<string> =>
  ipBatch([`link set ${portOf(place)} ${plugged ? 'up' : 'down'}`], underlay.netns)

/**
 * A classic BPF program, as tc-bpf(8) takes it: drops a share of the frames from each source MAC. (netem would do,
 * but not every kernel has it; and it cannot tell one sender from another.) Our MACs differ in their low 32 bits.
 */
export function lossProgram(losses: readonly (Pick<Loss, 'share' | 'mtu'> & { readonly mac: string })[]): string {
  const load = { sourceMac: '32 0 0 8', random: '32 0 0 4294963256', length: '128 0 0 0' }
  const answer = { pass: '6 0 0 0', drop: '6 0 0 2' }
  // 21: jump if equal, 37: if greater, 53: if greater or equal; then how many to skip if so and if not.
  const low = (mac: string) => Number.parseInt(mac.replaceAll(':', '').slice(-8), 16)
  const large = losses.flatMap(({ mac, mtu }) =>
    mtu === undefined ? [] : [`21 0 4 ${low(mac)}`, load.length, `37 0 1 ${mtu + 14}`, answer.drop, load.sourceMac],
  )
  const lost = losses
    .filter(({ share }) => share > 0)
    .flatMap(({ mac, share }) => {
      if (share >= 1) return [`21 0 1 ${low(mac)}`, answer.drop]
      return [`21 0 4 ${low(mac)}`, load.random, `53 1 0 ${Math.floor(share * 2 ** 32)}`, answer.drop, answer.pass]
    })
  const program = [load.sourceMac, ...large, ...lost, answer.pass]
  return [program.length, ...program].join(',')
}

export const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0')
