/**
 * Every option of `l2sm agent`. The key is the flag (`--token-file`), the key in the YAML file (`token-file`) and the
 * variable (`L2SM_TOKEN_FILE`), as with the controller's.
 * To add an option: add a row, and use it in cli/agent.ts.
 */

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

export const url = (text: string): Parsed<URL> => {
  const expected = 'http://HOST:PORT or https://HOST:PORT, such as http://192.0.2.1:8181'
  if (!URL.canParse(text)) return { expected }
  const value = new URL(text)
  if (value.username !== '' || value.password !== '') return { expected, hint: 'A credential goes into --token-file.' }
  const whole = value.pathname === '/' && value.search === '' && value.hash === ''
  return whole && (value.protocol === 'http:' || value.protocol === 'https:') ? { value } : { expected }
}

const node = (text: string): Parsed<string> =>
  /^(?!\.{1,2}$)[A-Za-z0-9._-]{1,253}$/.test(text)
    ? { value: text }
    : { expected: '1 to 253 characters of A-Z a-z 0-9 . _ -, as the controller calls this node' }

export const agentOptions = {
  node: single({
    takes: 'NAME',
    parse: node,
    standard: undefined,
    text: 'what this node is called',
  }),
  controller: single({
    takes: 'URL',
    parse: url,
    standard: undefined,
    text: "where the plan comes from, and reports go to: the controller's HTTP",
  }),
  'token-file': single({
    takes: 'FILE',
    parse: path,
    standard: undefined,
    text: "the controller's bearer token",
  }),
  'controller-ca': single({
    takes: 'FILE',
    parse: path,
    standard: undefined,
    text: "for https: the CA that signs the controller's certificate, in PEM",
  }),
  'controller-cert': single({
    takes: 'FILE',
    parse: path,
    standard: undefined,
    text: "for https: the agent's own certificate, its credential in place of a token; these files are read again for each call",
  }),
  'controller-key': single({
    takes: 'FILE',
    parse: path,
    standard: undefined,
    text: "for https: the private key of the agent's certificate",
  }),
  plan: single({
    takes: 'FILE',
    parse: path,
    standard: undefined,
    text: 'the plan, in place of a controller: JSON or YAML; read again when it changes',
  }),
  ovs: single({
    takes: 'SOCKET',
    parse: path,
    standard: '/var/run/openvswitch/db.sock',
    text: "of Open vSwitch's database",
  }),
  state: single({
    takes: 'FOLDER',
    parse: path,
    standard: '/var/lib/l2sm',
    text: "the agent's own file: what it needs to give the node its addresses back",
  }),
  'tls-folder': single({
    takes: 'FOLDER',
    parse: path,
    standard: '/etc/l2sm',
    text: 'TLS files that a plan names must lie below it',
  }),
  http: single({
    takes: 'HOST:PORT',
    parse: http,
    standard: { host: '127.0.0.1', port: 8182 },
    text: 'where /metrics, /livez and /readyz are',
  }),
  config: options.config,
  remove: single({
    parse: yes,
    standard: false,
    text: 'take away all that agents made on this node, and end; stop the agent before',
  }),
  restart: single({
    takes: 'COMMAND',
    parse: (text: string): Parsed<string> => (text === '' ? { expected: 'a command for the shell' } : { value: text }),
    standard: undefined,
    text: 'run COMMAND, which restarts ovs-vswitchd, with the flows saved before and put back after, and end',
  }),
  'log-level': options['log-level'],
} as const

type Name = keyof typeof agentOptions

/** What the agent is started with. */
export type AgentConfig = { readonly [N in Name]: ValueOf<(typeof agentOptions)[N]> }

const shownStandard = (name: Name): string => {
  const { standard } = agentOptions[name]
  if (standard === undefined || standard === false) return ''
  return typeof standard === 'string' ? standard : shownAddress(standard)
}

export const agentHelp = (): string => {
  const rows = Object.entries(agentOptions) as [Name, Option<unknown>][]
  return `usage: l2sm agent --node NAME --controller URL [options]
       l2sm agent --plan FILE [options]
       l2sm agent --node NAME --remove
       l2sm agent --node NAME --restart 'systemctl restart ovs-vswitchd'

Makes this node's Open vSwitch what its plan says, and keeps it so: the bridge, its links to other nodes, and interfaces
for pods. Needs root, and Open vSwitch that runs. When it stops, everything stays; frames flow on.

${optionLines(rows.map(([name, row]) => ({ name, row, standard: shownStandard(name) })))}

A flag beats its variable, a variable beats its key in the file of --config.
`
}
