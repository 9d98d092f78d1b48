import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { shown } from '../contract/shown.ts'
import { type Credential, isPassword, type Role, sha256, tokenCredential } from './credentials.ts'
import { type Failures, tooMany } from './failures.ts'
import { isLoopback } from './loopback.ts'
import { problem } from './problems.ts'

/** Who may use `/v1` and the rest of our own addresses. `nobody`: reached from beyond this machine, and no credential is set. */
export type TokenRule =
  | { readonly is: 'anybody' }
  | { readonly is: 'credentials'; readonly credentials: readonly Credential[] }
  | { readonly is: 'nobody' }

/** Who may use the adapter at `/onos`, beside the credentials with the role write or admin. */
export type LoginRule =
  | { readonly is: 'anybody' }
  | { readonly is: 'login'; readonly user: string; readonly password: string }
  | { readonly is: 'nobody' }

export type Auth = { readonly token: TokenRule; readonly login: LoginRule }

/** Who asks, once it is known: for the log, for events, and for what may be done. */
export type Actor = { readonly name: string; readonly role: Role }

/** The login that every ONOS has from its maker, and every client of L2S-M uses. */
export const wellKnownLogin = { user: 'karaf', password: 'karaf' } as const

/**
 * The rules that follow from where HTTP listens and what is set. What is set is asked for everywhere, on loopback too. What is
 * not set is open on loopback and closed beyond it. It is where we listen that counts, not where a request comes from: a proxy or
 * a service mesh beside us makes every request one from loopback. A credential on loopback closes the adapter as well, as
 * it could do the same.
 */
export const authFor = (
  host: string,
  set: {
    readonly token?: string | undefined
    readonly login?: { readonly user: string; readonly password: string } | undefined
    readonly credentials?: readonly Credential[] | undefined
  },
): Auth => {
  const local = isLoopback(host)
  const isSet = set.token !== undefined || set.credentials !== undefined
  const unset = (open: boolean) => ({ is: open ? ('anybody' as const) : ('nobody' as const) })
  const credentials = [...(set.token === undefined ? [] : [tokenCredential(set.token)]), ...(set.credentials ?? [])]
  return {
    token: isSet ? { is: 'credentials', credentials } : unset(local),
    login: set.login === undefined ? unset(local && !isSet) : { is: 'login', ...set.login },
  }
}

/** What of a request decides. `address` is the peer's. */
export type Asking = {
  readonly address: string
  readonly authorization: string | undefined
  readonly host: string | undefined
  readonly origin: string | undefined
  readonly protocol: 'http' | 'https'
  /** The name in the certificate of the client, if our CA signed it. */
  readonly certificate: string | undefined
}

/** Answers who it is, or refuses by throwing a ProblemError: 401, 403 or 429. */
export type Gate = (asking: Asking) => Promise<Actor>

const header = 'header/authorization'
const bearerChallenge = { 'www-authenticate': 'Bearer realm="l2sm"' }
const basicChallenge = { 'www-authenticate': 'Basic realm="l2sm", charset="UTF-8"' }

export const tokenGate = (rule: TokenRule, failures: Failures): Gate => {
  if (rule.is === 'anybody') return refuseForeignPages
  if (rule.is === 'nobody')
    return async () => {
      throw problem('no-token-set', [], {}, bearerChallenge)
    }
  const find = finder(rule.credentials)
  return gate(failures, bearerChallenge, 'Authorization: Bearer TOKEN', find)
}

export const loginGate = ({ token, login }: Auth, failures: Failures): Gate => {
  if (login.is === 'anybody') return refuseForeignPages
  const find = finder(token.is === 'credentials' ? token.credentials.filter(({ role }) => mayWrite(role)) : [])
  if (login.is === 'nobody') {
    const known = gate(failures, basicChallenge, 'HTTP basic authentication', find)
    return async asking => {
      if (token.is !== 'credentials') throw problem('no-login-set', [], {}, basicChallenge)
      return known(asking)
    }
  }
  const actor: Actor = { name: login.user, role: 'write' }
  const isEasy = login.password.length < hardToGuess && login.password !== wellKnownLogin.password
  const isLogin = ({ user, secret }: Presented) => equal(`${user}:${secret}`, `${login.user}:${login.password}`)
  return gate(failures, basicChallenge, 'HTTP basic authentication', {
    ...find,
    easy: async presented => (isEasy && isLogin(presented) ? actor : find.easy(presented)),
    hard: presented => (!isEasy && isLogin(presented) ? actor : find.hard(presented)),
  })
}

const mayWrite = (role: Role): boolean => role === 'write' || role === 'admin'

/** Characters of a secret that nobody finds by trying, also without a limit on how often. */
const hardToGuess = 16

type Presented = { readonly user: string | undefined; readonly secret: string }

/** What an Authorization header says: a token, or a name and its token or password. */
const presentedIn = (authorization: string): Presented | undefined => {
  const token = /^Bearer +([^ ]+) *$/i.exec(authorization)?.[1]
  if (token !== undefined) return { user: undefined, secret: token }
  const encoded = /^Basic +([A-Za-z0-9+/=]+) *$/i.exec(authorization)?.[1]
  if (encoded === undefined) return undefined
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon < 0 ? undefined : { user: text.slice(0, colon), secret: text.slice(colon + 1) }
}

type Finder = {
  /** By what cannot be guessed: it is always looked at, so nobody who guesses keeps the right one out. */
  hard(presented: Presented): Actor | undefined
  /** By what could be guessed, and costs time: only for who did not guess too often. */
  easy(presented: Presented): Promise<Actor | undefined>
  byCertificate(commonName: string): Actor | undefined
}

const finder = (credentials: readonly Credential[]): Finder => {
  const tokens = new Map<string, Credential>()
  const certificates = new Map<string, Credential>()
  const passwords = new Map<string, Credential>()
  for (const credential of credentials) {
    const { name, proof } = credential
    if (proof.is === 'token') tokens.set(proof.sha256, credential)
    else if (proof.is === 'certificate') certificates.set(proof.commonName, credential)
    else passwords.set(name, credential)
  }
  return {
    hard({ user, secret }) {
      const found = tokens.get(sha256(secret))
      return user === undefined || user === found?.name ? found : undefined
    },
    async easy({ user, secret }) {
      const found = user === undefined ? undefined : passwords.get(user)
      return found && (await isPassword(found.proof, secret)) ? found : undefined
    },
    byCertificate: commonName => certificates.get(commonName),
  }
}

/** Passwords that were right once, remembered as digests: they pass whoever else guesses, and cost no time. */
const mostProven = 1000

const gate = (
  failures: Failures,
  challenge: { readonly [name: string]: string },
  expected: string,
  find: Finder,
): Gate => {
  const proven = new Map<string, Actor>()
  const easy = async (address: string, authorization: string, presented: Presented) => {
    const digest = digestOf(authorization).toString('base64')
    const before = proven.get(digest)
    if (before) return before
    // Before the comparison, or whoever guesses would still learn when the guess was right.
    if (failures.blockedFor(address) > 0) return undefined
    const found = await find.easy(presented)
    if (found && proven.size < mostProven) proven.set(digest, found)
    return found
  }
  return async ({ address, authorization, certificate }) => {
    const shownBy = certificate === undefined ? undefined : find.byCertificate(certificate)
    if (shownBy && authorization === undefined) return shownBy
    // Without a credential nothing was guessed: that is no failure to count.
    if (authorization === undefined)
      throw problem('unauthorized', [], { where: header, expected, got: 'nothing' }, challenge)
    const presented = presentedIn(authorization)
    const found = presented && (find.hard(presented) ?? (await easy(address, authorization, presented)))
    if (found) return found
    const seconds = failures.blockedFor(address)
    if (seconds > 0) throw tooMany(address, seconds)
    failures.failed(address)
    throw problem('wrong-credential', [], { where: header, expected, got: 'another one' }, challenge)
  }
}

const key = randomBytes(32)
const digestOf = (text: string): Buffer => createHmac('sha256', key).update(text).digest()
/** In a time that says nothing about where they differ, nor how long the right one is. */
const equal = (a: string, b: string): boolean => timingSafeEqual(digestOf(a), digestOf(b))

/**
 * Where everybody on this machine may ask, a browser on it is somebody too, and any web page can send it here: from its own
 * origin, or under a name of its own that it lets point to 127.0.0.1. Neither looks like a request of a command or a program.
 */
const refuseForeignPages: Gate = async ({ host, origin, protocol }) => {
  const named = host?.replace(/:\d*$/, '')
  if (named !== undefined && !isLoopback(named)) {
    const place = { where: 'header/host', expected: '127.0.0.1, [::1] or localhost', got: shown(named) }
    throw problem('foreign-host', [shown(named)], place)
  }
  const own = `${protocol}://${host}`
  if (origin !== undefined && origin !== own)
    throw problem('foreign-origin', [shown(origin)], { where: 'header/origin', expected: own, got: shown(origin) })
  return anybody
}

/** Who asks where nothing is asked for. */
export const anybody: Actor = { name: 'anybody', role: 'admin' }

/** What a route asks of who uses it: the least role, or that it is about the node of an agent. */
export type Needs = 'read' | 'write' | 'admin'

const ranks: readonly string[] = ['read', 'write', 'admin']

/** Throws when a role is not enough. `node`: the node that the request is about, where its agent may ask. */
export const authorize = ({ name, role }: Actor, needs: Needs, node: string | undefined): void => {
  const isEnough = role.startsWith('node:') ? role === `node:${node}` : ranks.indexOf(role) >= ranks.indexOf(needs)
  if (!isEnough) throw problem('forbidden', [shown(name), role, needs], { expected: needs, got: role })
}
