/** Certificates, made by the openssl command: it is in every distribution, and X.509 is nothing to write by hand. */

import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CommandFailed, run } from '../lab/command.ts'

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
    const fresh = ['-set_serial', `0x00${randomBytes(16).toString('hex')}`, '-days', String(wish.days)]
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
    return await run('openssl', args, { timeout: 120_000 })
  } catch (error) {
    if (error instanceof CommandFailed && error.message.includes('ENOENT'))
      throw new Error('there is no openssl command here, and it is what makes certificates: apt-get install openssl')
    throw error
  }
}
