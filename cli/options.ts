/**
 * Every option of `l2sm controller`. The key is the flag (`--token-file`), the key in the YAML file (`token-file`) and
 * the variable (`L2SM_TOKEN_FILE`). Help, refusals and suggestions come from this table.
 * To add an option: add a row, and use `config['its-name']` in cli/controller.ts.
 */

import { isLoopback } from '../api/http/loopback.ts'
import { isVlan } from '../store/parse.ts'
import { standardVlanRange, type VlanRange } from '../store/vlans.ts'
import { optionLines } from './command-line/flags.ts'

export { optionLines, variableOf } from './command-line/flags.ts'

export type Parsed<T> = { readonly value: T } | { readonly expected: string; readonly hint?: string }

export type Option<T> = {
  /** What stands after the flag in the help text; a switch takes nothing. */
  readonly takes?: string
  readonly parse: (text: string) => Parsed<T>
  readonly text: string
}
type Single<T, Standard> = Option<T> & { readonly standard: Standard }
type Repeatable<T> = Option<T> & { readonly many: true; readonly standard: readonly T[] }

export type Address = { readonly host: string; readonly port: number }
/** Where switches connect. */
export type Endpoint = Address & { readonly scheme: 'tcp' | 'tls' }
export type StorePlace = { readonly kind: 'sqlite'; readonly path: string } | { readonly kind: 'memory' }

/** `HOST:PORT`, an IPv6 host in brackets. Port 0 is any free one. */
const address = (text: string): Address | undefined => {
  const [, host = '', digits = ''] = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):(\d{1,5})$/.exec(text) ?? []
  const port = Number(digits)
  return host === '' || port > 65535 ? undefined : { host: host.replace(/^\[(.*)\]$/, '$1'), port }
}

export const shownAddress = ({ host, port }: Address): string => `${host.includes(':') ? `[${host}]` : host}:${port}`

export const shownEndpoint = ({ scheme, ...place }: Endpoint): string => `${scheme}:${shownAddress(place)}`

/** Whoever can reach a port without TLS can pose as a switch: beyond this machine that must be asked for by name. */
const usualScheme = ({ host }: Address): Endpoint['scheme'] => (isLoopback(host) ? 'tcp' : 'tls')

const openflow = (text: string): Parsed<Endpoint> => {
  const expected = 'HOST:PORT, tls:HOST:PORT or tcp:HOST:PORT, such as 127.0.0.1:6653'
  if (text.startsWith('ssl:')) return { expected, hint: 'What Open vSwitch calls ssl: is tls: here.' }
  const [, scheme, rest = ''] = /^(?:(tcp|tls):)?(.*)$/s.exec(text) ?? []
  const place = address(rest)
  if (!place) return { expected }
  return { value: { scheme: scheme === 'tcp' || scheme === 'tls' ? scheme : usualScheme(place), ...place } }
}

export const http = (text: string): Parsed<Address> => {
  const value = address(text)
  return value ? { value } : { expected: 'HOST:PORT, such as 127.0.0.1:8181' }
}

const store = (text: string): Parsed<StorePlace> => {
  if (text === 'memory') return { value: { kind: 'memory' } }
  const [, path] = /^sqlite:(.+)$/s.exec(text) ?? []
  return path ? { value: { kind: 'sqlite', path } } : { expected: 'sqlite:PATH or memory' }
}

export const path = (text: string): Parsed<string> =>
  text === '' ? { expected: 'the path of a file' } : { value: text }

/** `FIRST-LAST`, of which two make one network. */
const vlans = (text: string): Parsed<VlanRange> => {
  const [, first = 0, last = 0] = (/^(\d{1,4})-(\d{1,4})$/.exec(text) ?? []).map(Number)
  return isVlan(first) && isVlan(last) && first < last
    ? { value: { first, last } }
    : { expected: 'FIRST-LAST, two different VLANs of 1 to 4094, such as 2-4000' }
}

export const yes = (text: string): Parsed<boolean> => {
  if (text === 'true' || text === '1') return { value: true }
  return text === 'false' || text === '0' ? { value: false } : { expected: 'true or false' }
}

export const oneOf =
  <T extends string>(...allowed: readonly T[]) =>
  (text: string): Parsed<T> =>
    (allowed as readonly string[]).includes(text) ? { value: text as T } : { expected: allowed.join(', ') }

export const single = <T, const Standard>(row: Single<T, Standard>) => row
export const repeatable = <T>(row: Repeatable<T>) => row
const tcp = (host: string, port: number): Endpoint => ({ scheme: 'tcp', host, port })

export const options = {
  openflow: repeatable({
    many: true,
    takes: '[tls:|tcp:]HOST:PORT',
    parse: openflow,
    standard: [tcp('127.0.0.1', 6653), tcp('127.0.0.1', 6633)],
    text: 'where switches connect; may be given again. Beyond loopback TLS is what HOST:PORT means; tcp: asks for none',
  }),
  'openflow-key': single({
    takes: 'FILE',
    parse: path,
    standard: undefined,
    text: "for tls: the controller's private key, in PEM; l2sm pki makes all three",
  }),
  'openflow-cert': single({
    takes: 'FILE',
    parse: path,
    standard: undefined,
    text: "for tls: the controller's certificate",
  }),
  'openflow-ca': single({
    takes: 'FILE',
    parse: path,
    standard: undefined,
    text: 'for tls: the CA that signs the certificates of switches',
  }),
  'openflow-any-dpid': single({
    parse: yes,
    standard: false,
    text: 'for tls: a certificate that names no datapath id may be every switch; without, it is refused',
  }),
  http: single({
    takes: 'HOST:PORT',
    parse: http,
    standard: { host: '127.0.0.1', port: 8181 },
    text: 'where the REST API, the adapter at /onos and the metrics are',
  }),
  'http-cert': single({
    takes: 'FILE',
    parse: path,
    standard: undefined,
    text: "for HTTPS: the controller's certificate, in PEM; read again when it changes",
  }),
  'http-key': single({
    takes: 'FILE',
    parse: path,
    standard: undefined,
    text: "for HTTPS: the controller's private key",
  }),
  'http-client-ca': single({
    takes: 'FILE',
    parse: path,
    standard: undefined,
    text: "for HTTPS: the CA that signs clients' certificates, which are credentials then",
  }),
  probes: single({
    takes: 'HOST:PORT',
    parse: http,
    standard: undefined,
    text: 'where /livez and /readyz are as well: alone, without TLS and without a credential',
  }),
  store: single({
    takes: 'sqlite:PATH|memory',
    parse: store,
    standard: { kind: 'sqlite', path: 'l2sm.db' },
    text: 'where networks and attachments are kept; memory forgets them',
  }),
  'vlan-range': single({
    takes: 'FIRST-LAST',
    parse: vlans,
    standard: standardVlanRange,
    text: 'VLANs on plain links between switches, two for each network that crosses one; nobody else may use them there',
  }),
  config: single({ takes: 'FILE', parse: path, standard: undefined, text: 'a YAML file with these options as keys' }),
  'token-file': single({
    takes: 'FILE',
    parse: path,
    standard: undefined,
    text: 'the bearer token for /v1 and /metrics, 16 characters or more',
  }),
  'credentials-file': single({
    takes: 'FILE',
    parse: path,
    standard: undefined,
    text: 'who may use /v1, /metrics and /onos, each with a role: YAML, read again when it changes',
  }),
  'onos-auth-file': single({
    takes: 'FILE',
    parse: path,
    standard: undefined,
    text: 'the login of the adapter at /onos, as user:password',
  }),
  'compat-auth': single({
    parse: yes,
    standard: false,
    text: "the adapter's login is the well-known karaf:karaf, known to everybody",
  }),
  profile: single({
    takes: 'onos',
    parse: oneOf('onos'),
    standard: undefined,
    text: 'stand in for ONOS: 0.0.0.0, ports 8181, 6633 and 6653, the well-known login',
  }),
  takeover: single({
    parse: yes,
    standard: false,
    text: 'remove the flows of another controller from each switch that connects',
  }),
  adopt: single({
    parse: yes,
    standard: false,
    text: 'what the store holds is all there should be: clean switches of another store',
  }),
  prove: single({
    takes: 'MODE',
    parse: oneOf('off', 'warn', 'enforce'),
    standard: 'off',
    text: 'prove changes before they are sent: warn tells of one that would let a frame cross, enforce does not send it',
  }),
  'log-level': single({
    takes: 'LEVEL',
    parse: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal'),
    standard: 'info',
    text: 'trace, debug, info, warn, error or fatal',
  }),
} as const

export type OptionName = keyof typeof options
export const optionNames = Object.keys(options) as readonly OptionName[]

export type ValueOf<Row> =
  Row extends Repeatable<infer T>
    ? readonly T[]
    : Row extends Single<infer T, infer Standard>
      ? T | (Standard extends undefined ? undefined : never)
      : never

/** What the controller is started with. */
export type Config = { readonly [Name in OptionName]: ValueOf<(typeof options)[Name]> }

/** What `--profile onos` puts in the place of the standards; what is given still beats it. */
export const profiles = {
  onos: {
    http: { host: '0.0.0.0', port: 8181 },
    openflow: [tcp('0.0.0.0', 6633), tcp('0.0.0.0', 6653)],
    'compat-auth': true,
  },
} as const satisfies { readonly [profile: string]: Partial<Config> }

const shownStandard = (name: OptionName): string => {
  const { standard } = options[name]
  if (standard === undefined || standard === false) return ''
  if (name === 'openflow') return options.openflow.standard.map(shownEndpoint).join(' and ')
  if (name === 'http') return shownAddress(options.http.standard)
  if (name === 'store') return 'sqlite:l2sm.db'
  if (name === 'vlan-range') return `${standardVlanRange.first}-${standardVlanRange.last}`
  return String(standard)
}

export const help = (): string => `usage: l2sm controller [options]

Isolated layer-2 networks over a mesh of OpenFlow 1.3 switches.

${optionLines(optionNames.map(name => ({ name, row: options[name], standard: shownStandard(name) })))}

A flag beats its variable, a variable beats its key in the file of --config.
Beyond loopback, --http needs --credentials-file, --token-file, --onos-auth-file or --compat-auth.
The three files for tls: are read again when they change, and on SIGHUP: switches stay connected.
`
