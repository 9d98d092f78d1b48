/** `l2sm prove`: whether networks are apart, for all frames whatever. */

import type { Input, Output } from '../api/contract/client.ts'
import { type Answered, outputHelp, runAsking } from './ask.ts'
import { clientHelp } from './client-options.ts'

export const proveHelp = `usage: l2sm prove [options]

Proves from the switches' tables that no frame whatever leaves its network, and that each arrives where it should, once; or shows a frame for
which that is not so: where to send it, where it comes out, and the entry to blame. Nothing is sent.
Exit code: 0 proved, 1 it is not so, or not known, 2 no answer.

  --tables WHICH        held, what the switches hold now: they are read; desired, what they should [default held]
${outputHelp}
${clientHelp}
  --help                this text
`

export const runProve = runAsking<Pick<Input<'proof'>, 'tables'>>(
  'prove',
  program => program.option('--tables <WHICH>', '', 'held'),
  async (client, _, { tables = 'held' }) => {
    const answer = await client.proof({ tables })
    return { json: answer, text: proveText(answer), yes: answer.result === 'proved' } satisfies Answered
  },
)

type Answer = Output<'proof'>
type Counterexample = Answer['counterexamples'][number]

const words = { proved: 'PROVED', refuted: 'REFUTED', unknown: 'NOT KNOWN' }

export const proveText = ({ result, tables, revision, covers, unread, assumptions, counterexamples }: Answer): string =>
  [
    `${words[result]}  ${covers.networks} networks, ${covers.ports} ports, ${covers.entries} entries of ${covers.switches} switches, as ${tables} at revision ${revision}`,
    ...counterexamples.flatMap(counterexampleLines),
    ...unread.map(dpid => `  switch ${dpid} could not be read: what it held last was taken`),
    ...assumptions.map((assumption, i) => `  ${i === 0 ? 'rests on  ' : '          '}${assumption}`),
  ].join('\n')

const counterexampleLines = ({ fault, sentence, network, frame, from, vni, at, blame, path }: Counterexample) => [
  `  ${fault}${network === undefined ? '' : `, network ${network}`}: ${sentence}`,
  ...(from ? [`    send   into switch ${from.dpid} port ${from.port}${vni === undefined ? '' : `, VNI ${vni}`}`] : []),
  ...(frame === undefined ? [] : [`    frame  ${frame}`]),
  ...(at ? [`    at     switch ${at.dpid} port ${at.port}${at.vlan === undefined ? '' : `, VLAN ${at.vlan}`}`] : []),
  ...(blame ? [`    blame  switch ${blame.dpid} table=${blame.tableId}, ${blame.entry}`] : []),
  ...path.map(({ dpid, tableId, entry }) => `    met    switch ${dpid} table=${tableId}, ${entry}`),
]
