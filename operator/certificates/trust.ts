/** Tells the API server whose certificate the webhooks show. */

import type { Api } from '../kube/api.ts'
import { type MutatingWebhooks, place } from '../kube/objects.ts'

/** Of cert-manager: it writes the CA there itself. */
const injected = 'cert-manager.io/inject-ca-from'

/** Answers whether it had to be written. */
export const ensureTrust = async (api: Api, name: string, ca: string): Promise<boolean> => {
  const at = place('mutatingWebhooks', { name })
  const there = await api.get<MutatingWebhooks>(at)
  if (!there || there.metadata.annotations?.[injected] !== undefined) return false
  const caBundle = Buffer.from(ca).toString('base64')
  const wrong = (there.webhooks ?? []).flatMap(({ clientConfig }, i) => (clientConfig.caBundle === caBundle ? [] : [i]))
  if (wrong.length === 0) return false
  await api.patch(at, 'json', [
    { op: 'test', path: '/metadata/resourceVersion', value: there.metadata.resourceVersion },
    ...wrong.map(i => ({ op: 'add', path: `/webhooks/${i}/clientConfig/caBundle`, value: caBundle })),
  ])
  return true
}
