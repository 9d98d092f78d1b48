import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../command.ts'

/** A CA and what it has signed, as files NAME.key and NAME.crt of one folder. */
export type Pki = { readonly directory: string }

const openssl = (directory: string, ...args: string[]) =>
  run('sh', ['-ec', `cd '${directory}'; openssl "$@"`, 'sh', ...args])

const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']

export const makePki = async (directory: string): Promise<Pki> => {
  const usage = 'keyUsage=critical,keyCertSign,cRLSign,digitalSignature'
  await openssl(
    directory,
    'req',
    '-x509',
    ...key,
    '-days',
    '30',
    '-subj',
    '/CN=lab-ca',
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-addext',
    usage,
  )
  await openssl(directory, 'ecparam', '-genkey', '-name', 'prime256v1', '-noout', '-out', 'sa.key')
  await openssl(directory, 'ec', '-in', 'sa.key', '-pubout', '-out', 'sa.pub')
  return { directory }
}

/** `names`: for a server, such as IP:127.0.0.1; without any it is a client's. */
export const sign = async (
  { directory }: Pki,
  name: string,
  subject: string,
  names: readonly string[] = [],
): Promise<void> => {
  await openssl(directory, 'req', '-new', ...key, '-subj', subject, '-keyout', `${name}.key`, '-out', `${name}.csr`)
  const usage = names.length > 0 ? `serverAuth,clientAuth\nsubjectAltName=${names.join(',')}` : 'clientAuth'
  writeFileSync(join(directory, `${name}.ext`), `keyUsage=digitalSignature\nextendedKeyUsage=${usage}\n`)
  const ca = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial']
  await openssl(
    directory,
    'x509',
    '-req',
    '-in',
    `${name}.csr`,
    ...ca,
    '-days',
    '30',
    '-out',
    `${name}.crt`,
    '-extfile',
    `${name}.ext`,
  )
}

/** Writes NAME.kubeconfig for who has the certificate NAME; answers its path. */
export const writeKubeconfig = ({ directory }: Pki, name: string, server: string): string => {
  const base64 = (file: string) => readFileSync(join(directory, file)).toString('base64')
  const path = join(directory, `${name}.kubeconfig`)
  const user = { 'client-certificate-data': base64(`${name}.crt`), 'client-key-data': base64(`${name}.key`) }
  writeFileSync(path, JSON.stringify(kubeconfig(base64('ca.crt'), server, name, user)))
  return path
}

/** Writes NAME.kubeconfig for who has a bearer token. */
export const writeTokenKubeconfig = ({ directory }: Pki, name: string, server: string, token: string): string => {
  const path = join(directory, `${name}.kubeconfig`)
  const ca = readFileSync(join(directory, 'ca.crt')).toString('base64')
  writeFileSync(path, JSON.stringify(kubeconfig(ca, server, name, { token })))
  return path
}

const kubeconfig = (ca: string, server: string, name: string, user: object) => ({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'lab', cluster: { server, 'certificate-authority-data': ca } }],
  users: [{ name, user }],
  contexts: [{ name: 'lab', context: { cluster: 'lab', user: name } }],
  'current-context': 'lab',
})
