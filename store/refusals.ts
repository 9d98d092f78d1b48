import { maxNetworkNumber } from './limits.ts'
import { quote } from './quote.ts'
import { nodeRefusals } from './refusals-nodes.ts'

/**
 * Everything that can be wrong with what a client asks: code, HTTP status, a title that is the same each time, and a
 * sentence that says what, where, expected and got, with a hint that says what to do next. Refusals are data, never exceptions.
 * api/http/catalogue.ts adds what HTTP itself can refuse: together they are all problems of the API.
 *
 * To add a refusal: add a row here, and return `refuse(code, ...)` where it is decided.
 */
export const refusals = {
  ...nodeRefusals,
  'bad-id': {
    status: 400,
    title: 'Not a network id',
    sentence: (got: string) =>
      `${quote(got)} is not a network id: expected 1 to 317 characters of A-Z a-z 0-9 . _ : -, and not . or .. alone`,
  },
  'bad-dpid': {
    status: 400,
    title: 'Not a datapath id',
    sentence: (got: string) =>
      `${quote(got)} is not a datapath id: expected 16 hex digits, with or without "of:" before`,
  },
  'bad-port': {
    status: 400,
    title: 'Not a port number',
    sentence: (got: string) => `${quote(got)} is not a port number: expected 1 to 4294967040 (0xffffff00), in decimal`,
    hint: 'ovs-ofctl show BRIDGE lists the ports of a switch',
  },
  'bad-endpoint': {
    status: 400,
    title: 'Not an endpoint',
    sentence: (got: string) => `${quote(got)} is not an endpoint: expected of:<16 hex digits>/<port>`,
  },
  'bad-mac': {
    status: 400,
    title: 'Not a MAC address of one interface',
    sentence: (got: string) =>
      `${quote(got)} is not the MAC address of an interface: expected six hex bytes such as 02:42:ac:11:00:02, neither multicast nor all zeros`,
  },
  'bad-ip': {
    status: 400,
    title: 'Not an IP address',
    sentence: (got: string) =>
      `${quote(got)} is not an IP address: expected IPv4 or IPv6, with or without a prefix length, such as 10.0.0.7/24 or fd00::7`,
  },
  'bad-guard': {
    status: 400,
    title: 'Guard without the addresses that it guards',
    sentence: (port: string, guard: string, missing: string) =>
      `port ${port} has guard "${guard}", of its own or of its network, but gives no ${missing}`,
    hint: 'give mac, and for "strict" ips too; or a guard of its own: "mac" needs no ips, "learn" no mac',
  },
  'strict-trunk': {
    status: 400,
    title: 'A trunk can not be strict',
    sentence: (port: string) =>
      `port ${port} can't be a trunk with guard "strict": behind tags of its own a switch does not see all addresses`,
    hint: 'give it guard "mac" or "learn", or a vlan in place of the trunk',
  },
  'strict-ip': {
    status: 400,
    title: 'Not the address of an interface',
    sentence: (port: string, got: string) =>
      `port ${port} can't be held to ${quote(got)}: expected the IPv4 or IPv6 address of an interface, not that of nobody or of a group`,
  },
  'bad-allowed': {
    status: 400,
    title: 'Not an address to allow',
    sentence: (port: string, got: string) =>
      `${quote(got)} can't be allowed at port ${port}: expected an IPv4 or IPv6 address of an interface, or a prefix of such whose other bits are 0, such as 10.0.0.100, 10.1.0.0/16 or fd00::/64`,
  },
  'bad-vlan': {
    status: 400,
    title: 'Not a VLAN',
    sentence: (got: string) => `${quote(got)} is not a VLAN: expected 1 to 4094`,
  },
  'vlan-and-trunk': {
    status: 400,
    title: 'A VLAN and a trunk at once',
    sentence: (port: string, vlan: string) => `port ${port} asks for vlan ${vlan} and for a trunk`,
    hint: 'give vlan for the frames with that tag, or trunk for all frames as they are',
  },
  'bad-link': {
    status: 400,
    title: 'Not a link between two switches',
    sentence: (from: string, to: string) =>
      `a link from ${from} to ${to} does not join two switches: its ends need different datapath ids`,
  },
  'bad-vlink': {
    status: 400,
    title: 'Not a vlink',
    sentence: (vlink: string, why: string) => `vlink ${quote(vlink)} can't be: ${why}`,
  },
  'unknown-network': {
    status: 404,
    title: 'No such network',
    sentence: (network: string) => `there is no network ${quote(network)}`,
    hint: 'create it first: PUT /v1/networks/{network}',
  },
  'no-store-file': {
    status: 409,
    title: 'The store is in memory',
    sentence: () => 'the store is in memory: there is no file to copy, and none to put back',
    hint: 'start the controller with --store sqlite:PATH',
  },
  'bad-backup': {
    status: 400,
    title: 'Not a backup of a store',
    sentence: (why: string) => `this is no backup that can be put back: ${why}`,
  },
  'backup-of-another-store': {
    status: 409,
    title: 'Backup of another store',
    sentence: (theirs: string, ours: string) =>
      `the backup is of store ${theirs}, and this is store ${ours}: switches know whose they are by that`,
    hint: 'stop the controller, and put the backup in place of its file: l2sm restore FILE --store sqlite:PATH',
  },
  'switch-in-use': {
    status: 409,
    title: 'Switch is in use',
    sentence: (dpid: string, users: string) => `switch ${dpid} can't be forgotten: on it is ${users}`,
    hint: 'take that away first: detach the ports, delete the vlinks, delete the node',
  },
  'port-attached-elsewhere': {
    status: 409,
    title: 'Port is in another network',
    sentence: (port: string, wanted: string, holder: string) =>
      `port ${port} can't be in network ${wanted}: it is in network ${holder}, and a port is in one network at most`,
    hint: 'detach it there first, or move it: POST /v1/networks/{network}/attachments/{dpid}/{port}/move',
  },
  'not-attached': {
    status: 404,
    title: 'Port is not in the network',
    sentence: (port: string, network: string, holder: string) =>
      `port ${port} can't be moved from network ${network}: it is in ${holder}`,
    hint: 'GET /v1/networks/{network}/attachments lists the ports of a network',
  },
  'port-twice': {
    status: 409,
    title: 'Port is in the network by another tag',
    sentence: (port: string, network: string, wanted: string, there: string) =>
      `port ${port} can't be in network ${network} ${wanted}: it is in it ${there}, and a port is in a network once`,
    hint: 'detach that first: DELETE, with ?vlan=TAG for one VLAN of a port',
  },
  'trunk-alone': {
    status: 409,
    title: 'A trunk shares its port with nothing',
    sentence: (port: string, trunk: string, other: string) =>
      `port ${port} can't be a trunk of network ${trunk} and be in network ${other}: a trunk takes all frames of a port`,
    hint: 'detach one of them first',
  },
  'trunk-beside-tags': {
    status: 409,
    title: 'Tags of a trunk would be taken for those of other networks',
    sentence: (network: string, trunk: string, port: string) =>
      `network ${network} can't have a trunk at port ${trunk} and be untagged on port ${port}, where others have tags: frames with tags from the one would be of those others at the other`,
    hint: 'give it a vlan there',
  },
  'mirror-tagged': {
    status: 409,
    title: 'A mirror shares its port with no tags',
    sentence: (port: string, network: string, vlan: string) =>
      `port ${port} can't be the mirror of network ${network} and carry VLAN ${vlan}: copies are of frames with any tag`,
    hint: 'give the mirror another port',
  },
  'mirror-port-elsewhere': {
    status: 409,
    title: 'Port is the mirror of another network',
    sentence: (port: string, wanted: string, holder: string) =>
      `port ${port} can't be in network ${wanted}: it is the mirror of network ${holder}`,
    hint: 'give that network another mirror first',
  },
  'vlink-port-taken': {
    status: 409,
    title: 'Port is an end of a vlink, which shares it with nothing',
    sentence: (port: string, user: string, vlink: string) =>
      `port ${port} can't be ${user} and an end of vlink ${vlink} at once`,
    hint: 'remove the one before you ask for the other',
  },
  'network-is-vlink': {
    status: 409,
    title: 'Network is a vlink',
    sentence: (network: string) => `network ${network} is a vlink: it has two ends and no other ports`,
    hint: 'delete it first, or give the other network another id',
  },
  'network-is-no-vlink': {
    status: 409,
    title: 'Network is there and is no vlink',
    sentence: (network: string) => `network ${network} is there already and is no vlink`,
    hint: 'delete it first, or give the vlink another id',
  },
  'vlink-differs': {
    status: 409,
    title: 'Vlink is there and joins other ports, or takes another path',
    sentence: (vlink: string, is: string) => `vlink ${vlink} is there already, ${is}`,
    hint: 'delete it first, or change it: PUT /v1/networks/{network}',
  },
  'vlink-hop-missing': {
    status: 409,
    title: 'The path of a vlink does not exist',
    sentence: (vlink: string, from: string, to: string) =>
      `vlink ${vlink} can't go from switch ${from} to switch ${to}: both are connected, and no link between them is known`,
    hint: 'GET /v1/links lists the links that are known; PUT /v1/links/{dpid}/{port}/{dpid}/{port} declares one',
  },
  'mac-taken': {
    status: 409,
    title: 'MAC address is pinned to another port',
    sentence: (mac: string, network: string, port: string, holder: string) =>
      `MAC ${mac} can't be pinned to port ${port}: in network ${network} it is pinned to port ${holder}`,
    hint: 'detach that port first, or give another mac',
  },
  'link-port-attached': {
    status: 409,
    title: 'Port is an end of a link and can not be in a network',
    sentence: (port: string, user: string, link: string) =>
      `port ${port} can't be ${user} and an end of the declared link ${link} at once`,
    hint: 'remove the one before you ask for the other',
  },
  'link-conflict': {
    status: 409,
    title: 'Port is an end of another link',
    sentence: (port: string, link: string) =>
      `port ${port} is an end of the declared link ${link} already, and a port leads to one place only`,
    hint: 'remove that link first',
  },
  'number-space-exhausted': {
    status: 507,
    title: 'No network number left',
    sentence: (network: string) =>
      `network ${network} gets no number: all ${maxNetworkNumber} were handed out once, and none is used twice`,
    hint: 'move to a new store and declare the state there',
  },
} as const

export type RefusalCode = keyof typeof refusals

/** What a decision returns instead of deciding. The store writes nothing of a write that returns one. */
export type Refusal = { readonly refused: RefusalCode; readonly detail: string }

export const refuse = <Code extends RefusalCode>(
  code: Code,
  ...about: Parameters<(typeof refusals)[Code]['sentence']>
): Refusal => ({
  refused: code,
  detail: (refusals[code].sentence as (...about: string[]) => string)(...about),
})

export const isRefusal = (result: unknown): result is Refusal =>
  typeof result === 'object' && result !== null && 'refused' in result && 'detail' in result
