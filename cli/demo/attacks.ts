/** What a pod may try to get a frame where it does not belong. */

import { setTimeout as sleep } from 'node:timers/promises'
import type * as schemas from '../../api/contract/schemas.ts'
import { broadcast, ethernet, ethertypes, probe, probePayload, type Tag } from '../../lab/frame.ts'
import type { Received } from '../../lab/frames.ts'
import { areTogether } from './matrix.ts'
import type { Member } from './member.ts'
import type { Fault, Outcome } from './report.ts'
import type { Stage } from './stage.ts'
import { fire, type Landed, together, type Volley } from './volley.ts'

/** `heard`: what arrived at nobody's port, from the first check on. */
export type Proof = Stage & { readonly heard: readonly Received[] }

/** To everybody, and to the MAC of each, whatever its network. */
const bothKinds = (volley: Omit<Volley, 'kind' | 'what'>, what: string): Volley[] => [
  { ...volley, kind: 'broadcast', what: `${what}broadcast` },
  { ...volley, kind: 'unicast', what: `${what}unicast` },
]

const count = (number: number): string => number.toLocaleString('en-US')

export async function plainFrames(proof: Proof): Promise<Outcome> {
  const rounds = 10
  const frame: Volley['frame'] = (from, to, counted) => probe({ dst: to?.mac ?? broadcast, src: from.mac }, counted)
  const [all, each] = bothKinds({ rounds, frame, wanted: areTogether }, '')
  const [broadcasts, unicasts] = await Promise.all([fire(proof, all!), fire(proof, each!)])
  return {
    faults: [...broadcasts.faults, ...unicasts.faults],
    proved:
      `${count(broadcasts.sent)} broadcasts: ${count(broadcasts.arrived)} copies, one at each other member of the network;\n` +
      `${count(unicasts.sent)} unicast frames to every MAC: ${count(unicasts.arrived)} to members, each arrived once;\n` +
      'nothing crossed, nothing came back to its sender',
  }
}

/** Red learns whoever speaks: what it hears stays in it. On blue, whose MACs are given, no other may speak. */
export async function spoofedSources(proof: Proof): Promise<Outcome> {
  const { members } = proof
  const victims = (from: Member) =>
    members.filter(m => m.name !== from.name && (m.network !== from.network || from.network === 'blue'))
  const rounds = Math.max(...members.map(from => victims(from).length))
  const borrowed: Volley['frame'] = (from, to, counted, round) => {
    const { mac } = victims(from)[round % victims(from).length]!
    return probe({ dst: to?.mac ?? broadcast, src: mac }, counted)
  }
  const wanted = (from: Member, at: Member) => from.network === 'red' && areTogether(from, at)
  // Bit 0 of the first octet: a group address, which no sender has (IEEE 802 §8.2.2).
  const grouped: Volley['frame'] = (from, to, counted) =>
    probe({ dst: to?.mac ?? broadcast, src: `03${from.mac.slice(2)}` }, counted)
  const spoofed = await fire(proof, ...bothKinds({ rounds, frame: borrowed, wanted }, 'with the MAC of another, '))
  const group = await fire(
    proof,
    ...bothKinds({ rounds: 2, frame: grouped, wanted: () => false }, 'from a group MAC, '),
  )
  return {
    faults: [...spoofed.faults, ...group.faults],
    proved:
      `${count(spoofed.sent)} frames with the MAC of another: of red's ${count(spoofed.arrived)} copies, only in red;\n` +
      `of blue's none, as its MACs are given; ${count(group.sent)} from a group MAC: none arrived`,
  }
}

/** One tag, two tags, and a priority tag with a tag inside; VIDs with the low bits of the networks' numbers among them. */
export async function taggedFrames(proof: Proof): Promise<Outcome> {
  const [red, blue] = [proof.numbers.red & 0xfff, proof.numbers.blue & 0xfff]
  const qinq = [{ vid: 100, tpid: 0x88a8 }, { vid: red }]
  const vids = [...new Set([red, blue, 100, 4094])]
  const stacks: readonly (readonly Tag[])[] = [
    ...vids.map(vid => [{ vid }]),
    qinq,
    [{ vid: red }, { vid: blue }],
    [{ vid: 0, priority: 5 }, { vid: blue }],
  ]
  const landed = await tagged(proof, stacks, () => false)
  return {
    faults: landed.faults,
    proved:
      `${count(landed.sent)} frames: 802.1Q (VID ${vids.join(', ')}), QinQ, two tags,\n` +
      'a priority tag with a tag inside: none arrived',
  }
}

/** A tag of VID 0 says a priority and no VLAN (IEEE 802.1Q §9.6). */
export async function priorityTags(proof: Proof): Promise<Outcome> {
  const landed = await tagged(proof, [[{ vid: 0, priority: 5 }], [{ vid: 0, tpid: 0x88a8 }]], areTogether)
  return {
    faults: landed.faults,
    proved: `${count(landed.sent)} frames: ${count(landed.arrived)} copies, as of untagged ones: once, in the network`,
  }
}

async function tagged(proof: Proof, stacks: readonly (readonly Tag[])[], wanted: Volley['wanted']): Promise<Landed> {
  const landed: Landed[] = []
  for (const tags of stacks) {
    const frame: Volley['frame'] = (from, to, counted) =>
      probe({ dst: to?.mac ?? broadcast, src: from.mac, tags }, counted)
    const spelled = tags.map(({ vid, tpid = 0x8100 }) => `${tpid.toString(16)}:${vid}`).join('+')
    landed.push(await fire(proof, ...bothKinds({ rounds: 2, frame, wanted }, `tagged ${spelled}, `)))
  }
  return together(landed)
}

/** Pods send LLDP, made up and copied from the controller's own: none arrives, and no link is believed. */
export async function lldpFromPods(proof: Proof): Promise<Outcome> {
  const { members, frames } = proof
  const before = await linkNames(proof)
  const frame: Volley['frame'] = (from, _, counted) =>
    ethernet({ dst: lldpMac, src: from.mac }, ethertypes.lldp, probePayload(counted))
  const landed = await fire(proof, { what: 'LLDP', kind: 'broadcast', rounds: 5, frame, wanted: () => false })
  const copied = await nextProbe(proof)
  const faults: Fault[] = []
  if (copied === undefined)
    faults.push({ what: 'a probe to copy', expected: 'one at the unattached port within 12 s', got: 'none' })
  else await Promise.all(members.map(from => frames.send(from, copied)))
  await sleep(1000)
  const after = await linkNames(proof)
  for (const link of new Set([...before, ...after]))
    if (before.has(link) !== after.has(link))
      faults.push({
        what: `link ${link}`,
        expected: before.has(link) ? 'to stay' : 'to be unknown',
        got: after.has(link) ? 'it is listed' : 'it is gone',
      })
  return {
    faults: [...landed.faults, ...faults],
    proved:
      `${count(landed.sent)} frames: none arrived; the controller's own, copied and sent by all ${members.length}:\n` +
      `no link was believed, ${after.size} are as before`,
  }
}

/** To the nearest bridge, and no further (IEEE 802.1AB §7.1). */
const lldpMac = '01:80:c2:00:00:0e'

const isLldp = (frame: Buffer): boolean =>
  frame.toString('hex', 0, 6) === lldpMac.replaceAll(':', '') && frame.readUInt16BE(12) === ethertypes.lldp

/** A fresh probe: an old one would not be believed anyway. The controller asks an unattached port every 5 s. */
async function nextProbe({ heard }: Proof): Promise<Buffer | undefined> {
  const known = heard.length
  for (let waited = 0; waited < 12_000; waited += 20) {
    const probe = heard.slice(known).find(({ frame }) => isLldp(frame))
    if (probe) return probe.frame
    await sleep(20)
  }
  return undefined
}

async function linkNames({ rest }: Proof): Promise<ReadonlySet<string>> {
  const { links } = await rest.get<schemas.Wire<typeof schemas.Links>>('/v1/links')
  const end = ({ dpid, port }: { dpid: string; port: number }) => `${dpid}/${port}`
  return new Set(links.map(({ from, to, state }) => `${end(from)} -> ${end(to)}, ${state}`))
}

/** All along, nothing of anybody's arrived at the port that is attached to nothing. */
export async function unattachedPort({ heard, members }: Proof): Promise<Outcome> {
  const others = heard.filter(({ frame }) => !isLldp(frame))
  const senders = new Map(members.map(({ mac, name }) => [mac.replaceAll(':', ''), name]))
  return {
    faults: others.map(({ frame }) => ({
      what: 'nobody',
      expected: 'to hear nothing',
      got: `${frame.length} bytes from ${senders.get(frame.toString('hex', 6, 12)) ?? frame.toString('hex', 6, 12)}`,
    })),
    proved:
      `in all of this, no frame of a pod; only the controller's LLDP (${heard.length}), which\n` +
      'asks each unattached port whether a switch is behind it',
  }
}
