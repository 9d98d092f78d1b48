/**
 * Every option of `l2sm operator`. The key is the flag (`--token-file`), the key in the YAML file (`token-file`) and the
 * variable (`L2SM_TOKEN_FILE`), as with the controller's.
 * To add an option: add a row, and use it in cli/operator.ts.
 */

import { url } from './agent-options.ts'
import {
  http,
  type Option,
  optionLines,
  options,
  type Parsed,
  path,
  shownAddress,
  single,
  type ValueOf,
  yes,
} from './options.ts'

const name = (text: string): Parsed<string> =>
  /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text) ? { value: text } : { expected: 'the name of a namespace' }

const optionalAddress = (text: string) => (text === 'none' ? { value: undefined } : http(text))

export const operatorOptions = {
  controller: single({
    takes: 'URL',
    parse: url,
    standard: undefined,
    text: "the controller's HTTP, such as http://192.0.2.1:8181",
  }),
  'token-file': single({ takes: 'FILE', parse: path, standard: undefined, text: "the controller's bearer token" }),
  'controller-ca': single({
    takes: 'FILE',
    parse: path,
    standard: undefined,
    text: "for https: the CA that signs the controller's certificate, in PEM",
  }),
  kubeconfig: single({
    takes: 'FILE',
    parse: path,
    standard: undefined,
    text: 'how to reach the API server; in a pod its own service account, else as kubectl finds it',
  }),
  namespace: single({
    takes: 'NAME',
    parse: name,
    standard: 'l2sm-system',
    text: "where the operator's own objects are: its Lease, and the interfaces of nodes",
  }),
  identity: single({
    takes: 'NAME',
    parse: (text: string): Parsed<string> => (text === '' ? { expected: 'a name' } : { value: text }),
    standard: undefined,
    text: 'what this replica is called, unlike any other; its host name and a number unless given',
  }),
  webhooks: single({
    takes: 'HOST:PORT|none',
    parse: optionalAddress as (text: string) => Parsed<{ readonly host: string; readonly port: number } | undefined>,
    standard: { host: '127.0.0.1', port: 8443 },
    text: 'where the API server asks about pods and bindings',
  }),
  'webhook-key': single({ takes: 'FILE', parse: path, standard: undefined, text: "the webhooks' private key, in PEM" }),
  'webhook-cert': single({
    takes: 'FILE',
    parse: path,
    standard: undefined,
    text: "the webhooks' certificate; both files are read again when they change",
  }),
  certificates: single({
    parse: yes,
    standard: false,
    text: 'make and renew the certificates of controller, webhooks and nodes, and the credentials of nodes, as Secrets of --namespace',
  }),
  'nodes-namespace': single({
    takes: 'NAME',
    parse: name,
    standard: 'l2sm-nodes',
    text: 'with --certificates: where agents run, as service account l2sm-agent',
  }),
  http: single({
    takes: 'HOST:PORT',
    parse: http,
    standard: { host: '127.0.0.1', port: 8183 },
    text: 'where /metrics, /livez and /readyz are',
  }),
  config: options.config,
  'log-level': options['log-level'],
} as const

type Name = keyof typeof operatorOptions

/** What the operator is started with. */
export type OperatorConfig = { readonly [N in Name]: ValueOf<(typeof operatorOptions)[N]> }

const shownStandard = (row: Name): string => {
  const { standard } = operatorOptions[row]
  if (standard === undefined || standard === false) return ''
  return typeof standard === 'string' ? standard : shownAddress(standard)
}

export const operatorHelp = (): string => {
  const rows = Object.entries(operatorOptions) as [Name, Option<unknown>][]
  return `usage: l2sm operator --controller URL --webhook-key FILE --webhook-cert FILE [options]
       l2sm operator --controller URL --certificates [options]

Turns L2Networks, Overlays, quarantine requests and pods of a Kubernetes cluster into networks of the controller. Several
replicas may run: all answer webhooks, one acts.

${optionLines(rows.map(([row, option]) => ({ name: row, row: option, standard: shownStandard(row) })))}

A flag beats its variable, a variable beats its key in the file of --config.
`
}
