import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { startAgent } from '../agent/agent.ts'
import { planFileFault } from '../agent/plan-file.ts'
import { removeAll } from '../agent/remove.ts'
import { byCommand, restartAround } from '../agent/restart.ts'
import type { Identity } from '../api/contract/transport.ts'
import { type AgentConfig, agentOptions } from './agent-options.ts'
import { readValues } from './config.ts'
import { aborted, createLog, type ExitCode, refuse, type Surroundings } from './controller.ts'
import { readCredentials } from './credentials.ts'
import { shownAddress } from './options.ts'
import { readSecret } from './secret-file.ts'
import { inWords } from './start.ts'

/** `l2sm agent`: reads what it is asked, runs until `stop`, and answers the exit code. */
export const runAgent = async ({ argv, env, version, stop, complain }: Surroundings): Promise<ExitCode> => {
  const read = (path: string) => readFile(path, 'utf8')
  const given = await readValues({ name: 'agent', options: agentOptions }, { argv, env, readFile: read })
  const standards = Object.fromEntries(Object.entries(agentOptions).map(([name, { standard }]) => [name, standard]))
  const config = { ...standards, ...given.values } as AgentConfig
  const faults = given.faults.length > 0 ? given.faults : contradictions(config)
  const { token, identity, faults: unread } = await readSecrets(config)
  const wrong = [...faults, ...unread]
  if (wrong.length > 0) return refuse('agent', wrong, complain)

  if (process.geteuid?.() !== 0) {
    complain('l2sm agent: it needs root, as it changes network devices of this node: run it as root')
    return 1
  }
  const log = await createLog(config['log-level'])
  for (const warning of given.warnings) log.warn(warning)
  try {
    if (config.remove) {
      const count = await removeAll({ socket: config.ovs, node: config.node!, state: config.state, log })
      log.info(`removed: ${count} ${count === 1 ? 'bridge' : 'bridges'}`)
      return 0
    }
    if (config.restart !== undefined) {
      await restartAround(config.ovs, config.node!, byCommand(config.restart), log)
      return 0
    }
    const source =
      config.plan === undefined ? { controller: { url: config.controller!, token, identity } } : { file: config.plan }
    const { node, ovs: socket, state, http } = config
    const tlsFolder = config['tls-folder']
    const agent = await startAgent({ node, source, socket, state, tlsFolder, http, version, log })
    log.info({ http: shownAddress({ ...config.http, port: agent.port }), version }, 'started')
    await aborted(stop)
    log.info('stopping; the switch, its ports and its flows stay')
    await agent.close()
    log.info('stopped')
    return 0
  } catch (error) {
    const once = config.remove || config.restart !== undefined
    complain(`l2sm agent: ${once ? (error as Error).message : inWords(error)}`)
    return 1
  }
}

const contradictions = ({ node, controller, plan, remove, restart, ...config }: AgentConfig): string[] => {
  if (remove && restart !== undefined) return ['remove and restart are two things: give one of them']
  const once = remove ? 'remove' : restart === undefined ? undefined : 'restart'
  if (once !== undefined) return node === undefined ? [`${once} needs --node NAME: whose switch it is`] : []
  if (plan !== undefined && controller !== undefined)
    return ['plan and controller both say where the plan comes from: give one of them']
  if (plan === undefined && controller === undefined)
    return ['there is no plan: give --controller URL and --node NAME, or --plan FILE']
  if (controller !== undefined && node === undefined) return ['controller needs --node NAME: whose plan it is']
  if ((config['controller-cert'] === undefined) !== (config['controller-key'] === undefined))
    return ['controller-cert and controller-key belong together: give both, or neither']
  const unused = (['token-file', ...Object.values(identityFiles)] as const).filter(name => config[name] !== undefined)
  if (plan !== undefined && unused.length > 0) return [`${unused.join(' and ')} is for --controller only`]
  const fault = plan === undefined ? undefined : planFileFault(plan)
  return fault === undefined ? [] : [fault]
}

type Secrets = {
  /** Read again for each call; while the file can not be used, what it had last. */
  readonly token: () => Promise<string | undefined>
  /** Read again for each call, too. */
  readonly identity: () => Promise<Identity>
  readonly faults: readonly string[]
}

/** Parts of what TLS shows to the controller, and the options that name their files. */
const identityFiles = { ca: 'controller-ca', cert: 'controller-cert', key: 'controller-key' } as const

const readSecrets = async (config: AgentConfig): Promise<Secrets> => {
  const asked = { 'token-file': config['token-file'], 'onos-auth-file': undefined, 'compat-auth': false }
  const { credentials, faults } = await readCredentials(asked, readSecret)
  let last = credentials.token
  const token = async () => {
    const again = await readCredentials(asked, readSecret)
    if (again.faults.length === 0) last = again.credentials.token
    return last
  }
  const first = await readIdentity(config)
  let used = first.identity
  const identity = async () => {
    const again = await readIdentity(config)
    if (again.faults.length === 0) used = again.identity
    return used
  }
  return { token, identity, faults: [...faults, ...first.faults] }
}

const readIdentity = async (
  config: AgentConfig,
): Promise<{ readonly identity: Identity; readonly faults: readonly string[] }> => {
  const faults: string[] = []
  const identity: { -readonly [Part in keyof Identity]: string } = {}
  for (const [part, option] of Object.entries(identityFiles) as [keyof Identity, 'controller-ca'][]) {
    const path = config[option]
    if (path === undefined) continue
    try {
      identity[part] = await readSecret(path)
    } catch (error) {
      faults.push(`${option} ${path} can not be read: ${(error as Error).message}`)
    }
  }
  if (faults.length === 0 && identity.cert !== undefined) {
    const fault = pairFault(identity.cert, identity.key!)
    if (fault !== undefined) faults.push(`controller-cert ${config['controller-cert']} ${fault}`)
  }
  return { identity, faults }
}

/** Files that are being replaced do not belong together for a moment. */
const pairFault = (cert: string, key: string): string | undefined => {
  try {
    return new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)) ? undefined : 'is not of controller-key'
  } catch (error) {
    return `or controller-key is no PEM: ${(error as Error).message}`
  }
}
