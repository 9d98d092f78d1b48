import { readFile } from 'node:fs/promises'
import type { Logger } from 'pino'
import { authFor } from '../api/http/auth.ts'
import { createMetrics, type Metrics } from '../api/metrics.ts'
import { createController } from '../controller/controller.ts'
import type { Credentials as TlsCredentials } from '../openflow/session/server.ts'
import { openMemory } from '../store/memory.ts'
import { openSqlite } from '../store/sqlite/sqlite.ts'
import { type Store, StoreError } from '../store/store.ts'
import type { Credentials } from './credentials.ts'
import { type Config, shownAddress, shownEndpoint } from './options.ts'
import type { TlsFiles } from './tls-files.ts'
import { watchTls } from './tls-watch.ts'

/** What was read from files before the start. */
export type Secrets = Credentials & {
  readonly tls?: { readonly files: TlsFiles; readonly credentials: TlsCredentials } | undefined
}

export type Started = {
  readonly close: () => Promise<void>
  /** Reads the files for TLS again. */
  readonly reread: () => void
}

/**
 * The store, then the controller, then the API. Answers how to close all of it; what was opened is closed again when the rest fails.
 * The API comes last because loading it takes longer than everything before: switches need not wait for it.
 */
export const start = async (
  config: Config,
  { tls, ...credentials }: Secrets,
  version: string,
  log: Logger,
): Promise<Started> => {
  const open: (() => Promise<void>)[] = []
  const close = async () => {
    for (const one of open.splice(0).reverse()) await one()
  }
  try {
    const metrics = createMetrics({ version })
    const store = await openStore(config, metrics)
    open.push(() => store.close())
    const controller = await createController({
      store,
      metrics: metrics.record,
      log,
      listeners: config.openflow.map(({ scheme, host, port }) => ({
        ...{ host, port },
        tls: scheme === 'tls' ? tls?.credentials : undefined,
      })),
      vlanRange: config['vlan-range'],
      adopt: config.adopt,
      takeover: config.takeover,
    })
    open.push(() => controller.close())
    const read = (path: string) => readFile(path, 'utf8')
    const watch = tls && watchTls({ ...tls, readFile: read, renew: controller.renew, log })
    open.push(async () => watch?.close())
    const { createApi } = await import('../api/server.ts')
    const auth = authFor(config.http.host, credentials)
    const api = await createApi({ store, controller, metrics, auth, log, version })
    open.push(() => api.close())
    const http = await api.listen(config.http)
    const openflow = controller.addresses.map((address, i) => shownEndpoint({ ...config.openflow[i]!, ...address }))
    log.info({ http: shownAddress(http), openflow, version, instance: store.instance }, 'ready')
    return { close, reread: () => void watch?.look() }
  } catch (error) {
    await close()
    throw error
  }
}

const openStore = async ({ store }: Config, { storeRecord }: Metrics): Promise<Store> =>
  store.kind === 'memory' ? openMemory({ record: storeRecord }) : openSqlite(store.path, { record: storeRecord })

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
