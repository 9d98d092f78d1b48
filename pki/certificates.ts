/** Certificates, made by the openssl command: it is in every distribution, and X.509 is nothing to write by hand. */

import { execFile } from 'node:child_process'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

export type Wish = {
  readonly commonName: string
  /** Subject alternative names in OpenSSL's notation: `DNS:a`, `IP:192.0.2.1`, `URI:b`. */
  readonly names?: readonly string[]
  /** The files of who signs, or `self` for a CA. A server's certificate is none that a client may show, and the other way round. */
  readonly signer: Place | 'self'
  readonly usage: 'ca' | 'server' | 'client'
  /** From now. */
  readonly days: number
}

/** Paths of a private key and of its certificate. */
export type Place = { readonly key: string; readonly cert: string }

const usages = {
  ca: ['basicConstraints = critical, CA:TRUE, pathlen:0', 'keyUsage = critical, keyCertSign, cRLSign'],
  server: [
    'basicConstraints = critical, CA:FALSE',
    'keyUsage = critical, digitalSignature',
    'extendedKeyUsage = serverAuth',
  ],
  client: [
    'basicConstraints = critical, CA:FALSE',
    'keyUsage = critical, digitalSignature',
    'extendedKeyUsage = clientAuth',
  ],
} as const

/**
 * Makes a P-256 key and a certificate, both readable by their owner only, in the place of those that are there. Rejects
 * with what openssl says, or when there is none, and has then changed nothing.
 */
export const issue = async (folder: string, place: Place, wish: Wish): Promise<void> => {
  const scratch = await mkdtemp(join(folder, '.new-'))
  const at = (name: string) => join(scratch, name)
  try {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    await writeFile(at('key'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
    await writeFile(at('config'), configOf(wish))
    const fresh = freshFor(wish.days)
    const request = ['req', '-new', '-sha256', '-config', at('config'), '-key', at('key')]
    const { signer } = wish
    if (signer === 'self')
      await writeFile(at('cert'), await openssl([...request, '-x509', '-extensions', 'wish', ...fresh]), {
        mode: 0o600,
      })
    else {
      await writeFile(at('request'), await openssl(request))
      const extensions = ['-extfile', at('config'), '-extensions', 'wish']
      const sign = ['x509', '-req', '-sha256', '-in', at('request'), '-CA', signer.cert, '-CAkey', signer.key]
      await writeFile(at('cert'), await openssl([...sign, ...extensions, ...fresh]), { mode: 0o600 })
    }
    // A controller that looks between the two finds a key that is not the certificate's, and looks again.
    await rename(at('key'), place.key)
    await rename(at('cert'), place.cert)
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

const freshFor = (days: number): string[] => [
  '-set_serial',
  `0x00${randomBytes(16).toString('hex')}`,
  '-days',
  String(days),
]

const configOf = ({ commonName, names = [], signer, usage }: Wish): string =>
  [
    '[req]',
    'prompt = no',
    'distinguished_name = subject',
    '[subject]',
    `CN = ${commonName}`,
    '[wish]',
    ...usages[usage],
    'subjectKeyIdentifier = hash',
    ...(signer === 'self' ? [] : ['authorityKeyIdentifier = keyid']),
    ...(names.length === 0 ? [] : [`subjectAltName = ${names.join(', ')}`]),
    '',
  ].join('\n')

const openssl = async (args: readonly string[]): Promise<string> => {
  try {
    return (await run('openssl', args, { timeout: 120_000, env: { ...process.env, LC_ALL: 'C' } })).stdout
  } catch (error) {
    const { code, stderr = '' } = error as { code?: unknown; stderr?: string }
    if (code === 'ENOENT')
      throw new Error('there is no openssl command here, and it is what makes certificates: apt-get install openssl')
    throw new Error(`openssl ${args.join(' ')}: ${stderr.trim() || (error as Error).message}`.slice(0, 600))
  }
}

/** A key and its certificate, or a CA's, as PEM. */
export type Pem = { readonly key: string; readonly cert: string }

/** As `issue`, for who keeps them elsewhere than in files; there are files only meanwhile, which nobody else can read. */
export const issuePem = (wish: Omit<Wish, 'signer'> & { readonly signer: Pem | 'self' }): Promise<Pem> =>
  inScratch(async folder => {
    const at = (name: string) => join(folder, name)
    const { signer } = wish
    if (signer !== 'self') await writeSigner(folder, signer)
    const by = signer === 'self' ? signer : signerIn(folder)
    await issue(folder, { key: at('key'), cert: at('cert') }, { ...wish, signer: by })
    return { key: await readFile(at('key'), 'utf8'), cert: await readFile(at('cert'), 'utf8') }
  })

/**
 * A certificate for the key of a request (PKCS #10, in PEM), which is proved to be the asker's. Nothing else of what is asked counts: name
 * and usage are those of the wish.
 */
export const signRequest = (
  request: string,
  wish: Omit<Wish, 'signer'> & { readonly signer: Pem },
): Promise<string> =>
  inScratch(async folder => {
    const at = (name: string) => join(folder, name)
    await writeSigner(folder, wish.signer)
    const signer = signerIn(folder)
    await writeFile(at('config'), configOf({ ...wish, signer }))
    await writeFile(at('request'), request)
    await openssl(['req', '-in', at('request'), '-verify', '-noout'])
    const extensions = ['-extfile', at('config'), '-extensions', 'wish', '-subj', `/CN=${wish.commonName}`]
    const sign = ['x509', '-req', '-sha256', '-in', at('request'), '-CA', signer.cert, '-CAkey', signer.key]
    return openssl([...sign, ...extensions, ...freshFor(wish.days)])
  })

/** A new key, and a request (PKCS #10) for its certificate. */
export const makeRequest = (commonName: string): Promise<{ readonly key: string; readonly request: string }> =>
  inScratch(async folder => {
    const at = (name: string) => join(folder, name)
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string
    await writeFile(at('key'), key, { mode: 0o600 })
    await writeFile(at('config'), `[req]\nprompt = no\ndistinguished_name = subject\n[subject]\nCN = ${commonName}\n`)
    return { key, request: await openssl(['req', '-new', '-sha256', '-config', at('config'), '-key', at('key')]) }
  })

const signerIn = (folder: string): Place => ({ key: join(folder, 'ca.key'), cert: join(folder, 'ca.crt') })

const writeSigner = async (folder: string, { key, cert }: Pem): Promise<void> => {
  const signer = signerIn(folder)
  await writeFile(signer.key, key, { mode: 0o600 })
  await writeFile(signer.cert, cert)
}

const inScratch = async <T>(work: (folder: string) => Promise<T>): Promise<T> => {
  const folder = await mkdtemp(join(tmpdir(), 'l2sm-pki-'))
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
