import { watch } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import type { Logger } from 'pino'
import { createClient } from '../api/contract/client.ts'
import type { Certificates } from '../operator/certificates/authority.ts'
import type { Kept } from '../operator/certificates/keep.ts'
import type { Api } from '../operator/kube/api.ts'
import type { Operator } from '../operator/operator.ts'
import { readValues } from './config.ts'
import { aborted, createLog, type ExitCode, refuse, type Surroundings } from './controller.ts'
import { readCredentials } from './credentials.ts'
import { type OperatorConfig, operatorOptions } from './operator-options.ts'
import { shownAddress } from './options.ts'
import { inWords } from './start.ts'

/** `l2sm operator`: reads what it is asked, runs until `stop`, and answers the exit code. */
export const runOperator = async ({ argv, env, version, stop, complain }: Surroundings): Promise<ExitCode> => {
  const read = (path: string) => readFile(path, 'utf8')
  const given = await readValues({ name: 'operator', options: operatorOptions }, { argv, env, readFile: read })
  const standards = Object.fromEntries(Object.entries(operatorOptions).map(([name, { standard }]) => [name, standard]))
  const config = { ...standards, ...given.values } as OperatorConfig
  const faults = given.faults.length > 0 ? given.faults : contradictions(config)
  const secrets = await readSecrets(config, read)
  const wrong = [...faults, ...secrets.faults]
  if (wrong.length > 0) return refuse('operator', wrong, complain)

  const log = await createLog(config['log-level'])
  for (const warning of given.warnings) log.warn(warning)
  try {
    // Loading its libraries takes longer than reading what it is asked.
    const { startOperator } = await import('../operator/operator.ts')
    const { connect } = await import('../operator/kube/api.ts')
    const api = connect(config.kubeconfig)
    const kept = config.certificates ? await keep(api, config.namespace, log) : undefined
    const identity = kept && (() => identityOf(kept.current()))
    const operator = await startOperator({
      api,
      namespace: config.namespace,
      identity: config.identity ?? `${hostname()}-${process.pid}`,
      controller: createClient({ url: config.controller!, token: secrets.token, ca: secrets.ca, identity }),
      certificate: config.webhooks && (kept?.current().webhooks ?? secrets.certificate),
      own: kept && { certificates: kept.current, nodesNamespace: config['nodes-namespace'] },
      webhooks: config.webhooks ?? { host: '127.0.0.1', port: 0 },
      http: config.http,
      log,
    })
    kept?.onChange(({ webhooks }) => {
      operator.renew(webhooks)
      log.info('certificates were renewed')
    })
    const unwatch = secrets.certificate && renewing(config, operator, read)
    const webhooks =
      operator.webhooks === undefined ? 'none' : shownAddress({ ...config.webhooks!, port: operator.webhooks })
    log.info({ http: shownAddress({ ...config.http, port: operator.http }), webhooks, version }, 'ready')
    await aborted(stop)
    log.info('stopping; networks and pods stay as they are')
    unwatch?.()
    kept?.close()
    await operator.close()
    api.close()
    log.info('stopped')
    return 0
  } catch (error) {
    log.debug({ err: error }, 'it could not start')
    complain(`l2sm operator: ${inWords(error)}`)
    return 1
  }
}

const keep = async (api: Api, namespace: string, log: Pick<Logger, 'warn'>): Promise<Kept> =>
  (await import('../operator/certificates/keep.ts')).keepCertificates(api, namespace, why => log.warn(why))

const identityOf = ({ ca, client }: Certificates) => ({ ca: ca.cert, ...client })

const contradictions = (config: OperatorConfig): string[] => {
  if (config.controller === undefined) return ['there is no controller: give --controller URL']
  const files = (['token-file', 'controller-ca', 'webhook-key', 'webhook-cert'] as const).filter(
    name => config[name] !== undefined,
  )
  if (config.certificates)
    return files.length === 0 ? [] : [`certificates takes the place of ${files.join(' and ')}: give one or the other`]
  if (config.webhooks === undefined) return []
  return (['webhook-key', 'webhook-cert'] as const)
    .filter(name => config[name] === undefined)
    .map(name => `webhooks need --${name} FILE; or give --certificates, or --webhooks none`)
}

const readSecrets = async (config: OperatorConfig, read: (path: string) => Promise<string>) => {
  const asked = { 'token-file': config['token-file'], 'onos-auth-file': undefined, 'compat-auth': false }
  const { credentials, faults } = await readCredentials(asked, read)
  const wrong = [...faults]
  const file = async (name: 'controller-ca' | 'webhook-key' | 'webhook-cert') => {
    const path = config[name]
    if (path === undefined) return undefined
    return read(path).catch((error: Error) => void wrong.push(`${name} ${path} can not be read: ${error.message}`))
  }
  const [ca, key, cert] = [await file('controller-ca'), await file('webhook-key'), await file('webhook-cert')]
  const isServing = config.webhooks !== undefined && typeof key === 'string' && typeof cert === 'string'
  return {
    token: credentials.token,
    ca: ca || undefined,
    certificate: isServing ? { key, cert } : undefined,
    faults: wrong,
  }
}

/** Certificates are renewed under us; a Secret that is mounted changes by a rename in its folder. */
const renewing = (
  config: OperatorConfig,
  operator: Operator,
  read: (path: string) => Promise<string>,
): (() => void) => {
  const [key, cert] = [config['webhook-key']!, config['webhook-cert']!]
  const look = async () => {
    try {
      operator.renew({ key: await read(key), cert: await read(cert) })
    } catch {
      // Half written, or a key of another certificate: it changes again.
    }
  }
  const watches = [...new Set([dirname(key), dirname(cert)])].map(folder => watch(folder, () => void look()))
  return () => {
    for (const one of watches) one.close()
  }
}
