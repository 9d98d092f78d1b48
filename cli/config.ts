import { isLoopback } from '../api/http/loopback.ts'
import { fromFlags, type Given, type Givens } from './command-line/flags.ts'
import { type Command, fromFile, fromVariables, misspeltVariables } from './given.ts'
import { type Config, optionNames, options, profiles, shownAddress, shownEndpoint } from './options.ts'
import { optionOf } from './tls-files.ts'

export type Reading =
  | { readonly is: 'config'; readonly config: Config; readonly warnings: readonly string[] }
  | { readonly is: 'wrong'; readonly faults: readonly string[] }

/** Where values come from. `readFile` rejects when there is nothing to read. */
export type Sources = {
  readonly argv: readonly string[]
  readonly env: { readonly [name: string]: string | undefined }
  readonly readFile: (path: string) => Promise<string>
}

const command: Command = { name: 'controller', options }

/**
 * What the controller is started with: a flag beats its variable, that beats its key in the file, that beats the
 * profile, and that the standard. Everything that is wrong is told at once.
 */
export const readConfig = async (sources: Sources): Promise<Reading> => {
  const read = await readValues(command, sources)
  const values = read.values as Partial<Config>
  const config = complete(values)
  const faults = [...read.faults]
  if (faults.length === 0) faults.push(...contradictions(config, values))
  if (faults.length > 0) return { is: 'wrong', faults }
  return { is: 'config', config, warnings: [...read.warnings, ...warnings(config)] }
}

export type Values = {
  /** What was given, by option. */
  readonly values: { readonly [name: string]: unknown }
  readonly faults: readonly string[]
  readonly warnings: readonly string[]
}

/** What is given for the options of a command, parsed: of each, what its strongest source says. */
export const readValues = async (command: Command, { argv, env, readFile }: Sources): Promise<Values> => {
  const flags = fromFlags(command.name, command.options, argv)
  const variables = fromVariables(command, env)
  const file = [...flags.given, ...variables].find(given => given.name === 'config')
  const keys = file ? await readKeys(command, file, readFile) : { given: [], faults: [] }
  const sources = [flags.given, variables, keys.given]
  const winners = Object.keys(command.options).map(
    name => sources.map(given => given.filter(g => g.name === name)).find(g => g.length > 0) ?? [],
  )
  const { values, faults } = parseAll(command, winners)
  return {
    values,
    faults: [...flags.faults, ...keys.faults, ...faults],
    warnings: misspeltVariables(command, env),
  }
}

const readKeys = async (command: Command, file: Given, readFile: Sources['readFile']): Promise<Givens> => {
  try {
    return await fromFile(command, file.text, await readFile(file.text))
  } catch (error) {
    return {
      given: [],
      faults: [`can not read ${JSON.stringify(file.text)} (from ${file.from}): ${(error as Error).message}`],
    }
  }
}

/** `winners`: for each option what its strongest source gives, maybe nothing. */
const parseAll = (
  { options }: Command,
  winners: readonly (readonly Given[])[],
): { values: Values['values']; faults: string[] } => {
  const faults: string[] = []
  const values: { [name: string]: unknown } = {}
  for (const given of winners)
    for (const { name, text, from } of given) {
      const { parse, many } = options[name]!
      const parsed = parse(text)
      if ('expected' in parsed) {
        const hint = parsed.hint ? ` ${parsed.hint}` : ''
        faults.push(`${name} can not be ${JSON.stringify(text)} (from ${from}): expected ${parsed.expected}.${hint}`)
      } else if (many) values[name] = [...((values[name] as unknown[]) ?? []), parsed.value]
      else values[name] = parsed.value
    }
  return { values, faults }
}

const complete = (values: Partial<Config>): Config => {
  const standards = Object.fromEntries(optionNames.map(name => [name, options[name].standard]))
  const profile = values.profile ? profiles[values.profile] : {}
  const login = values['onos-auth-file'] === undefined ? {} : { 'compat-auth': false }
  return { ...standards, ...profile, ...login, ...values } as Config
}

const contradictions = (config: Config, given: Partial<Config>): string[] => {
  const faults: string[] = []
  const listeners = config.openflow.filter(a => a.port !== 0).map(shownAddress)
  const twice = listeners.find((a, i) => listeners.indexOf(a) !== i)
  if (twice) faults.push(`openflow has ${twice} twice: give each address once`)
  const secured = config.openflow.find(({ scheme }) => scheme === 'tls')
  const missing = Object.values(optionOf).filter(name => config[name] === undefined)
  if (secured && missing.length > 0)
    faults.push(
      `openflow ${shownEndpoint(secured)} needs ${missing.map(name => `--${name} FILE`).join(' and ')}: l2sm pki makes such files`,
    )
  if (given['onos-auth-file'] !== undefined && given['compat-auth'])
    faults.push('onos-auth-file and compat-auth both say what the login of /onos is: give one of them')
  const credential =
    config['credentials-file'] !== undefined ||
    config['token-file'] !== undefined ||
    config['onos-auth-file'] !== undefined ||
    config['compat-auth']
  if (!isLoopback(config.http.host) && !credential)
    faults.push(
      `http ${shownAddress(config.http)} can be reached from beyond this machine, and no credential is set: give ` +
        '--credentials-file FILE or --token-file FILE for /v1, or --onos-auth-file FILE or --compat-auth for /onos, or listen on 127.0.0.1',
    )
  if ((config['http-cert'] === undefined) !== (config['http-key'] === undefined))
    faults.push('http-cert and http-key belong together: give both for HTTPS, or neither')
  if (config['http-client-ca'] !== undefined && config['http-cert'] === undefined)
    faults.push('http-client-ca is for HTTPS: give --http-cert FILE and --http-key FILE as well')
  return faults
}

const warnings = (config: Config): string[] => {
  const said: string[] = []
  const open = config.openflow.filter(({ scheme, host }) => scheme === 'tcp' && !isLoopback(host)).map(shownEndpoint)
  if (open.length > 0)
    said.push(
      `OpenFlow on ${open.join(' and ')} is without TLS: whoever reaches it can pose as a switch; let only switches reach it, or use tls:`,
    )
  const unused = Object.values(optionOf).filter(name => config[name] !== undefined)
  if (unused.length > 0 && !config.openflow.some(({ scheme }) => scheme === 'tls'))
    said.push(`${unused.join(' and ')} is not used: no --openflow is tls:HOST:PORT`)
  if (config['compat-auth'])
    said.push(
      `the login of /onos is the well-known karaf:karaf${isLoopback(config.http.host) ? '' : `, on ${shownAddress(config.http)}`}: ` +
        'whoever reaches it can change every network; give --onos-auth-file FILE when nothing needs the old login any more',
    )
  if (!isLoopback(config.http.host) && config['token-file'] === undefined && config['credentials-file'] === undefined)
    said.push('/v1 and /metrics answer nobody: give --token-file FILE or --credentials-file FILE to use them')
  if (!isLoopback(config.http.host) && config['http-cert'] === undefined)
    said.push(
      `HTTP on ${shownAddress(config.http)} is without TLS: whoever is on the way reads credentials; give --http-cert and --http-key`,
    )
  if (config.store.kind === 'memory')
    said.push('the store is memory: networks and attachments are forgotten at the end')
  return said
}
