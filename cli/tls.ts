import { createPrivateKey, X509Certificate } from 'node:crypto'
import { type Credentials, checkCredentials } from '../openflow/session/server.ts'
import { optionOf, type TlsFiles } from './tls-files.ts'

type ReadFile = (path: string) => Promise<string>

const parts = Object.keys(optionOf) as readonly (keyof Credentials)[]

/** What the files hold and, if that is of no use now, why, in sentences that name the option and the file. */
export const readTls = async (
  files: TlsFiles,
  readFile: ReadFile,
  now: Date,
): Promise<{ readonly credentials: Credentials; readonly faults: readonly string[] }> => {
  const texts = await Promise.all(
    parts.map(async part => {
      try {
        return { part, text: await readFile(files[part]), fault: undefined }
      } catch (error) {
        const words = (error as Error).message
        return { part, text: '', fault: `${optionOf[part]} ${files[part]} can not be read: ${words}` }
      }
    }),
  )
  const credentials = Object.fromEntries(texts.map(({ part, text }) => [part, text])) as Credentials
  const unread = texts.flatMap(({ fault }) => (fault === undefined ? [] : [fault]))
  return { credentials, faults: unread.length > 0 ? unread : check(credentials, files, now) }
}

const check = (credentials: Credentials, files: TlsFiles, now: Date): string[] => {
  const named = (part: keyof Credentials) => `${optionOf[part]} ${files[part]}`
  const key = attempt(() => createPrivateKey(credentials.key))
  const certificates = certificatesIn(credentials.cert)
  const signers = certificatesIn(credentials.ca)
  const faults: string[] = []
  if (key === undefined) faults.push(`${named('key')}: expected a private key in PEM, without a passphrase`)
  for (const [part, found] of [['cert', certificates] as const, ['ca', signers] as const])
    if (found.length === 0 || found.includes(undefined)) faults.push(`${named(part)}: expected a certificate in PEM`)
  const [own] = certificates
  if (faults.length > 0 || key === undefined || own === undefined) return faults
  if (!own.checkPrivateKey(key)) faults.push(`${named('cert')} is not the certificate of ${named('key')}`)
  if (own.keyUsage?.includes(serverAuth) === false)
    faults.push(`${named('cert')} is not for servers, but for other uses (such as a switch's)`)
  const wrongTime = outside(own, now)
  if (wrongTime !== undefined) faults.push(`${named('cert')} ${wrongTime}`)
  const uses = signers.map(signer => (signer?.ca ? outside(signer, now) : 'is none of a CA'))
  if (!uses.includes(undefined)) faults.push(`${named('ca')} ${uses[0]}`)
  if (faults.length > 0) return faults
  try {
    checkCredentials(credentials)
    return []
  } catch (error) {
    return [`${parts.map(named).join(', ')}: not usable for TLS: ${(error as Error).message}`]
  }
}

/** Extended key usage: a TLS server (RFC 5280 §4.2.1.12). A certificate without that list is for all uses. */
const serverAuth = '1.3.6.1.5.5.7.3.1'

const outside = (
  { validFromDate, validToDate, validFrom, validTo }: X509Certificate,
  now: Date,
): string | undefined => {
  if (now > validToDate) return `has expired on ${validTo}`
  return now < validFromDate ? `is not valid before ${validFrom}` : undefined
}

/** All certificates of a PEM file; undefined for one that cannot be read. */
const certificatesIn = (pem: string): (X509Certificate | undefined)[] =>
  [...pem.matchAll(/-----BEGIN (?:X509 )?CERTIFICATE-----[^-]*(?:-----END[^-]*-----)?/g)].map(([text]) =>
    attempt(() => new X509Certificate(text)),
  )

const attempt = <T>(make: () => T): T | undefined => {
  try {
    return make()
  } catch {
    return undefined
  }
}

/** The first day on which a certificate of ours, or the last CA, is not valid any more. */
export const expiryOf = ({ cert, ca }: Credentials): Date => {
  const ends = (pem: string) =>
    certificatesIn(pem).flatMap(one => (one === undefined ? [] : [one.validToDate.getTime()]))
  return new Date(Math.min(...ends(cert), Math.max(...ends(ca))))
}
