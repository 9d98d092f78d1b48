import { wellKnownLogin } from '../api/http/auth.ts'
import { type Credential, parseCredentials } from '../api/http/credentials.ts'
import type { Config } from './options.ts'

export type Credentials = {
  readonly token?: string
  readonly login?: { readonly user: string; readonly password: string }
  /** Of --credentials-file. */
  readonly credentials?: readonly Credential[]
}

type ReadFile = (path: string) => Promise<string>
const shortestToken = 16

/** The secrets that the options name: read once, at the start. What is wrong with them is said without repeating them. */
export const readCredentials = async (
  config: Pick<Config, 'token-file' | 'onos-auth-file' | 'compat-auth'> & Partial<Pick<Config, 'credentials-file'>>,
  readFile: ReadFile,
): Promise<{ readonly credentials: Credentials; readonly faults: readonly string[] }> => {
  const token = await secret(config['token-file'], readFile, 'token-file', checkToken)
  const login = await secret(config['onos-auth-file'], readFile, 'onos-auth-file', checkLogin)
  const list = await readList(config['credentials-file'], readFile)
  const faults = [token.fault, login.fault, ...list.faults].filter(fault => fault !== undefined)
  const given = login.text === undefined ? undefined : splitLogin(login.text)
  const chosen = config['compat-auth'] ? wellKnownLogin : given
  return {
    credentials: {
      ...(token.text !== undefined && { token: token.text }),
      ...(chosen && { login: chosen }),
      ...(list.credentials && { credentials: list.credentials }),
    },
    faults,
  }
}

const readList = async (
  path: string | undefined,
  readFile: ReadFile,
): Promise<{ readonly credentials?: readonly Credential[]; readonly faults: readonly string[] }> => {
  if (path === undefined) return { faults: [] }
  const named = (fault: string) => `credentials-file ${path}: ${fault}`
  let text: string
  try {
    text = await readFile(path)
  } catch (error) {
    return { faults: [named(`it cannot be read: ${(error as Error).message}`)] }
  }
  const { parseDocument } = await import('yaml')
  const document = parseDocument(text, { uniqueKeys: true })
  const [wrong] = document.errors
  if (wrong) return { faults: [named(`line ${wrong.linePos?.[0].line ?? 1} is not YAML: ${wrong.code}`)] }
  const read = parseCredentials(document.toJS({ maxAliasCount: 0 }))
  return 'faults' in read ? { faults: read.faults.map(named) } : { credentials: read, faults: [] }
}

/** One line of a file, without its end; `check` answers what is wrong with it. */
const secret = async (
  path: string | undefined,
  readFile: ReadFile,
  option: string,
  check: (text: string) => string | undefined,
): Promise<{ readonly text?: string; readonly fault?: string }> => {
  if (path === undefined) return {}
  try {
    const text = (await readFile(path)).replace(/\r?\n$/, '')
    const wrong = check(text)
    return wrong === undefined ? { text } : { fault: `${option} ${path}: ${wrong}` }
  } catch (error) {
    return { fault: `${option} ${path} can not be read: ${(error as Error).message}` }
  }
}

const checkToken = (text: string): string | undefined => {
  if (!/^[\x21-\x7e]*$/.test(text)) return 'expected one line of printable ASCII without spaces'
  return text.length >= shortestToken
    ? undefined
    : `expected ${shortestToken} characters or more, got ${text.length}: openssl rand -hex 32 makes a good one`
}

const splitLogin = (text: string) => {
  const colon = text.indexOf(':')
  return { user: text.slice(0, colon), password: text.slice(colon + 1) }
}

const checkLogin = (text: string): string | undefined => {
  if (!/^[^:\r\n]+:[^\r\n]+$/.test(text)) return 'expected one line, user:password'
  const { user, password } = splitLogin(text)
  return user === wellKnownLogin.user && password === wellKnownLogin.password
    ? 'this is the well-known login, known to everybody: choose another password, or say --compat-auth'
    : undefined
}
