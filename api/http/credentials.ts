import { createHash, randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import type { Static } from 'typebox'
import { checker } from '../contract/check.ts'
import { Type } from '../contract/type.ts'

/**
 * Who may use this API, and for what. A credential is a token (random, so its SHA-256 tells nothing of it), a password (scrypt),
 * or the name in a client's certificate. Nothing here is a secret: what is kept cannot be turned back.
 */
export type Credential = {
  /** For people, in the log and in events. Unique. */
  readonly name: string
  readonly role: Role
  readonly proof: Proof
}

/**
 * `read`: every GET. `write`: also networks, ports, links, nodes and the adapter. `admin`: also what concerns switches and the
 * store as a whole. `node:NAME`: an agent's, which reads the plan of its node and reports for it, and nothing else.
 */
export type Role = 'read' | 'write' | 'admin' | `node:${string}`

export type Proof =
  | { readonly is: 'token'; readonly sha256: string }
  | { readonly is: 'password'; readonly cost: Cost; readonly salt: Buffer; readonly hash: Buffer }
  | { readonly is: 'certificate'; readonly commonName: string }

/** RFC 7914: how much memory and time a guess takes. */
type Cost = { readonly N: number; readonly r: number; readonly p: number }

const closed = { additionalProperties: false } as const
const row = Type.Object(
  {
    name: Type.String({
      description: 'a name, 1 to 128 characters of A-Z a-z 0-9 . _ @ -',
      pattern: '^[A-Za-z0-9._@-]{1,128}$',
    }),
    role: Type.String({
      description: 'read, write, admin or node:NAME',
      pattern: '^(read|write|admin|node:[A-Za-z0-9._-]{1,253})$',
    }),
    token: Type.Optional(
      Type.String({
        description: 'sha256: and 64 hex digits, as l2sm token prints it',
        pattern: '^sha256:[0-9a-f]{64}$',
      }),
    ),
    password: Type.Optional(
      Type.String({
        description: 'scrypt:N:r:p:SALT:HASH, as l2sm token --password prints it',
        pattern: '^scrypt:[0-9]{4,7}:[0-9]{1,2}:[0-9]{1,2}:[A-Za-z0-9+/=]{8,}:[A-Za-z0-9+/=]{40,}$',
      }),
    ),
    certificate: Type.Optional(
      Type.String({
        description: "the common name in a client's certificate, 1 to 64 characters",
        minLength: 1,
        maxLength: 64,
      }),
    ),
  },
  closed,
)
const file = Type.Object({ credentials: Type.Array(row, { maxItems: 10_000 }) }, closed)
const check = checker(file)

/** What a credentials file holds, from the value of its YAML; or what is wrong with it, a sentence each. */
export const parseCredentials = (value: unknown): readonly Credential[] | { readonly faults: readonly string[] } => {
  const fault = check(value, 'file')
  if (fault) {
    const { where, expected, hint } = fault
    // What was got may be a secret that was put in the wrong place.
    return { faults: [`${where}: expected ${expected}${hint === undefined ? '' : `: ${hint}`}`] }
  }
  const rows = (value as Static<typeof file>).credentials
  const faults = rows.flatMap(({ name, token, password, certificate }, i) => {
    const given = [token, password, certificate].filter(each => each !== undefined).length
    const twice = rows.findIndex(other => other.name === name) < i
    return [
      ...(given === 1 ? [] : [`credential ${name}: expected one of token, password and certificate`]),
      ...(twice ? [`credential ${name} occurs twice: give each its own name`] : []),
    ]
  })
  return faults.length > 0 ? { faults } : rows.map(credentialOf)
}

const credentialOf = ({ name, role, token, password, certificate }: Static<typeof row>): Credential => ({
  ...{ name, role: role as Role },
  proof:
    token !== undefined
      ? { is: 'token', sha256: token.slice('sha256:'.length) }
      : password !== undefined
        ? passwordProof(password)
        : { is: 'certificate', commonName: certificate! },
})

const passwordProof = (text: string): Proof => {
  const [, N, r, p, salt = '', hash = ''] = text.split(':')
  const cost = { N: Number(N), r: Number(r), p: Number(p) }
  return { is: 'password', cost, salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') }
}

export const sha256 = (secret: string): string => createHash('sha256').update(secret).digest('hex')

/** The credential of `--token-file`, which may do everything. */
export const tokenCredential = (token: string): Credential => ({
  ...{ name: 'token-file', role: 'admin' },
  proof: { is: 'token', sha256: sha256(token) },
})

/** A token of 256 random bits, and what stands for it in a credentials file. */
export const newToken = (): { readonly secret: string; readonly kept: string } => {
  const secret = randomBytes(32).toString('base64url')
  return { secret, kept: `sha256:${sha256(secret)}` }
}

/** RFC 7914 §2: some 60 ms and 32 MiB a guess. */
const standardCost: Cost = { N: 32_768, r: 8, p: 1 }

/** What stands for a password in a credentials file. */
export const keptPassword = async (password: string): Promise<string> => {
  const salt = randomBytes(16)
  const hash = await derive(password, salt, 32, standardCost)
  const { N, r, p } = standardCost
  return `scrypt:${N}:${r}:${p}:${salt.toString('base64')}:${hash.toString('base64')}`
}

export const isPassword = async (proof: Proof, password: string): Promise<boolean> => {
  if (proof.is !== 'password') return false
  const { cost, salt, hash } = proof
  return timingSafeEqual(await derive(password, salt, hash.length, cost), hash)
}

/** Off the event loop. */
const derive = (password: string, salt: Buffer, length: number, { N, r, p }: Cost): Promise<Buffer> =>
  new Promise((resolve, reject) =>
    scrypt(password, salt, length, { N, r, p, maxmem: 256 * N * r }, (error, key) =>
      error ? reject(error) : resolve(key),
    ),
  )
