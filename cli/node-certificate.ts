import { X509Certificate } from 'node:crypto'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { renewAt } from '../operator/certificates/authority.ts'
import { commonNameOf, datapathNames, nodeSigner } from '../operator/certificates/nodes.ts'
import { type Api, connect } from '../operator/kube/api.ts'
import { collection, place, type SigningRequest } from '../operator/kube/objects.ts'
import { makeRequest } from '../pki/certificates.ts'
import { readValues } from './config.ts'
import { createLog, type ExitCode, refuse, type Surroundings } from './controller.ts'
import { type NodeCertificateConfig, nodeCertificateOptions } from './node-certificate-options.ts'
import { inWords } from './start.ts'

/** Milliseconds: between two looks at the files; between two tries after a failure; for an answer, and between two looks at it. */
const pace = { look: 10_000, retry: 3_000, answer: 60_000, poll: 500 } as const

/** `l2sm node-certificate`: keeps this node's certificate until `stop`, and answers the exit code. */
export const runNodeCertificate = async ({ argv, env, stop, complain }: Surroundings): Promise<ExitCode> => {
  const sources = { argv, env, readFile: (path: string) => readFile(path, 'utf8') }
  const given = await readValues({ name: 'node-certificate', options: nodeCertificateOptions }, sources)
  const standards = Object.entries(nodeCertificateOptions).map(([name, { standard }]) => [name, standard])
  const config = { ...Object.fromEntries(standards), ...given.values } as NodeCertificateConfig
  const { node } = config
  if (given.faults.length > 0) return refuse('node-certificate', given.faults, complain)
  if (node === undefined) return refuse('node-certificate', ['there is no node: give --node NAME'], complain)
  const log = await createLog(config['log-level'])
  const api = connect(config.kubeconfig)
  const pause = (ms: number) => sleep(ms, undefined, { signal: stop }).catch(() => {})
  try {
    while (!stop.aborted) {
      try {
        const providers = await providersIn(config['providers-file'])
        const why = await lacking(config.folder, node, providers, Date.now())
        if (why !== undefined) {
          log.info({ node, why }, 'asking for a certificate')
          await write(config.folder, await ask(api, node, stop))
          log.info({ node, folder: config.folder }, 'certificate written')
          // One that was signed for fewer bridges than were asked for: the operator knows of the others soon.
          await pause((await lacking(config.folder, node, providers, Date.now())) === undefined ? 0 : pace.look)
        } else if (config.once) return 0
        else await pause(pace.look)
      } catch (error) {
        if (stop.aborted) break
        log.warn({ node, why: inWords(error) }, 'no certificate; it will be tried again')
        await pause(pace.retry)
      }
    }
    return config.once ? 1 : 0
  } finally {
    api.close()
  }
}

const providersIn = async (path: string | undefined): Promise<string[]> => {
  const text = path === undefined ? '' : await readFile(path, 'utf8').catch(() => '')
  return text.split('\n').filter(line => line !== '')
}

const files = { key: 'node.key', cert: 'node.crt', ca: 'ca.crt' } as const

/** Why a certificate is wanted; undefined: the one that is there is good. */
const lacking = async (
  folder: string,
  node: string,
  providers: readonly string[],
  now: number,
): Promise<string | undefined> => {
  const [key, cert, ca] = await Promise.all(
    Object.values(files).map(name => readFile(join(folder, name), 'utf8').catch(() => undefined)),
  )
  if (key === undefined || cert === undefined || ca === undefined) return 'there is none'
  let x509: X509Certificate
  try {
    x509 = new X509Certificate(cert)
    if (!x509.verify(new X509Certificate(ca).publicKey)) return 'it is not signed by the CA beside it'
  } catch (error) {
    return `it can not be read: ${(error as Error).message}`
  }
  if (x509.subject !== `CN=${commonNameOf(node)}`) return `it is of ${x509.subject}`
  const names = new Set((x509.subjectAltName ?? '').split(', '))
  const missing = datapathNames(node, providers).filter(name => !names.has(name))
  if (missing.length > 0) return `it does not name ${missing.join(' and ')}`
  return now > renewAt(x509) ? `two thirds of its life are over; it ends on ${x509.validTo}` : undefined
}

type Issued = { readonly key: string; readonly cert: string; readonly ca: string }

/** Rejects when it is refused, or not answered in a minute. */
const ask = async (api: Api, node: string, stop: AbortSignal): Promise<Issued> => {
  const { key, request } = await makeRequest(commonNameOf(node))
  const { metadata } = await api.create<SigningRequest>(collection('signingRequests'), {
    ...{ apiVersion: 'certificates.k8s.io/v1', kind: 'CertificateSigningRequest' },
    metadata: { generateName: 'l2sm-node-' },
    spec: {
      ...{ request: Buffer.from(request).toString('base64'), signerName: nodeSigner },
      usages: ['digital signature', 'client auth'],
    },
  })
  for (let waited = 0; waited < pace.answer; waited += pace.poll) {
    await sleep(pace.poll, undefined, { signal: stop })
    const { status } = (await api.get<SigningRequest>(place('signingRequests', metadata))) ?? {}
    const denied = status?.conditions?.find(({ type }) => type === 'Denied' || type === 'Failed')
    if (denied) throw new Error(`the request ${metadata.name} was refused: ${denied.message ?? denied.type}`)
    if (status?.certificate) return { key, ...split(Buffer.from(status.certificate, 'base64').toString()) }
  }
  throw new Error(
    `the request ${metadata.name} is not answered: does l2sm operator --certificates run? kubectl describe csr ${metadata.name}`,
  )
}

/** The certificate, and after it the CA. */
const split = (chain: string): { readonly cert: string; readonly ca: string } => {
  const [cert, ...ca] = chain.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/g) ?? []
  if (cert === undefined || ca.length === 0) throw new Error('expected a certificate and its CA, got fewer')
  return { cert, ca: ca.join('') }
}

/** Each file whole. Who reads between two of them sees that they do not belong together, and reads again. */
const write = async (folder: string, issued: Issued): Promise<void> => {
  for (const part of ['ca', 'key', 'cert'] as const) {
    const path = join(folder, files[part])
    await writeFile(`${path}.new`, issued[part], { mode: part === 'key' ? 0o600 : 0o644 })
    await rename(`${path}.new`, path)
  }
}
