import { resolve } from 'node:path'
import type { Logger } from 'pino'
import type { HttpTls } from '../api/http/app.ts'
import { authFor } from '../api/http/auth.ts'
import { createMetrics } from '../api/metrics.ts'
import { createApi } from '../api/server.ts'
import { createController } from '../controller/controller.ts'
import { openRecord } from '../controller/history/record.ts'
import type { Credentials as TlsCredentials } from '../openflow/session/server.ts'
import { StoreError } from '../store/error.ts'
import { watchEnd } from './certificate-end.ts'
import type { Credentials } from './credentials.ts'
import type { Opening } from './open-store.ts'
import { type Config, shownAddress, shownEndpoint } from './options.ts'
import { readSecret } from './secret-file.ts'
import type { TlsFiles } from './tls-files.ts'
import { watchTls } from './tls-watch.ts'
import { watchHttpFiles } from './watch-http.ts'

const hourMs = 3_600_000
/** A link that LLDP found, and that has been dead for this long, is not part of the mesh any more; it is found again if it comes back. */
const forgetLinksMs = 24 * hourMs

/** What was read from files before the start. */
export type Secrets = Credentials & {
  /** Of HTTP. */
  readonly https?: HttpTls | undefined
  readonly tls?: { readonly files: TlsFiles; readonly credentials: TlsCredentials } | undefined
}

export type Started = {
  readonly close: () => Promise<void>
  /** Reads the files for TLS again. */
  readonly reread: () => void
}

/**
 * The store, then the controller, then the API. Answers how to close all of it; what was opened is closed again when the rest fails.
 */
export const start = async (
  config: Config,
  { tls, https, ...credentials }: Secrets,
  version: string,
  log: Logger,
  opening: Opening,
): Promise<Started> => {
  const open: (() => Promise<void>)[] = []
  const close = async () => {
    for (const one of open.splice(0).reverse()) await one()
  }
  try {
    const metrics = createMetrics({ version })
    opening.countIn(metrics.storeRecord)
    const store = await opening.store
    open.push(() => store.close())
    const path = historyPath(config)
    const record = await openRecord({ path, revision: () => store.state().revision, log, observe: metrics.observe })
    open.push(() => record.close())
    const { emit, history } = record
    const forgetting = setInterval(() => {
      store
        .write(draft => draft.forgetDeadLinks(forgetLinksMs))
        .catch(error => log.warn(`dead links are kept: ${error.message}`))
    }, hourMs).unref()
    open.push(async () => clearInterval(forgetting))
    const controller = await createController({
      store,
      metrics: metrics.record,
      emit,
      log,
      listeners: config.openflow.map(({ scheme, host, port }) => ({
        ...{ host, port },
        tls: scheme === 'tls' ? tls?.credentials : undefined,
        anyDpid: config['openflow-any-dpid'],
      })),
      vlanRange: config['vlan-range'],
      adopt: config.adopt,
      takeover: config.takeover,
      prove: config.prove,
    })
    open.push(() => controller.close())
    const end = (what: 'OpenFlow over TLS' | 'HTTPS') =>
      watchEnd(
        ends => metrics.certificateEnds(what, ends),
        (ends, isOver) => emit({ kind: 'certificate-ending', what, ends: ends.toISOString(), isOver }),
      )
    const renew = controller.renew
    const watch = tls && watchTls({ ...tls, readFile: readSecret, renew, end: end('OpenFlow over TLS'), log })
    open.push(async () => watch?.close())
    const auth = authFor(config.http.host, credentials)
    const openBackup = async (path: string) => (await import('../store/sqlite/sqlite.ts')).openSqlite(path)
    const api = await createApi({
      openBackup,
      store,
      controller,
      emit,
      history,
      metrics,
      auth,
      tls: https,
      log,
      version,
    })
    open.push(() => api.close())
    const http = await api.listen(config.http)
    const probes = config.probes && (await api.listenForProbes(config.probes))
    const httpFiles = watchHttpFiles(config, api, readSecret, end('HTTPS'), log)
    open.push(async () => httpFiles.close())
    const openflow = controller.addresses.map((address, i) => shownEndpoint({ ...config.openflow[i]!, ...address }))
    const places = { http: shownAddress(http), ...(probes && { probes: shownAddress(probes) }), openflow }
    const { instance, isNew } = store
    emit({ kind: 'controller-started', version, instance })
    log.info({ ...places, store: shownStore(config.store), isNew, version, instance }, 'ready')
    open.push(async () => emit({ kind: 'controller-stopped', instance }))
    const reread = () => {
      void watch?.look()
      void httpFiles.look()
    }
    return { close, reread }
  } catch (error) {
    await close()
    throw error
  }
}

/** The history lies beside the store. */
const historyPath = ({ store }: Config): string | undefined =>
  store.kind === 'memory' ? undefined : `${store.path}-events.jsonl`

/** The whole path, so that nobody looks for it elsewhere. */
const shownStore = (place: Config['store']): string =>
  place.kind === 'memory' ? 'memory' : `sqlite:${resolve(place.path)}`

/** What stops a start, in words for who started it. */
export const inWords = (error: unknown): string => {
  if (error instanceof StoreError) return `the store can not be opened: ${error.message}`
  const { code, address = '', port = 0, message } = error as NodeJS.ErrnoException & { address?: string; port?: number }
  const place = shownAddress({ host: address, port })
  if (code === 'EADDRINUSE') return `can not listen on ${place}: something else does; ss -ltnp shows what`
  if (code === 'EACCES') return `can not listen on ${place}: only root may use ports below 1024`
  if (code === 'EADDRNOTAVAIL') return `can not listen on ${place}: this machine does not have that address`
  return `can not start: ${message}`
}
