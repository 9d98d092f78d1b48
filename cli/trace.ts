/** `l2sm trace`: where a frame goes. */

import type { Input, Output } from '../api/contract/client.ts'
import { type Answered, outputHelp, runAsking } from './ask.ts'
import { clientHelp } from './client-options.ts'

export const traceHelp = `usage: l2sm trace DPID/PORT [options]

Follows a frame that comes in at this port of this switch: table by table, entry by entry, link by link, until every copy has ended. It is
sent nowhere: the switches' tables are read, and what they would do is worked out. Exit code: 0 a copy leaves by a port, 1 none does, 2 no answer.

  --src MAC --dst MAC   addresses; to all unless --dst is given
  --vlan VID            a VLAN tag
  --arp request|reply   ARP, with --ip-src and --ip-dst
  --ip-src IP --ip-dst IP   IPv4 or IPv6; with --proto icmp|igmp|tcp|udp|icmp6, --src-port, --dst-port, --icmp-type
  --target IP           of a neighbour solicitation (--icmp-type 136: an advertisement)
  --type TYPE           arp, ip, ipv6, lldp, or an EtherType such as 0x88b5
  --frame HEX           in place of all these: the frame as it is
  --vni N               at the port of a tunnel: the VNI that the frame comes with
  --tables WHICH        held, what the switches hold now; desired, what they should; both [default held]
${outputHelp}
${clientHelp}
  --help                this text
`

const fields = [
  'src',
  'dst',
  'vlan',
  'arp',
  'ip-src',
  'ip-dst',
  'proto',
  'src-port',
  'dst-port',
  'icmp-type',
  'target',
  'type',
  'frame',
  'vni',
  'tables',
]

type Given = Partial<Omit<Input<'trace'>, 'dpid' | 'port'>>

export const runTrace = runAsking<Given>(
  'trace',
  program => fields.reduce((p, field) => p.option(`--${field} <VALUE>`), program.argument('<DPID/PORT>')),
  async (client, [start = ''], given) => {
    const found = /^(.+)\/([1-9][0-9]{0,9})$/.exec(start)
    if (!found) return `${JSON.stringify(start)}: expected DPID/PORT, such as 00000000000000a1/3`
    const answer = await client.trace({ dpid: found[1]!, port: found[2]!, tables: 'held', ...given })
    return { json: answer, text: traceText(answer), yes: answer.traces.every(leaves) } satisfies Answered
  },
)

type Answer = Output<'trace'>
type Traced = Answer['traces'][number]
type Visit = Traced['visits'][number]

const leaves = ({ visits }: Traced): boolean => visits.some(({ copies }) => copies.some(({ end }) => end.is === 'port'))

/** The whole of it, as lines. */
export const traceText = ({ words, traces, differ }: Answer): string =>
  [
    `frame   ${words}`,
    ...traces.flatMap(traced => ['', ...linesOf(traced)]),
    ...(differ === undefined
      ? []
      : ['', differ ? 'The switches do otherwise than they should.' : 'The switches do as they should.']),
  ].join('\n')

const linesOf = (traced: Traced): string[] => [
  traced.tables === 'held' ? 'On what the switches hold:' : 'On what the switches should hold:',
  ...traced.unread.map(dpid => `  switch ${dpid} could not be read now: this is what it held last`),
  ...traced.visits.flatMap((visit, number) => visitLines(visit, number)),
  'ends',
  ...traced.ends.map(end => `  ${end}`),
  ...(traced.certain ? [] : ['  (not certain: something on the way could not be followed; see "?" above)']),
]

const portOf = ({
  port,
  portName,
}: {
  readonly port?: number | undefined
  readonly portName?: string | undefined
}): string => (portName === undefined ? `port ${port}` : `port ${port} (${portName})`)

const visitLines = (visit: Visit, number: number): string[] => [
  `[${number}] switch ${visit.dpid}, ${portOf(visit)}${visit.vni === undefined ? '' : `, VNI ${visit.vni}`}`,
  ...visit.steps.flatMap((step, i) => [
    `  ${`${step.table} ${step.tableName ?? ''}`.padEnd(11)} ${step.entry ?? '(no entry)'}`,
    `${' '.repeat(14)}${step.owner === undefined ? '' : `${step.owner}: `}${step.why}`,
    ...step.notes.map(note => `${' '.repeat(14)}${note}`),
    ...step.doubts.map(doubt => `${' '.repeat(12)}? ${doubt}`),
    ...visit.copies.filter(copy => copy.step === i).map(copy => `${' '.repeat(12)}> ${copyText(copy)}`),
  ]),
  ...(visit.dropped === undefined ? [] : [`            x ${visit.dropped}`]),
  ...(visit.unknown === undefined ? [] : [`            ? ${visit.unknown}`]),
]

const copyText = (copy: Visit['copies'][number]): string => {
  const { groups, end, vni, meter } = copy
  const by = groups.map(({ group, bucket }) => `group ${group}, bucket ${bucket}: `).join('')
  const out = `${by}${copy.port === undefined ? '' : `${portOf(copy)}`}`
  if (end.is === 'controller')
    return `${by}a copy to the controller${meter === undefined ? '' : `, within the rate of meter ${meter}`}`
  if (end.is === 'link')
    return `${out}${vni === undefined ? '' : `, VNI ${vni}`}, to switch ${end.to?.dpid}, port ${end.to?.port} [${end.visit}]`
  if (end.is === 'lost') return `${out}: lost: ${end.why}`
  if (end.is === 'loop') return `${out}: a loop, back to [${end.visit}]`
  if (end.is === 'local') return `${by}LOCAL`
  const uses = (end.uses ?? []).map(use => `network ${use.network}${use.name === undefined ? '' : `, ${use.name}`}`)
  return `${out}: ${uses.join('; ') || 'of no network'}`
}
