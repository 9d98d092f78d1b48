import { authFor } from '../api/http/auth.ts'
import type { Api } from '../api/server.ts'
import type { EndWatch } from './certificate-end.ts'
import { readCredentials } from './credentials.ts'
import { endOf, readHttpTls } from './http-tls.ts'
import type { Config } from './options.ts'

type Log = { info(words: string): void; error(words: string): void }

/** Milliseconds between two looks. */
const standard = 2_000

/**
 * Reads the files of the credentials and of HTTPS again and again: however they are replaced, their text tells. What is new
 * counts when it has stood still from one look to the next. Files that are of no use change nothing, and are complained of once.
 */
export const watchHttpFiles = (
  config: Config,
  api: Pick<Api, 'renewAuth' | 'renewTls'>,
  readFile: (path: string) => Promise<string>,
  end: EndWatch,
  log: Log,
  every = standard,
): { look(): Promise<void>; close(): void } => {
  const read = async () => {
    const [{ credentials, faults }, tls] = await Promise.all([
      readCredentials(config, readFile),
      readHttpTls(config, readFile),
    ])
    return { credentials, tls: tls.tls, faults: [...faults, ...tls.faults] }
  }
  type Read = Awaited<ReturnType<typeof read>>
  const auth = {
    use: (now: Read) => api.renewAuth(authFor(config.http.host, now.credentials)),
    words: 'the credentials were read again',
    part: (now: Read) => JSON.stringify(now.credentials),
  }
  const tls = {
    use: (now: Read) => now.tls && api.renewTls(now.tls),
    words: 'HTTPS uses new files; connections stay',
    part: (now: Read) => JSON.stringify(now.tls),
  }
  let last: string | undefined
  let complaint = ''
  const used = new Map<typeof auth | typeof tls, string>()

  const take = (now: Read) => {
    for (const what of [auth, tls]) {
      const text = what.part(now)
      const before = used.get(what)
      used.set(what, text)
      // The first look finds what the controller was started with.
      if (before === undefined || before === text) continue
      what.use(now)
      log.info(what.words)
    }
  }
  const look = async (asked: boolean): Promise<void> => {
    const now = await read()
    const text = JSON.stringify(now)
    const isStill = asked || last === undefined || text === last
    last = text
    if (!isStill) return
    const words = now.faults.join('; ')
    if (words !== '' && words !== complaint)
      log.error(`the files for HTTP are of no use, and those read before stay in use: ${words}`)
    complaint = words
    if (words === '') take(now)
    if (words === '' && now.tls) end.look(endOf(now.tls), new Date())
  }
  void look(false)
  const timer = setInterval(() => void look(false), every).unref()
  return { look: () => look(true), close: () => clearInterval(timer) }
}
