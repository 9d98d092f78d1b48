import { maxNodeLinks, maxNodeNumber } from './limits.ts'
import { quote } from './quote.ts'

/** What can be wrong with nodes and with the mesh between them; rows of the catalogue in refusals.ts. */
export const nodeRefusals = {
  'bad-node-name': {
    status: 400,
    title: 'Not the name of a node',
    sentence: (got: string) =>
      `${quote(got)} is not the name of a node: expected 1 to 253 characters of A-Z a-z 0-9 . _ -, and not . or .. alone`,
  },
  'bad-address': {
    status: 400,
    title: 'Not the address of a node',
    sentence: (got: string, node: string) =>
      `${quote(got)} is not an address that node ${quote(node)} can have: expected IPv4 or IPv6 without a prefix length, neither multicast nor unspecified`,
  },
  'bad-mesh': {
    status: 400,
    title: 'Not a mesh',
    sentence: () => 'a mesh is either full, or has a list of links',
    hint: 'give "full": true, or "links": [{"endpointA", "endpointB"}, ...], which may be empty',
  },
  'mesh-too-large': {
    status: 409,
    title: 'Too many nodes for a mesh of this kind',
    sentence: (nodes: string, kind: string, most: string) =>
      `a ${kind} of ${nodes} nodes is too large: ${most} at most`,
    hint: 'give a list of links: where nodes are not linked, networks go over as many hops as it takes',
  },
  'too-many-node-links': {
    status: 409,
    title: 'Too many links between nodes',
    sentence: (links: string) => `a mesh with ${links} links is too large: ${maxNodeLinks} at most`,
    hint: 'leave out links: networks go over as many hops as it takes',
  },
  'node-twice': {
    status: 400,
    title: 'A node is declared twice',
    sentence: (node: string) => `node ${quote(node)} is declared twice`,
    hint: 'say once what it is',
  },
  'node-link-twice': {
    status: 400,
    title: 'A link is declared twice',
    sentence: (one: string, other: string) =>
      `the link between node ${quote(one)} and ${quote(other)} is declared twice, perhaps the other way round`,
    hint: 'say it once',
  },
  'node-link-to-itself': {
    status: 400,
    title: 'Not a link between two nodes',
    sentence: (node: string) => `a link from node ${quote(node)} to itself joins nothing`,
    hint: 'leave it out',
  },
  'unknown-node': {
    status: 404,
    title: 'No such node',
    sentence: (node: string) => `there is no node ${quote(node)}`,
    hint: 'declare it first: PUT /v1/nodes/{node}, or PUT /v1/mesh',
  },
  'mesh-is-full': {
    status: 409,
    title: 'The mesh is full',
    sentence: (node: string) => `node ${quote(node)} is linked to every other one, for the mesh is full`,
    hint: 'leave links out, or give the whole mesh a list of links: PUT /v1/mesh',
  },
  'address-taken': {
    status: 409,
    title: 'Address is of another node',
    sentence: (address: string, node: string, holder: string) =>
      `node ${node} can't have address ${address}: it is node ${holder}'s`,
  },
  'address-families': {
    status: 409,
    title: 'A link between IPv4 and IPv6',
    sentence: (one: string, address: string, other: string, otherAddress: string) =>
      `nodes ${one} (${address}) and ${other} (${otherAddress}) can't be linked: their addresses must be both IPv4 or both IPv6`,
  },
  'node-names-meet': {
    status: 409,
    title: 'The names of two nodes come to one datapath id',
    sentence: (node: string, other: string, dpid: string) =>
      `nodes ${node} and ${other} both come to datapath id ${dpid}, which is made of their names`,
    hint: 'give one of them another name',
  },
  'interfaces-meet-links': {
    status: 409,
    title: 'Its links are where its interfaces would be',
    sentence: (node: string, wanted: string, most: string) =>
      `node ${node} can't have its first ${wanted} interfaces at ports 1 to ${wanted}: its links begin after port ${most}`,
    hint: 'give a smaller interfaceNumber: more interfaces come by themselves (spare, most); or delete the node and declare it anew',
  },
  'too-many-nodes': {
    status: 409,
    title: 'Too many nodes',
    sentence: (node: string) =>
      `node ${node} gets no number: ${maxNodeNumber} nodes are declared, and a mesh has no more`,
  },
} as const
