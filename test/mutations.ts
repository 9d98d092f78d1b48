// Named ways to break the product, each with the tests that should notice. `npm run mutate` applies them, one at a time, in a
// copy; test/mutations.test.ts sees to it that each still applies. To add one: a row here.
import { join } from 'node:path'

export type Mutation = {
  readonly name: string
  readonly file: string
  readonly from: string
  readonly to: string
  /** Tests to run, the likeliest to notice first. */
  readonly tests: readonly string[]
  /** It breaks isolation in what is compiled: these tests of the proof have to notice it, too, by themselves. */
  readonly proof?: readonly string[]
}

const core = ['test/controller', 'test/topology']
const routes = ['test/controller/compile/rollout.test.ts', 'test/topology/route.test.ts']
const tls = ['test/openflow/session/tls.test.ts']
const agent = ['test/agent/switch/diff.test.ts', 'test/agent/node/stock.test.ts', 'test/agent/node/pairs.test.ts']
const planned = ['test/controller/links/planned-links.test.ts']
const strict = ['test/controller/compile/strict.test.ts']
const laws = ['test/controller/laws.test.ts']
const proof = ['test/controller/proof/prover.test.ts']
export const mutations: readonly Mutation[] = [
  {
    name: 'a port let into its new network before it has left the old one',
    file: 'controller/departures.ts',
    from: "if (!withheld.has(place)) withheld.set(place, 'leaving')",
    to: 'void place',
    tests: ['test/controller/departures.test.ts'],
  },
  {
    name: 'a port that is cut off let in by a new start',
    file: 'controller/loops/loops.ts',
    from: 'if (id === undefined || held.has(place) || !memberAt(network, { dpid, port })) continue',
    to: 'if (id === undefined || held.size >= 0) continue',
    tests: ['test/controller/loops/loops.test.ts'],
  },
  {
    name: 'a probe that comes in by another network taken for a loop',
    file: 'controller/loops/loops.ts',
    from: 'const at = memberAt(read.probe.network, { dpid, port })',
    to: 'const at = attachmentsAt(state(), endpointKey({ dpid, port }))[0]',
    tests: ['test/controller/loops/loops.test.ts'],
  },
  {
    name: 'unknown unicast past the broadcast limit',
    file: 'controller/compile/compile.ts',
    from: '    if (!isClosed(reads)) floodUnknown(items, local, attachment)\n',
    to: '',
    tests: ['test/controller/laws/limits.test.ts'],
  },
  {
    name: 'broadcasts with a priority tag past the limit',
    file: 'controller/compile/rules.ts',
    from: 'if (!broadcast) continue',
    to: "if (!broadcast || kind === 'priority' || kind === 'tagged') continue",
    tests: ['test/controller/laws/limits.test.ts'],
  },
  {
    name: 'a tag behind a tag let through',
    file: 'controller/compile/default-flows.ts',
    from: "    entry(0, 'guard', 'tag', { ...owned, match: { vlan_vid: { value: vid.present, mask: vid.present } } }),\n",
    to: '',
    tests: laws,
    proof,
  },
  {
    name: 'the tag of a plain link left on',
    file: 'controller/compile/rules.ts',
    from: "items.push(entry(number, 'admit', 'link', { ...admitted, match, apply: popVlan }))",
    to: "items.push(entry(number, 'admit', 'link', { ...admitted, match }))",
    tests: laws,
    proof,
  },
  {
    name: 'half a network left on a switch that refused the rest',
    file: 'controller/switch/commit.ts',
    from: 'if (undone.length > 0) await',
    to: 'if (false) await',
    tests: ['test/controller/switch/commit.test.ts'],
  },
  {
    name: 'VLANs given to another network before all switches have forgotten them',
    file: 'store/collections/vlans.ts',
    from: "step({ kind: 'vlans', key: String(number), before, after: without(before, dpid) })",
    to: "step({ kind: 'vlans', key: String(number), before, after: undefined })",
    tests: ['test/store/plain-links.test.ts'],
  },
  {
    name: 'a trunk whose tags come out as those of other networks',
    file: 'store/attachments.ts',
    from: '  return trunkConflict(state, planned, others)',
    to: '  return undefined',
    tests: ['test/store/vlans.test.ts'],
  },
  {
    name: 'a switch without metadata taken for able',
    file: 'controller/switch/unsupported.ts',
    from: '(bits & metadataBits) === metadataBits',
    to: 'true',
    tests: ['test/controller/switch/unsupported.test.ts'],
  },
  {
    name: 'a port of another name taken for the one that was asked for',
    file: 'controller/compile/local-network.ts',
    from: '(portName === undefined || names === undefined || names.get(port) === portName)',
    to: 'true',
    tests: ['test/controller/port-names.test.ts'],
  },
  {
    name: 'networks compiled on a mesh that is too large',
    file: 'controller/compile-queue.ts',
    from: 'isParked = held()',
    to: 'isParked = false',
    tests: ['test/controller/programmed.test.ts'],
  },
  {
    name: 'a link of the mesh at whatever port has its number',
    file: 'controller/links/planned-links.ts',
    from: 'return own?.has(peer.name) ? own.get(peer.name) : portTo(node, peer)',
    to: 'return portTo(node, peer)',
    tests: planned,
  },
  {
    name: 'BFD believed that only one end runs',
    file: 'controller/links/tunnel-status.ts',
    from: '      if (ends.includes(undefined)) return undefined\n',
    to: '',
    tests: planned,
  },
  {
    name: 'a node with the number of one that has just left',
    file: 'store/nodes.ts',
    from: 'const number = 1 + ((allocated + i) % maxNodeNumber)',
    to: 'const number = 1 + i',
    tests: ['test/store/nodes.test.ts'],
  },
  {
    name: 'a link that was taken out of the mesh found again',
    file: 'store/collections/links.ts',
    from: 'if (isUnplanned(draft, link)) step(',
    to: 'if (false) step(',
    tests: ['test/store/nodes.test.ts'],
  },
  {
    name: 'a port that somebody put on our bridge taken away',
    file: 'agent/switch/diff.ts',
    from: 'if (port.external_ids[mark] !== owner || port.name === bridge.name) continue',
    to: 'if (port.name === bridge.name) continue',
    tests: agent,
  },
  {
    name: 'controllers replaced by none',
    file: 'agent/switch/diff.ts',
    from: '  if (bridge.controllers.length === 0) return\n',
    to: '',
    tests: agent,
  },
  {
    name: 'the port of a device that is gone kept for the next one',
    file: 'agent/switch/diff.ts',
    from: "else if (actual.external_ids[deviceNote] !== want.notes[deviceNote]) remove(port, 'its device is another one now')",
    to: '',
    tests: agent,
  },
  {
    name: 'an interface that a pod has taken away',
    file: 'agent/node/stock.ts',
    from: "if (peer === 'elsewhere') live.add(number)",
    to: "if (peer === 'elsewhere' && !own.has(name)) live.add(number)",
    tests: agent,
  },
  {
    name: 'the MTU of an interface changed under its pod',
    file: 'agent/node/pairs.ts',
    from: 'isLive ? [] : [pair.bridgeEnd, pair.podEnd]',
    to: '[pair.bridgeEnd, pair.podEnd]',
    tests: agent,
  },
  {
    name: 'a device of somebody else taken for an interface',
    file: 'agent/node/pairs.ts',
    from: 'devices.has(bridgeEnd) && !own.has(bridgeEnd)',
    to: 'devices.has(bridgeEnd) && own.size > 99',
    tests: agent,
  },
  {
    name: 'what a device that is down has lost taken for what its owner took away',
    file: 'agent/node/record.ts',
    from: 'if (here && !at.up) return',
    to: 'if (here && !at.index) return',
    tests: ['test/agent/node/record.test.ts'],
  },
  {
    name: 'checksums of pods left to a hardware that is not there',
    file: 'agent/machine/machine.ts',
    from: 'if (fill && finish.length > 0)',
    to: 'if (!fill && finish.length > 0)',
    tests: ['test/ovs/agent-mesh.test.ts'],
  },
  {
    name: 'the remote bit dropped',
    file: 'controller/compile/local-network.ts',
    from: 'remote: local | metadata.remote,',
    to: 'remote: local,',
    tests: core,
  },
  {
    name: 'two VNIs swapped',
    file: 'controller/compile/rules.ts',
    from: 'match: { in_port: port, tunnel_id: vni } }))',
    to: 'match: { in_port: port, tunnel_id: vni === 1n ? 2n : vni === 2n ? 1n : vni } }))',
    tests: core,
    proof,
  },
  {
    name: 'the sender in its own flood group',
    file: 'controller/compile/rules.ts',
    from: "put('flood', direct ? local : either, [...here, ...there])",
    to: "put('flood', direct ? local : either, [...here, ...there, bucket([output(ports.inPort)])])",
    tests: core,
    proof,
  },
  {
    name: 'trees that make a circle together are mixed',
    file: 'topology/route.ts',
    from: 'samePorts(a.floodTree, b.floodTree) && isForest([a.floodTree, b.floodTree])',
    to: 'samePorts(a.floodTree, b.floodTree) && isForest([a.floodTree])',
    tests: routes,
  },
  {
    name: 'a restart believes that switches hold the ways that it wants',
    file: 'controller/compile/rollout.ts',
    from: 'way === wanted.id ? { epoch, route: wanted } : frozen(epoch)',
    to: "way === '' ? frozen(epoch) : { epoch, route: wanted }",
    tests: routes,
  },
  {
    name: 'a pinned port may send from any address',
    file: 'controller/compile/rules.ts',
    from: "if (guard === 'mac') {",
    to: 'if (guard === undefined) {',
    tests: core,
    proof,
  },
  {
    name: 'a strict port may claim any address in ARP',
    file: 'controller/compile/strict.ts',
    from: "arp_sha: mac, ...within('arp_spa', prefix) }",
    to: 'arp_sha: mac }',
    tests: strict,
    proof: ['test/controller/proof/sender.test.ts'],
  },
  {
    name: 'gratuitous ARP is answered, and nobody hears it',
    file: 'controller/compile/answer.ts',
    from: "    flooded(items, localNetwork, 'itself', { ...request, eth_src: mac, arp_tpa: ip })\n",
    to: '',
    tests: strict,
  },
  {
    name: 'a vlink below the drops',
    file: 'controller/compile/pipeline.ts',
    from: '      passing: [1100, ',
    to: '      passing: [850, ',
    tests: ['test/controller/compile/vlink.test.ts'],
  },
  {
    name: 'a vlink without epochs',
    file: 'controller/compile/vlink.ts',
    from: 'const vni = vniOf(number, epoch)',
    to: 'const vni = vniOf(number, 0)',
    tests: ['test/controller/compile/vlink.test.ts'],
  },
  {
    name: 'both ways of a vlink by one number',
    file: 'controller/compile/vlink.ts',
    from: '[reverseNumber, to, from],',
    to: '[network.number, to, from],',
    tests: ['test/controller/vlink-progress.test.ts', 'test/controller/compile/vlink.test.ts'],
  },
  {
    name: 'a vlink that is not drained',
    file: 'controller/compile/rollout.ts',
    from: 'floodTree.size + nextHops.size === 0',
    to: 'floodTree.size === 0',
    tests: ['test/controller/compile/vlink.test.ts'],
  },
  {
    name: 'a vlink on a port that is attached',
    file: 'store/port-use.ts',
    from: "if (wanted.is === 'vlink') return refuse(",
    to: "if (wanted.is === 'vlink') return existing.is === 'member' ? undefined : refuse(",
    tests: ['test/store/vlinks.test.ts'],
  },
  {
    name: 'a delete left out',
    file: 'controller/compile/diff.ts',
    from: 'if (has && !desired.has(key)) remove.push(has)',
    to: 'if (has && !desired.has(key) && remove.length > 0) remove.push(has)',
    tests: core,
  },
  {
    name: 'ports arrive before others have left',
    file: 'controller/compile/diff.ts',
    from: "      if (kept.leaves) leave.push(step(kept.group, 'modify'))\n",
    to: '',
    tests: core,
  },
  {
    name: 'any LLDP is believed',
    file: 'topology/lldp.ts',
    from: 'if (!timingSafeEqual(sign(secret, signed), bytes.subarray(signedBytes))) return undefined',
    to: 'if (!timingSafeEqual(sign(secret, signed), sign(secret, signed))) return undefined',
    tests: core,
  },
  {
    name: "another store's flows taken for ours",
    file: 'controller/switch/reading.ts',
    from: 'const mine = instance === r.instance',
    to: 'const mine = instance !== undefined',
    tests: core,
  },
  {
    name: 'programmed said before the switch has it',
    file: 'controller/switch/reconcile.ts',
    from: 'const refused = await send(r, sw, session, changes, why)',
    to: 'for (const [n, serial] of serials) confirm(sw, n, serial)\n  r.progress(sw, dirty.keys())\n  const refused = await send(r, sw, session, changes, why)',
    tests: core,
  },
  {
    name: 'what a switch has learned is forgotten by a restart',
    file: 'controller/switch/content.ts',
    from: "if (whose.is === 'learned') learned.push(...learnedHere(dpid, whose.network, item))",
    to: "if (whose.is === 'learned' && dpid === '') learned.push(...learnedHere(dpid, whose.network, item))",
    tests: core,
  },
  {
    name: 'TLS: any certificate will do',
    file: 'openflow/session/tls.ts',
    from: 'if (!peer.authorized)',
    to: 'if (false)',
    tests: tls,
  },
  {
    name: 'TLS: a certificate stands for every datapath',
    file: 'openflow/session/handshake.ts',
    from: "if (scope !== 'any' && !scope.has(dpid))",
    to: 'if (false)',
    tests: tls,
  },
  ...[
    ['reports go to everybody', 'compile/snoop.ts', "snooped, wanted, 'reports')", "snooped, wanted, 'everything')"],
    [
      'groups that nobody joined are flooded',
      'compile/snoop.ts',
      "deliver('unjoined', match, everything)",
      "deliver('unjoined', match, flood)",
    ],
    [
      'groups of the link are for those who joined',
      'compile/snoop.ts',
      'for (const match of ofLink) deliver(',
      'for (const match of [] as typeof ofLink[number][]) deliver(',
    ],
    [
      'who is behind a link does not matter',
      '../topology/pruned.ts',
      'filter(({ to }) => leads(to))',
      'filter(({ to }) => leads(to) || true)',
    ],
    ['links up a tree are left out', '../topology/pruned.ts', 'all - at0', '0'],
    [
      'a restart takes all unread switches for members',
      'compile/snoop.ts',
      'if (!kept || led?.has(hop.port))',
      'if (led !== kept || !led || led)',
    ],
    [
      'a restart takes no unread switch for a member',
      'compile/snoop.ts',
      'if (!kept || led?.has(hop.port))',
      'if (!kept && led?.has(hop.port))',
    ],
    [
      'silence once is enough',
      'multicast/querier.ts',
      '.count - asked >= robustness && now >=',
      '.count - asked >= 1 || now <',
    ],
    ['silence is never enough', 'multicast/querier.ts', '.count - asked >= robustness', '.count - asked >= 1e9'],
    [
      'who leaves is not asked',
      'multicast/querier.ts',
      'leaving?.left === 0 && leaving.at <= now',
      'leaving !== undefined',
    ],
    [
      'switches that are away forget',
      'multicast/membership.ts',
      'networks.get(number) !== network ||\n          !ready(number, dpid)',
      'networks.get(number) !== network',
    ],
    ['groups without end', 'multicast/membership.ts', 'port.groups.size < groupsPerPort &&', ''],
  ].map(([name, file, from, to]) => ({
    name: `multicast: ${name}`,
    file: join('controller', file!),
    from: from!,
    to: to!,
    tests: [
      'test/topology/pruned.test.ts',
      'test/controller/multicast/membership.test.ts',
      'test/controller/compile/snoop.test.ts',
    ],
  })),
  ...[
    [
      'what is not counted is silent',
      'const patience = contest.isCounted ? silence : uncounted',
      'const patience = silence',
    ],
    [
      'a decision waits for another claim',
      'if (isSilent(contest, now, patience)) return move',
      'if (isSilent(contest, now, patience) && now === claimedAt) return move',
    ],
    ['who took an address is the one before', '        olders.delete(keyOf(claim))\n', '        move(claim, now)\n'],
    ['nobody is suppressed', 'export const mostDenials = 3', 'export const mostDenials = 1e9'],
    ['a port that goes holds its address', "    if (presence === 'gone') return move(contest, now)\n    if", '    if'],
    ['to and fro for ever', 'contestTimes.unreachable * 2 ** lately', 'contestTimes.unreachable'],
  ].map(([name, from, to]) => ({
    name: `addresses: ${name}`,
    file: 'controller/learning/contests.ts',
    from: from!,
    to: to!,
    tests: ['test/controller/learning/contests.test.ts'],
  })),
  {
    name: 'a refused network is repaired by each audit',
    file: 'controller/switch/reconcile.ts',
    from: " || (why === 'audit' && sw.retrying !== false)",
    to: '',
    tests: ['test/controller/switch/reconcile.test.ts'],
  },
  {
    name: 'a name that two ports have means the last one',
    file: 'store/port-names.ts',
    from: 'for (const name of shared) names.delete(name)',
    to: '',
    tests: ['test/controller/port-names.test.ts'],
  },
  {
    name: 'a priority tag is matched beside tags',
    file: 'controller/compile/pipeline.ts',
    from: "        90,\n        'A priority tag",
    to: "        100,\n        'A priority tag",
    tests: ['test/controller/laws/tables.test.ts'],
  },
  {
    name: 'metadata masks of 64 bits',
    file: 'controller/compile/item.ts',
    from: 'metadata: it.metadata, metadataMask: metadataBits',
    to: 'metadata: it.metadata, metadataMask: 0xffff_ffff_ffff_ffffn',
    tests: ['test/controller/laws/tables.test.ts'],
  },
  {
    name: 'TLS: names that cannot be read are none',
    file: 'openflow/session/tls.ts',
    from: 'else if (ours) return { wrong:',
    to: "else if (ours && text === '') return { wrong:",
    tests: tls,
  },
  {
    name: 'TLS: sessions are resumed',
    file: 'openflow/session/tls.ts',
    from: 'constants.SSL_OP_NO_TICKET | ',
    to: '',
    tests: tls,
  },
  {
    name: 'TLS: handshakes may take for ever',
    file: 'openflow/session/server.ts',
    from: '    handshakes.tick()\n',
    to: '',
    tests: tls,
  },
]

/** The text of a file with this mutation in it. Throws where the mutation does not apply exactly once. */
export function mutated({ name, file, from, to }: Mutation, text: string): string {
  const found = text.split(from).length - 1
  if (found !== 1) throw new Error(`mutation "${name}": ${file} has ${found} times, not once: ${from}`)
  return text.replace(from, () => to)
}
