import { constants } from 'node:crypto'

/** What a server needs to speak TLS, each as the text of a PEM file. */
export type Credentials = {
  /** The private key, without a passphrase. */
  readonly key: string
  /** The certificate of that key, followed by intermediate ones if there are any. */
  readonly cert: string
  /** Certificates of those who may sign switches' certificates: nobody else may, whom the system trusts included. */
  readonly ca: string
}

/** AEAD ciphers with forward secrecy, whatever the defaults of this Node are; in OpenSSL's notation. */
const ciphers = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256:ECDHE+AESGCM:ECDHE+CHACHA20'

/**
 * Options of a TLS server. No session is resumed: one could outlive the certificate, or the CA, that it was made with.
 * Throws when something is missing: without a CA, Node would trust all those of the system.
 */
export function tlsOptions(credentials: Credentials) {
  for (const [part, text] of Object.entries(credentials))
    if (!text.includes('-----BEGIN '))
      throw new Error(`${part}: expected PEM, got ${text.length} characters of something else`)
  const { key, cert, ca } = credentials
  return {
    ...{ key, cert, ca, ciphers, minVersion: 'TLSv1.2' as const, requestCert: true },
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
    // Whoever is not authorized is turned away by who opened the server, who can say why: see scopeShown.
    rejectUnauthorized: false,
  }
}

/** What a TLS socket, after its handshake, knows of its peer. */
export type Peer = {
  /** Whether the peer's certificate is valid and signed by the CA. */
  readonly authorized: boolean
  /** Why not. */
  readonly authorizationError?: Error | string | null
  /** `{}` if the peer has shown none. */
  getPeerCertificate(): Named | object
}

/**
 * Which datapaths a peer has a certificate for, or why it is turned away. A certificate for no datapath admits nothing, unless
 * `anyDpid`: then it is good for all.
 */
export function scopeShown(peer: Peer, anyDpid: boolean): { readonly scope: Scope } | { readonly wrong: string } {
  const certificate = peer.getPeerCertificate()
  if (!('subject' in certificate)) return { wrong: 'it shows no certificate' }
  if (!peer.authorized) return { wrong: `its certificate is refused: ${peer.authorizationError}` }
  const named = scopeOf(certificate)
  if ('wrong' in named) return { wrong: `its certificate names ${named.wrong}` }
  if (named.scope.size > 0) return { scope: named.scope }
  if (anyDpid) return { scope: 'any' }
  const near = named.near.length === 0 ? '' : `; it has ${named.near.join(', and ')}`
  return { wrong: `its certificate is for no datapath: expected a URI l2sm:dpid: and 16 hex digits${near}` }
}

/** The parts of a peer's certificate that may name datapaths, as Node gives them. */
export type Named = {
  readonly subject: { readonly [part: string]: string | readonly string[] | undefined }
  readonly subjectaltname?: string | undefined
}

/** Datapaths that a peer may say that it is, as 16 lower-case hex digits each. */
export type Scope = 'any' | ReadonlySet<string>

/**
 * Which datapaths a certificate is for: those of its URIs `l2sm:dpid:<16 hex digits>`, any number of them, and of its common name
 * if that is 16 hex digits. `near`: what else of it looks as if it were to name one, in words. A URI of ours that cannot be read
 * is wrong, whatever else is there: it was meant to narrow.
 */
export function scopeOf({
  subject,
  subjectaltname = '',
}: Named): { readonly scope: ReadonlySet<string>; readonly near: readonly string[] } | { readonly wrong: string } {
  const dpids = new Set<string>()
  const near: string[] = []
  for (const { kind, text } of names(subjectaltname)) {
    const ours = kind === 'URI' && /^l2sm:/i.test(text)
    const [, digits] = (ours && /^l2sm:dpid:([0-9a-f]{16})$/i.exec(text)) || []
    if (digits !== undefined) dpids.add(digits.toLowerCase())
    else if (ours) return { wrong: `${JSON.stringify(text)}, expected l2sm:dpid: and 16 hex digits` }
    else if (looksLikeDpid(text)) near.push(`${kind} ${JSON.stringify(text)}${advice(text)}`)
  }
  for (const [part, value] of Object.entries(subject))
    for (const text of [value ?? []].flat()) {
      if (part === 'CN' && /^[0-9a-f]{16}$/i.test(text)) dpids.add(text.toLowerCase())
      else if (looksLikeDpid(text)) near.push(`${part} ${JSON.stringify(text)}${advice(text)}`)
    }
  return { scope: dpids, near }
}

/** Hex digits of what may be meant as a datapath id: with 0x, colons, dashes or blanks, or behind a path. */
const digitsOf = (text: string): string =>
  (text.trim().split(/[/=]/).at(-1) ?? '').replace(/^(?:.*dpid:|of:|0x)/i, '').replace(/[\s:.-]/g, '')

/** Whether a name may be meant as a datapath id: it says so, or is 12 to 20 hex digits of which some are decimal. */
const looksLikeDpid = (text: string): boolean =>
  /dpid|datapath/i.test(text) || (/^[0-9a-f]{12,20}$/i.test(digitsOf(text)) && /\d/.test(text))

const advice = (text: string): string => {
  const digits = digitsOf(text)
  if (!/^[0-9a-f]+$/i.test(digits)) return ''
  return digits.length === 16
    ? ` (write URI:l2sm:dpid:${digits.toLowerCase()})`
    : ` (${digits.length} hex digits, a datapath id has 16)`
}

type Name = { readonly kind: string; readonly text: string }

/**
 * The names of a list such as `URI:l2sm:dpid:00000000000000aa, DNS:"a, URI:b"`: a name that could be mistaken for more than
 * one stands in quotes, as a JSON string, and so does one of ours that has odd characters in it.
 */
const names = (list: string): Name[] =>
  [...list.matchAll(/([^:,\s][^:,]*):("(?:[^"\\]|\\.)*"|[^,]*)/g)].map(([, kind = '', text = '']) => ({
    kind,
    text: text.startsWith('"') ? String(JSON.parse(text)) : text.trim(),
  }))
