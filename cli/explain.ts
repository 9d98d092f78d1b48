/** `l2sm explain`: whether one port reaches another, and if not, why. */

import type { Input, Output } from '../api/contract/client.ts'
import { type Answered, outputHelp, runAsking } from './ask.ts'
import { clientHelp } from './client-options.ts'

export const explainHelp = `usage: l2sm explain FROM TO [options]

Says whether one port reaches another: over which links, how fast, and with which MTU. If it does not: the one thing that stands in the way, where,
and what to do. FROM and TO are attachments: DPID/PORT (with /VLAN behind it if the port has tags), or a name, a MAC or an IP address.
Switches are read for it, and nothing is sent. Exit code: 0 it reaches, 1 it does not, or that is not known, 2 no answer.

  --size BYTES          the largest packet that is to pass [default: the nodes' MTU if it is declared, else 1280]
${outputHelp}
${clientHelp}
  --help                this text
`

type Given = Pick<Input<'explain'>, 'size'>

export const runExplain = runAsking<Given>(
  'explain',
  program => program.argument('<FROM>').argument('<TO>').option('--size <BYTES>'),
  async (client, [from = '', to = ''], given) => {
    const answer = await client.explain({ from, to, ...given })
    return { json: answer, text: explainText(answer), yes: answer.reaches === 'yes' } satisfies Answered
  },
)

type Answer = Output<'explain'>

export const explainText = ({ reaches, summary, from, to, findings, way, rttMs, mtu }: Answer): string =>
  [
    { yes: 'YES', no: 'NO', unknown: 'NOT KNOWN' }[reaches] + (findings.length === 0 ? `  ${summary}.` : ''),
    ...(from ? [`  from  ${placeText(from)}`] : []),
    ...(to ? [`  to    ${placeText(to)}`] : []),
    ...findings.flatMap(({ sentence, remedy }, i) => [
      `  ${i === 0 ? 'why   ' : 'also  '}${sentence}`,
      `  do    ${remedy}`,
    ]),
    ...(way ?? []).map(
      hop =>
        `  over  switch ${hop.from.dpid} port ${hop.from.port} to switch ${hop.to.dpid} port ${hop.to.port}${figures(hop)}`,
    ),
    ...(way !== undefined && way.length !== 1 ? [`  way   ${way.length} links${figures({ rttMs, mtu })}`] : []),
  ].join('\n')

const figures = ({ rttMs, mtu }: { readonly rttMs?: number | undefined; readonly mtu?: number | undefined }): string =>
  `${rttMs === undefined ? '' : `, ${rttMs} ms there and back`}${mtu === undefined ? '' : `, MTU ${mtu}`}`

const placeText = ({ dpid, port, vlan, network, name, mac, ips }: NonNullable<Answer['from']>): string =>
  [
    `${dpid}/${port}${vlan === undefined ? '' : `/${vlan}`}`,
    ...(name === undefined ? [] : [name]),
    ...(network === undefined ? [] : [`network ${network}`]),
    ...(mac === undefined ? [] : [mac]),
    ...(ips ?? []),
  ].join(', ')
