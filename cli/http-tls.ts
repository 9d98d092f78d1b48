import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import type { HttpTls } from '../api/http/app.ts'
import type { Config } from './options.ts'

type ReadFile = (path: string) => Promise<string>
type HttpFiles = Pick<Config, 'http-key' | 'http-cert' | 'http-client-ca'>

/** What HTTPS needs, or what is wrong with the files. `tls` is undefined when none are named. */
export const readHttpTls = async (
  config: HttpFiles,
  readFile: ReadFile,
): Promise<{ readonly tls?: HttpTls | undefined; readonly faults: readonly string[] }> => {
  const faults: string[] = []
  const text = async (option: keyof HttpFiles): Promise<string> => {
    const path = config[option]
    if (path === undefined) return ''
    return readFile(path).catch((error: Error) => {
      faults.push(`${option} ${path} cannot be read: ${error.message}`)
      return ''
    })
  }
  const [key, cert, clientCa] = await Promise.all([text('http-key'), text('http-cert'), text('http-client-ca')])
  if (config['http-key'] === undefined || config['http-cert'] === undefined) return { faults: [] }
  const tls = { key, cert, ...(config['http-client-ca'] !== undefined && { clientCa }) }
  return faults.length > 0 ? { faults } : { tls, faults: wrong(tls, config) }
}

/** When nobody can connect any more. */
export const endOf = ({ cert }: HttpTls): Date => new X509Certificate(cert).validToDate

const wrong = ({ key, cert, clientCa }: HttpTls, config: HttpFiles): string[] => {
  const named = (option: keyof HttpFiles) => `${option} ${config[option]}`
  const tried = (sentence: string, make: () => unknown): string[] => {
    try {
      return make() === false ? [sentence] : []
    } catch {
      return [sentence]
    }
  }
  const parts = [
    ...tried(`${named('http-key')}: expected a private key in PEM, without a passphrase`, () => createPrivateKey(key)),
    ...tried(`${named('http-cert')}: expected a certificate in PEM`, () => new X509Certificate(cert)),
    ...(clientCa === undefined
      ? []
      : tried(
          `${named('http-client-ca')}: expected the certificate of a CA in PEM`,
          () => new X509Certificate(clientCa).ca,
        )),
  ]
  if (parts.length > 0) return parts
  const fits = () => new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))
  const pair = tried(`${named('http-cert')} is not the certificate of ${named('http-key')}`, fits)
  if (pair.length > 0) return pair
  try {
    createSecureContext({ key, cert, ...(clientCa !== undefined && { ca: clientCa }) })
    return []
  } catch (error) {
    return [`${named('http-cert')}, ${named('http-key')}: not usable for TLS: ${(error as Error).message}`]
  }
}
