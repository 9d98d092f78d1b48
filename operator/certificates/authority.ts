/**
 * The certificates of an installation: a CA, and what it signs for the controller, the webhooks and the operator's own calls. Each is a
 * Secret, so that every replica has the same. One that somebody else made (cert-manager, a person) is used and never written.
 */

import { X509Certificate } from 'node:crypto'
import { issuePem, type Pem, type Wish } from '../../pki/certificates.ts'
import { type Api, isRefused } from '../kube/api.ts'
import { collection, place, type Secret } from '../kube/objects.ts'

/** On Secrets of ours; without it a Secret is somebody else's. */
const owner = { 'app.kubernetes.io/managed-by': 'l2sm-operator' } as const

/** Days. The CA outlives what it signs; it is made once. */
const lifetime = { ca: 3_650, leaf: 90 } as const

type Row = { readonly secret: string } & Pick<Wish, 'commonName' | 'names' | 'usage'>

const service = (name: string, namespace: string): string[] =>
  [name, `${name}.${namespace}`, `${name}.${namespace}.svc`, `${name}.${namespace}.svc.cluster.local`].map(
    host => `DNS:${host}`,
  )

const authority: Row = { secret: 'l2sm-ca', commonName: 'l2sm-ca', usage: 'ca' }

/** By whom the controller knows the operator. */
export const operatorName = 'l2sm-operator'

/** To add a certificate: a row. */
const leaves = (namespace: string) =>
  ({
    controller: {
      ...{ secret: 'l2sm-controller-tls', commonName: 'l2sm-controller', usage: 'server' },
      // localhost: for who comes by kubectl port-forward.
      names: [...service('l2sm-controller', namespace), 'DNS:localhost'],
    },
    webhooks: {
      ...{ secret: 'l2sm-operator-tls', commonName: 'l2sm-operator', usage: 'server' },
      names: service('l2sm-operator', namespace),
    },
    client: { secret: 'l2sm-operator-client', commonName: operatorName, usage: 'client' },
  }) as const satisfies { readonly [name: string]: Row }

export type Certificates = { readonly ca: Pem } & { readonly [Name in keyof ReturnType<typeof leaves>]: Pem }

/** Makes what is missing, renews what has passed two thirds of its life, and answers all of it. Any replica may. */
export const ensureCertificates = async (api: Api, namespace: string, now: Date): Promise<Certificates> => {
  const ca = await ensure(api, namespace, authority, 'self', now)
  const made = Object.entries(leaves(namespace)).map(
    async ([name, row]) => [name, await ensure(api, namespace, row, ca, now)] as const,
  )
  return { ca, ...Object.fromEntries(await Promise.all(made)) } as Certificates
}

const ensure = async (api: Api, namespace: string, row: Row, signer: Pem | 'self', now: Date): Promise<Pem> => {
  const at = place('secrets', { namespace, name: row.secret })
  for (;;) {
    const there = await api.get<Secret>(at)
    const pem = there && pemOf(there)
    if (there && there.metadata.labels?.[label] !== owner[label]) {
      if (pem) return pem
      throw new Error(
        `Secret ${namespace}/${row.secret} is not ours (no label ${label}: ${owner[label]}) and has no tls.crt and tls.key: delete it, or fill it`,
      )
    }
    if (pem && isGood(pem, row, signer, now)) return pem
    const days = row.usage === 'ca' ? lifetime.ca : lifetime.leaf
    const { commonName, usage, names = [] } = row
    const fresh = await issuePem({ commonName, usage, names, days, signer })
    try {
      const secret = spelled(namespace, row, fresh, signer === 'self' ? fresh.cert : signer.cert)
      if (!there) await api.create(collection('secrets', namespace), secret)
      else {
        const { resourceVersion } = there.metadata
        await api.replace(at, { ...secret, metadata: { ...secret.metadata, resourceVersion } })
      }
      return fresh
    } catch (error) {
      // Another replica was faster: what it made is as good.
      if (!isRefused(error, 409)) throw error
    }
  }
}

const label = 'app.kubernetes.io/managed-by'

const spelled = (namespace: string, { secret }: Row, { key, cert }: Pem, ca: string) => ({
  ...{ apiVersion: 'v1', kind: 'Secret', type: 'kubernetes.io/tls' },
  metadata: { name: secret, namespace, labels: owner },
  data: { 'tls.key': encoded(key), 'tls.crt': encoded(cert), 'ca.crt': encoded(ca) },
})

const encoded = (text: string): string => Buffer.from(text).toString('base64')

const pemOf = ({ data = {} }: Secret): Pem | undefined => {
  const [key, cert] = ['tls.key', 'tls.crt'].map(name => Buffer.from(data[name] ?? '', 'base64').toString())
  return key && cert ? { key, cert } : undefined
}

/** Signed by this CA, for these names, and with a third of its life ahead. Of the CA only the time counts. */
const isGood = ({ cert }: Pem, { names = [] }: Row, signer: Pem | 'self', now: Date): boolean => {
  try {
    const x509 = new X509Certificate(cert)
    if (now.getTime() > renewAt(x509)) return false
    if (signer === 'self') return true
    const has = new Set((x509.subjectAltName ?? '').split(', '))
    return x509.verify(new X509Certificate(signer.cert).publicKey) && names.every(name => has.has(name))
  } catch {
    return false
  }
}

/** Milliseconds since the epoch: two thirds of its life are over. */
export const renewAt = ({ validFromDate, validToDate }: X509Certificate): number =>
  validFromDate.getTime() + ((validToDate.getTime() - validFromDate.getTime()) * 2) / 3
