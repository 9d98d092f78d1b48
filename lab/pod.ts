/**
 * A pod is a network namespace with an eth0 whose other end is a port of its node's switch. It says nothing on its
 * own (no IPv6 unless it has such an address, no router solicitations), so that what is seen was sent on purpose.
 */

import { isIPv4, isIPv6 } from 'node:net'
import { hex } from './underlay.ts'

export type PodSpec = {
  /** OpenFlow port on the node's switch, 1 to 9999. */
  readonly port: number
  readonly name?: string
  readonly mac?: string
  /** With or without a prefix length; /24 and /64 are taken when it is left out. */
  readonly ips?: readonly string[]
  /** The VLAN in which the pod speaks: its probe frames carry this tag. Its eth0 and its pings stay untagged. */
  readonly vlan?: number
}

export type Pod = {
  readonly name: string
  readonly node: number
  readonly port: number
  readonly netns: string
  readonly device: 'eth0'
  readonly mac: string
  readonly ips: readonly string[]
  readonly vlan: number | undefined
}

/** Port 0 and those from `linkPort(0)` on are no pod's. */
export const linkPort = (node: number): number => 10_000 + node

/** The port at which a plain cable to this node begins. */
export const cablePort = (node: number): number => 20_000 + node

/** What a spec leaves out follows from node and port: port 2 of node 1 has MAC 02:00:00:01:00:02 and IP 10.200.1.2/8. */
export function podOf(prefix: string, node: number, spec: PodSpec): Pod {
  const { port, name = `n${node}p${port}`, mac = podMac(node, port), ips = [podIp(node, port)], vlan } = spec
  const wrong = (what: string, expected: string) => new Error(`pod ${name}: ${what}, expected ${expected}`)
  if (!Number.isInteger(port) || port < 1 || port >= linkPort(0)) throw wrong(`port ${port}`, `1 to ${linkPort(0) - 1}`)
  if (!/^[\w.-]{1,60}$/.test(name)) throw wrong(`name "${name}"`, '1 to 60 letters, digits, _ . -')
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(mac)) throw wrong(`mac ${mac}`, 'six pairs of lower-case hex digits')
  const addresses = ips.map(ip => {
    const [address = '', length = isIPv4(address) ? '24' : '64', rest] = ip.split('/')
    const known = isIPv4(address) || isIPv6(address)
    if (!known || rest !== undefined || !/^\d{1,3}$/.test(length))
      throw wrong(`ip ${ip}`, 'an address, with or without /n')
    return `${address}/${length}`
  })
  return { name, node, port, netns: `${prefix}-pod-${name}`, device: 'eth0', mac, ips: addresses, vlan }
}

export const podMac = (node: number, port: number): string =>
  `02:00:${[node >> 8, node, port >> 8, port].map(octet => hex(octet & 255, 2)).join(':')}`

/** All pods are in one subnet, so only the switches keep them apart. */
export const podIp = (node: number, port: number): string => `10.${200 + (port >> 8)}.${node}.${port & 255}/8`

/** The pod's interface on its node. */
export const deviceOf = (pod: { readonly port: number }): string => `p${pod.port}`

/** For `ip -batch` in the caller's namespace. A full-sized frame with two VLAN tags still fits the underlay. */
export const podLinks = (pod: Pod, nodeNetns: string): string[] => [
  `netns add ${pod.netns}`,
  `link add name ${deviceOf(pod)} mtu 1500 netns ${nodeNetns} type veth ` +
    `peer name eth0 mtu 1500 address ${pod.mac} netns ${pod.netns}`,
]

/** Shell commands, to be run in the pod's namespace. `first`: lines for `ip -batch` before the device is up. */
export function podCommands(pod: Pod, first: readonly string[] = []): string[] {
  const six = pod.ips.some(ip => ip.includes(':'))
  return [
    ...(six ? setSysctls({ 'ipv6/conf/all/accept_dad': 0, 'ipv6/conf/default/accept_dad': 0 }) : silence),
    ...(six ? setSysctls({ 'ipv6/conf/eth0/accept_dad': 0, 'ipv6/conf/eth0/router_solicitations': 0 }) : []),
    "ip -batch - <<'END'",
    'link set lo up',
    ...first,
    ...pod.ips.map(ip => `addr add ${ip} dev eth0${ip.includes(':') ? ' nodad' : ''}`),
    'link set eth0 up',
    'END',
  ]
}

/** Userspace Open vSwitch forwards a frame as it is, with the checksum that veth left for hardware: TCP would stall. */
export const fillChecksums = 'ethtool -K eth0 tx off >/dev/null'

export const setSysctls = (values: Readonly<Record<string, number>>): string[] =>
  Object.entries(values).map(
    ([name, value]) => `[ ! -e /proc/sys/net/${name} ] || echo ${value} >/proc/sys/net/${name}`,
  )

/** No IPv6, hence no neighbour discovery and no multicast reports, on any interface of a namespace. */
export const silence: readonly string[] = setSysctls({
  'ipv6/conf/all/disable_ipv6': 1,
  'ipv6/conf/default/disable_ipv6': 1,
})
