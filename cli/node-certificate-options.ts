/** Every option of `l2sm node-certificate`, as with the controller's. To add one: a row, and use it in cli/node-certificate.ts. */

import { agentOptions } from './agent-options.ts'
import { operatorOptions } from './operator-options.ts'
import { type Option, optionLines, options, path, single, type ValueOf, yes } from './options.ts'

export const nodeCertificateOptions = {
  node: agentOptions.node,
  folder: single({
    takes: 'FOLDER',
    parse: path,
    standard: '/etc/l2sm',
    text: 'where node.key, node.crt and ca.crt are written',
  }),
  'providers-file': single({
    takes: 'FILE',
    parse: path,
    standard: undefined,
    text: 'providers whose bridges the certificate must name, a line each; it may come and change',
  }),
  once: single({ parse: yes, standard: false, text: 'end when there is a good certificate' }),
  kubeconfig: operatorOptions.kubeconfig,
  config: options.config,
  'log-level': options['log-level'],
} as const

type Name = keyof typeof nodeCertificateOptions
export type NodeCertificateConfig = { readonly [N in Name]: ValueOf<(typeof nodeCertificateOptions)[N]> }

export const nodeCertificateHelp = (): string => {
  const rows = Object.entries(nodeCertificateOptions) as [Name, Option<unknown>][]
  const shown = (row: Name) => String(nodeCertificateOptions[row].standard || '')
  return `usage: l2sm node-certificate --node NAME [options]

Asks the cluster for this node's certificate, by which its agent and its switch are known to the controller, and renews it
in time. The key never leaves the node. l2sm operator --certificates signs, for the node on which the asker's pod runs.

${optionLines(rows.map(([name, row]) => ({ name, row, standard: shown(name) })))}

A flag beats its variable, a variable beats its key in the file of --config.
`
}
