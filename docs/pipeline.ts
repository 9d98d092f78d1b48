import { defaultBroadcastLimit } from '../controller/compile/limits.ts'
import { packetInsPerSecond } from '../controller/compile/metered.ts'
import { pipeline } from '../controller/compile/pipeline.ts'
import { drainMs } from '../controller/compile/rollout.ts'
import { learnedIdleTimeout, suppressSeconds } from '../controller/compile/rules.ts'
import { groupsPerNetwork, groupsPerPort } from '../controller/multicast/membership.ts'
import { maxFanOut } from '../topology/route.ts'

/** docs/pipeline.md, from the pipeline's declaration. */
export const pipelineDocument = (): string => `# The OpenFlow pipeline

<!-- Written by \`npm run docs\` from controller/compile/pipeline.ts: change that, not this. -->

A frame meets these tables in order. What no entry matches is dropped.

${Object.values(pipeline).map(table).join('\n')}
## What goes along with a frame

- **Metadata**: bits 0-31 the network's number, bit 32 *remote* (it came over a link), bit 33 the epoch.
- **VNI** on VXLAN links: the network's number; bit 23 is the epoch; 0xfffffe is for our LLDP probes.
- **A vlink** has two numbers, one for each way, so that the two may cross anywhere; its cookies bear the first.
- **Cookie**: \`0x6c32\` | kind (8 bits) | network number (32 bits). \`ovs-ofctl dump-flows BRIDGE cookie=0x6c32000000000000/0xffff000000000000\`
  shows what is ours. Kinds: 0 marker (its lower 40 bits are the store's instance), 1 the switch's own, 2 network, 3 learned, 4 suppressed,
  5 multicast, 6 a port that is cut off.
- **Groups** (ids 0x4c000000 to 0x4dffffff; bit 1 is the epoch). In a full mesh two a network and switch: one for what began here (local
  ports and links), one for what came over a link (local ports only: split horizon). On a tree one for both (local ports and
  branches). OpenFlow never sends a frame back to the port that it came from.

## Ways

Where every two switches with members have a link, frames take it: one hop. Otherwise frames to all follow one tree (the cheapest
shortest-path tree with a member as its root, without what leads to no member), and those to one address the shortest
path, by the links' costs. When a way changes so that old and new can't be mixed, the new one is built under the network's other
epoch beside the old one; when every switch has confirmed it, access entries go over, switch by switch; ${drainMs} ms after the last
of them has confirmed that, the old one goes. So no frame is lost, doubled, or runs in a circle.
- **Meters**: 0x10000 limits the copies of our probes for loops; 0x10000 + port limits the copies of a learning port; 0x20000 + port the bandwidth of a vlink that ends there;
  0x30000000, 0x40000000 and 0x50000000 + VLAN * 0x10000 + port (VLAN 0: untagged) its broadcasts, what it sends, and what it gets.

## Limits

- A flood group copies to at most ${maxFanOut} other switches; beyond that a full mesh, too, has a tree.
- A learning port shows us at most ${packetInsPerSecond} frames a second; the frames themselves are not limited.
- Of a network that snoops multicast, a port that joined more than ${groupsPerPort} groups, or whose group would be the network's ${groupsPerNetwork + 1}th, gets all of its multicast.
- A port sends at most ${defaultBroadcastLimit} broadcast, multicast and unknown unicast frames a second, unless something else is asked for. What it
  may send and get in all is limited when asked for: what is flooded to it is not in the latter, for buckets of groups have no meters.
- A learned address is forgotten ${learnedIdleTimeout} s after its last frame; a port with too many addresses is not listened to for ${suppressSeconds} s.
`

type Table = (typeof pipeline)[keyof typeof pipeline]
const fields = (names: readonly string[]): string => names.map(field => `\`${field}\``).join(', ')
const matches = ({ match, snooping, limiting, strict }: Table): string => {
  const kinds = [
    match.length > 0 ? `on ${fields(match)}` : '',
    snooping.length > 0 ? `for networks that snoop multicast on ${fields(snooping)}` : '',
    limiting.length > 0 ? `for limits on ${fields(limiting)}` : '',
    strict.length > 0 ? `for strict ports and networks on ${fields(strict)}` : '',
  ]
  return `Matches ${kinds.filter(kind => kind !== '').join('; ')}`
}
const table = (it: Table): string => {
  const { id, name, question, next, entries } = it
  return `## Table ${id} \`${name}\`: ${question}

${matches(it)}; goes to ${next.map(n => `\`${n}\``).join(', ') || 'no other table'}.

| priority | entry | what it does |
| --- | --- | --- |
${Object.entries(entries)
  .map(([kind, [priority, sentence]]) => `| ${priority} | ${kind} | ${sentence} |`)
  .join('\n')}
`
}
