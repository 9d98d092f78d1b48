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

/** Which datapaths a peer has proved to stand for, or why it is none of ours. */
export function scopeShown(peer: Peer): { readonly scope: Scope } | { readonly wrong: string } {
  const certificate = peer.getPeerCertificate()
  if (!('subject' in certificate)) return { wrong: 'it shows no certificate' }
  if (!peer.authorized) return { wrong: `its certificate is refused: ${peer.authorizationError}` }
  const named = scopeOf(certificate)
  return 'wrong' in named ? { wrong: `its certificate names ${named.wrong}` } : named
}

/** The parts of a peer's certificate that may name datapaths, as Node gives them. */
export type Named = {
  readonly subject: { readonly CN?: string | readonly string[] | undefined }
  readonly subjectaltname?: string | undefined
}

/** Datapaths that a certificate stands for, as 16 lower-case hex digits each. */
export type Scope = 'any' | ReadonlySet<string>

/**
 * Which datapaths a certificate stands for: those of its URIs `l2sm:dpid:<16 hex digits>`, and of its common name if that
 * is 16 hex digits; `any` when it names none. A URI of ours that cannot be read was meant to narrow, and must not come to
 * mean `any`: then the answer is what is wrong.
 */
export function scopeOf({
  subject,
  subjectaltname = '',
}: Named): { readonly scope: Scope } | { readonly wrong: string } {
  const dpids = new Set<string>()
  for (const uri of uris(subjectaltname).filter(text => /^l2sm:/i.test(text))) {
    const [, digits] = /^l2sm:dpid:([0-9a-f]{16})$/i.exec(uri) ?? []
    if (digits === undefined) return { wrong: `${JSON.stringify(uri)}, expected l2sm:dpid: and 16 hex digits` }
    dpids.add(digits.toLowerCase())
  }
  for (const name of [subject.CN ?? []].flat()) if (/^[0-9a-f]{16}$/i.test(name)) dpids.add(name.toLowerCase())
  return { scope: dpids.size === 0 ? 'any' : dpids }
}

/**
 * The URIs of a list such as `URI:l2sm:dpid:00000000000000aa, DNS:"a, URI:b"`: a name that could be mistaken for more than
 * one stands in quotes, as a JSON string, and so does one of ours that has odd characters in it.
 */
function uris(names: string): string[] {
  return [...names.matchAll(/([^:,\s]+):("(?:[^"\\]|\\.)*"|[^,]*)/g)]
    .filter(([, kind]) => kind === 'URI')
    .map(([, , text = '']) => (text.startsWith('"') ? String(JSON.parse(text)) : text.trim()))
}
