/** What each folder holds, in one line. To add a folder: a row here, and one in test/architecture.test.ts. */
export const folders: Readonly<Record<string, string>> = {
  'openflow/wire':
    'bytes: how structures, TLVs and framing are declared, read and written; the constants of the specification',
  'openflow/messages': 'OpenFlow 1.3 messages, matches, actions and extensions, each declared once',
  'openflow/text': 'the same as text, in the words of ovs-ofctl: parsed and printed',
  openflow: 'what users of the library import',
  'openflow/session':
    'connections to switches: TCP and TLS, handshake, requests and answers, bundles, liveness, backpressure',
  topology: 'datapaths, ports, links, the mesh; paths, flood trees and routes; LLDP probes and what follows from them',
  store:
    'desired state with a revision: each kind of thing declared once (`collections/`); what clients may ask, as pure decisions; the store in memory',
  'store/sqlite': 'the store in a file, written by a thread of its own',
  'controller/clock': 'the monotonic clock that the controller waits by',
  'controller/view':
    'what the API may see of the controller, as types; events, their sentences, and what is counted of them',
  'controller/history': 'one record of what happened: limits, the ring in memory, the file behind it',
  'controller/compile':
    'networks to flow tables: the pipeline, cookies, items, rules, vlinks, multicast, path versions; difference and order of changes',
  'controller/proof':
    'the data plane as data: what switches hold and how they are joined; where a frame goes in it, entry by entry; the proof that no frame at all leaves its network',
  'controller/switch': 'one switch: what it holds, reconcile, commit, audit, conflicts with others, what it can not do',
  'controller/links':
    'links found, probed and declared: discovery, reachability, link state, tunnels, MTU, VLANs of plain links',
  'controller/learning': 'addresses that are learned from frames',
  'controller/multicast': 'IGMP and MLD: who wants what, and who is asked when',
  'controller/loops': 'ports that lead frames of a network back into it: suspected, probed, cut off, let in again',
  'controller/limits': 'what limits of ports have dropped, and which of them switches cannot hold',
  controller: 'what joins these: the queue of compiles, the rollout loop, status, answers to the API',
  'api/contract': 'schemas and types of /v1, and the client of it',
  'api/http': 'errors, bodies and validation, for all routes',
  'api/v1': 'the routes of /v1',
  'api/onos': "the routes of today's L2S-M controller",
  api: 'the HTTP server: authentication, metrics, OpenAPI',
  'agent/ovsdb': "a client of Open vSwitch's database",
  'agent/switch': 'what the database should hold for a plan, and the transaction that makes it so',
  'agent/node': "what the node's devices, addresses and interfaces should be",
  'agent/machine': 'reads and changes the node: `ip`, files, TCP',
  agent: 'the loop of a node: plan, snapshot, difference, report',
  'operator/kube': 'the Kubernetes API by its paths; mirrors of collections, events, the Lease',
  'operator/address': 'addresses and pools of them',
  'operator/asked': 'what a pod asks for',
  'operator/names': 'names of pods in their networks, for a DNS server',
  'operator/claim': 'who has which interface and address; gives a pod what it asks for',
  'operator/certificates': 'certificates of an installation, and who is given which',
  'operator/world': 'all that is seen of the cluster',
  'operator/webhook': 'what is answered to the API server',
  'operator/reconcile': 'what the leader makes so',
  operator: 'the operator, wired together',
  'lab/k8s':
    'a real Kubernetes cluster, built from the Go module proxy: a control plane, and nodes with kubelets and containers',
  images: 'what container images hold, and their making, without a container engine',
  pki: 'certificates and requests for them, made by the openssl command',
  lab: 'real meshes of Open vSwitch in network namespaces, and frames in and out of them',
  'cli/command-line': 'options and help of commands',
  'cli/demo': 'the demo',
  cli: 'the `l2sm` command: where parts are wired together',
}

/** Folders that may import any other, and that none of those above imports. */
export const around: Readonly<Record<string, string>> = {
  bench: 'measured claims',
  docs: 'these pages; those that follow from the code are written by `npm run docs`',
  test: 'mirrors the folders; `reference/` is a switch of its own to ask, `golden/` compiled tables as text, `ovs/` and `e2e/` real switches, `chaos/` random events',
}
