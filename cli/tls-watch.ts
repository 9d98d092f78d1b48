import type { Credentials } from '../openflow/session/server.ts'
import type { EndWatch } from './certificate-end.ts'
import { expiryOf, readTls } from './tls.ts'
import type { TlsFiles } from './tls-files.ts'

type Log = {
  info(words: string): void
  warn(words: string): void
  error(words: string): void
}

export type TlsWatch = {
  /** Reads the files now, and says what became of that, whatever it is. */
  look(): Promise<void>
  close(): void
}

type Options = {
  readonly files: TlsFiles
  /** In use now. */
  readonly credentials: Credentials
  readonly readFile: (path: string) => Promise<string>
  readonly renew: (credentials: Credentials) => void
  readonly end: EndWatch
  readonly log: Log
  /** Between two looks, ms. */
  readonly every?: number
}

/**
 * Reads the files again and again: however they are replaced (written over, renamed, a Kubernetes Secret's links), their text
 * tells. What is new counts when it has stood still from one look to the next: a key and its certificate are not replaced
 * at one instant. Files that are of no use change nothing, and are complained of once, and again on request.
 */
export const watchTls = ({ files, credentials, readFile, renew, end, log, every = 2_000 }: Options): TlsWatch => {
  let used = credentials
  let last = spelled(credentials)
  let complaint = ''
  let closed = false
  let timer: NodeJS.Timeout | undefined

  const complain = (faults: readonly string[], asked: boolean) => {
    const words = faults.join('; ')
    if (words === complaint && !asked) return
    complaint = words
    log.error(`the files for OpenFlow over TLS are of no use, those read before stay in use: ${words}`)
  }
  const take = (fresh: Credentials) => {
    try {
      renew(fresh)
    } catch (error) {
      return complain([(error as Error).message], false)
    }
    used = fresh
    complaint = ''
    log.info(`OpenFlow over TLS uses new files, good until ${expiryOf(used).toISOString()}; switches stay connected`)
  }
  const settle = (fresh: Credentials, faults: readonly string[], asked: boolean) => {
    const now = spelled(fresh) + faults.join()
    const still = asked || now === last
    last = now
    if (!still) return
    if (faults.length > 0) complain(faults, asked)
    else if (spelled(fresh) !== spelled(used)) take(fresh)
    else if (asked || complaint !== '') {
      complaint = ''
      log.info('the files for OpenFlow over TLS are those in use')
    }
  }
  const warn = (now: Date) => end.look(expiryOf(used), now)
  const look = async (asked: boolean) => {
    const now = new Date()
    const { credentials: fresh, faults } = await readTls(files, readFile, now)
    if (closed) return
    settle(fresh, faults, asked)
    warn(now)
  }
  const again = () => {
    const failed = (error: Error) => log.error(`the files for OpenFlow over TLS can not be looked at: ${error.message}`)
    timer = setTimeout(() => look(false).catch(failed).finally(again), every).unref()
    if (closed) clearTimeout(timer)
  }
  warn(new Date())
  again()
  return {
    look: () => look(true),
    close() {
      closed = true
      clearTimeout(timer)
    },
  }
}

const spelled = ({ key, cert, ca }: Credentials): string => JSON.stringify([key, cert, ca])
