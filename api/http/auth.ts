import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { shown } from '../contract/shown.ts'
import { type Failures, tooMany } from './failures.ts'
import { isLoopback } from './loopback.ts'
import { problem } from './problems.ts'

/** Who may use `/v1` and the rest of our own addresses. `nobody`: reached from beyond this machine, and no token is set. */
export type TokenRule =
  | { readonly is: 'anybody' }
  | { readonly is: 'token'; readonly token: string }
  | { readonly is: 'nobody' }

/** Who may use the adapter at `/onos`. */
export type LoginRule =
  | { readonly is: 'anybody' }
  | { readonly is: 'login'; readonly user: string; readonly password: string }
  | { readonly is: 'nobody' }

export type Auth = { readonly token: TokenRule; readonly login: LoginRule }

/** The login that every ONOS has from its maker, and every client of L2S-M uses. */
export const wellKnownLogin = { user: 'karaf', password: 'karaf' } as const

/**
 * The rules that follow from where HTTP listens and what is set. What is set is asked for everywhere, on loopback too. What is
 * not set is open on loopback and closed beyond it. It is where we listen that counts, not where a request comes from: a proxy or
 * a service mesh beside us makes every request one from loopback. A token on loopback closes the adapter as well, as
 * it could do the same.
 */
export const authFor = (
  host: string,
  set: {
    readonly token?: string | undefined
    readonly login?: { readonly user: string; readonly password: string } | undefined
  },
): Auth => {
  const local = isLoopback(host)
  const unset = (open: boolean) => ({ is: open ? ('anybody' as const) : ('nobody' as const) })
  return {
    token: set.token === undefined ? unset(local) : { is: 'token', token: set.token },
    login: set.login === undefined ? unset(local && set.token === undefined) : { is: 'login', ...set.login },
  }
}

/** What of a request decides. `address` is the peer's. */
export type Asking = {
  readonly address: string
  readonly authorization: string | undefined
  readonly host: string | undefined
  readonly origin: string | undefined
}

/** Refuses by throwing a ProblemError: 401, 403 or 429. */
export type Gate = (asking: Asking) => void

const key = randomBytes(32)
/** In a time that says nothing about where they differ, nor how long the right one is. */
const equal = (a: string, b: string): boolean => {
  const digest = (text: string) => createHmac('sha256', key).update(text).digest()
  return timingSafeEqual(digest(a), digest(b))
}

const header = 'header/authorization'

export const tokenGate = (rule: TokenRule, failures: Failures): Gate => {
  const challenge = { 'www-authenticate': 'Bearer realm="l2sm"' }
  if (rule.is === 'anybody') return refuseForeignPages
  if (rule.is === 'nobody')
    return () => {
      throw problem('no-token-set', [], {}, challenge)
    }
  return gate(failures, challenge, 'Authorization: Bearer TOKEN', asking => {
    const token = /^Bearer +([^ ]+) *$/i.exec(asking)?.[1]
    return token !== undefined && equal(token, rule.token)
  })
}

export const loginGate = (rule: LoginRule, failures: Failures): Gate => {
  const challenge = { 'www-authenticate': 'Basic realm="l2sm", charset="UTF-8"' }
  if (rule.is === 'anybody') return refuseForeignPages
  if (rule.is === 'nobody')
    return () => {
      throw problem('no-login-set', [], {}, challenge)
    }
  return gate(failures, challenge, 'HTTP basic authentication', asking => {
    const encoded = /^Basic +([A-Za-z0-9+/=]+) *$/i.exec(asking)?.[1]
    if (encoded === undefined) return false
    return equal(Buffer.from(encoded, 'base64').toString('utf8'), `${rule.user}:${rule.password}`)
  })
}

const gate = (
  failures: Failures,
  challenge: { readonly [name: string]: string },
  expected: string,
  isRight: (authorization: string) => boolean,
): Gate => {
  return ({ address, authorization }) => {
    // Without a credential nothing was guessed: that is no failure to count.
    if (authorization === undefined)
      throw problem('unauthorized', [], { where: header, expected, got: 'nothing' }, challenge)
    // Before the comparison, or whoever guesses would still learn when the guess was right.
    const seconds = failures.blockedFor(address)
    if (seconds > 0) throw tooMany(address, seconds)
    if (isRight(authorization)) return
    failures.failed(address)
    throw problem('wrong-credential', [], { where: header, expected, got: 'another one' }, challenge)
  }
}

/**
 * Where everybody on this machine may ask, a browser on it is somebody too, and any web page can send it here: from its own
 * origin, or under a name of its own that it lets point to 127.0.0.1. Neither looks like a request of a command or a program.
 */
const refuseForeignPages: Gate = ({ host, origin }) => {
  const named = host?.replace(/:\d*$/, '')
  if (named !== undefined && !isLoopback(named))
    throw problem('foreign-host', [shown(named)], {
      ...{ where: 'header/host', expected: '127.0.0.1, [::1] or localhost', got: shown(named) },
    })
  if (origin !== undefined && origin !== `http://${host}`)
    throw problem('foreign-origin', [shown(origin)], {
      ...{ where: 'header/origin', expected: `http://${host}`, got: shown(origin) },
    })
}
