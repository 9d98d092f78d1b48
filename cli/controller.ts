import { EventEmitter } from 'node:events'
import { readFile } from 'node:fs/promises'
import { type DestinationStream, type Logger, pino } from 'pino'
import { readConfig } from './config.ts'
import { readCredentials } from './credentials.ts'
import { readHttpTls } from './http-tls.ts'
import { openStore } from './open-store.ts'
import type { Config } from './options.ts'
import { readSecret } from './secret-file.ts'
import { tlsFiles } from './tls-files.ts'

/** 0: stopped as asked. 1: it could not run. 2: it was asked for something that is not allowed. */
export type ExitCode = 0 | 1 | 2

export type Surroundings = {
  readonly argv: readonly string[]
  readonly env: { readonly [name: string]: string | undefined }
  readonly version: string
  /** Aborted by SIGTERM or SIGINT. */
  readonly stop: AbortSignal
  /** Calls back for each SIGHUP, from now on. */
  readonly onHangup: (listener: () => void) => void
  readonly complain: (line: string) => void
}

/** `l2sm controller`: reads what it is asked, runs until `stop`, and answers the exit code. */
export const runController = async ({
  argv,
  env,
  version,
  stop,
  onHangup,
  complain,
}: Surroundings): Promise<ExitCode> => {
  const read = (path: string) => readFile(path, 'utf8')
  const reading = await readConfig({ argv, env, readFile: read })
  if (reading.is === 'wrong') return refuse('controller', reading.faults, complain)
  const { config, warnings } = reading
  const { credentials, faults } = await readCredentials(config, readSecret)
  const https = await readHttpTls(config, readSecret)
  const files = tlsFiles(config)
  const tls = files && { files, ...(await (await import('./tls.ts')).readTls(files, readSecret, new Date())) }
  const wrong = [...faults, ...https.faults, ...(tls?.faults ?? [])]
  if (wrong.length > 0) return refuse('controller', wrong, complain)

  const log = await createLog(config['log-level'])
  for (const warning of warnings) log.warn(warning)
  const opening = openStore(config.store)
  // Only now, and while the store is read: whoever mistyped an option is told at once.
  const { inWords, start } = await import('./start.ts')
  try {
    const { close, reread } = await start(config, { ...credentials, tls, https: https.tls }, version, log, opening)
    onHangup(reread)
    await aborted(stop)
    log.info('stopping; the switches keep their flows')
    await close()
    log.info('stopped')
    await written(log)
    return 0
  } catch (error) {
    // One sentence for who started it; where in the program it was is for who looks for a defect.
    log.debug({ err: error }, 'it could not start')
    complain(`l2sm controller: ${inWords(error)}`)
    return 1
  }
}

export const refuse = (command: string, faults: readonly string[], complain: (line: string) => void): ExitCode => {
  for (const fault of faults) complain(`l2sm: ${fault}`)
  complain(`l2sm ${command} --help lists the options`)
  return 2
}

/** JSON lines, or lines to read when somebody is there to read them. */
export const createLog = async (level: Config['log-level']): Promise<Logger> => {
  if (!process.stdout.isTTY) return pino({ level })
  const { default: pretty } = await import('pino-pretty')
  return pino({ level }, pretty({ sync: true, translateTime: 'SYS:HH:MM:ss.l', ignore: 'pid,hostname' }))
}

/** Once all lines are written: a line on its way would come after those that the end of the process writes. */
const written = (log: Logger): Promise<void> =>
  new Promise(resolve => {
    const stream = (log as unknown as { readonly [pino.symbols.streamSym]: unknown })[pino.symbols.streamSym]
    if (!isDestination(stream)) return resolve()
    stream.once('close', () => resolve())
    stream.end()
  })

const isDestination = (stream: unknown): stream is DestinationStream & EventEmitter & { end(): void } =>
  stream instanceof EventEmitter && 'flushSync' in stream && 'end' in stream

export const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
