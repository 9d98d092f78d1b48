/** What is answered to an AdmissionReview (admission.k8s.io/v1). Pure. */

import { askedBy, type IsNetwork, isWaiting, refusedFor } from '../asked/asked.ts'
import { isFault } from '../asked/multus.ts'
import { askedMultus, label, multusNetworks, placeholder } from '../kube/names.ts'
import type { Pod } from '../kube/objects.ts'

export type Review = {
  readonly request: {
    readonly uid: string
    readonly dryRun?: boolean
    readonly namespace?: string
    readonly name?: string
    readonly object: unknown
  }
}

export type Verdict =
  | { readonly is: 'allowed'; readonly patch?: readonly PatchStep[] }
  | { readonly is: 'denied'; readonly message: string }

/** RFC 6902. */
type PatchStep = { readonly op: 'add'; readonly path: string; readonly value: unknown }

export const answer = (uid: string, verdict: Verdict): object => ({
  apiVersion: 'admission.k8s.io/v1',
  kind: 'AdmissionReview',
  response: {
    uid,
    ...(verdict.is === 'denied'
      ? { allowed: false, status: { code: 403, message: verdict.message } }
      : {
          allowed: true,
          ...(verdict.patch && {
            patchType: 'JSONPatch',
            patch: Buffer.from(JSON.stringify(verdict.patch)).toString('base64'),
          }),
        }),
  },
})

/** Undefined when it is none. */
export const parseReview = (text: string): Review | undefined => {
  try {
    const { request } = JSON.parse(text) as Review
    return typeof request.uid === 'string' && typeof request.object === 'object' && request.object
      ? { request }
      : undefined
  } catch {
    return undefined
  }
}

/** Sets annotations and labels, beside those that are there. */
export const setIn = (
  { annotations, labels }: { readonly annotations?: object | undefined; readonly labels?: object | undefined },
  add: { readonly annotations?: Readonly<Record<string, string>>; readonly labels?: Readonly<Record<string, string>> },
): readonly PatchStep[] =>
  [
    ['annotations', annotations, add.annotations],
    ['labels', labels, add.labels],
  ].flatMap(([field, there, more]) =>
    more === undefined
      ? []
      : [{ op: 'add', path: `/metadata/${field}`, value: { ...(there as object), ...(more as object) } }],
  )

/**
 * A pod that is created: what it asks for is read, and refused where it can't be. It gets a placeholder that no plugin takes, so
 * that it waits until it has its interfaces. `namespace`: where it goes; the object does not always say.
 */
export const podVerdict = (pod: Pod, namespace: string, isNetwork: IsNetwork, interfaces: string): Verdict => {
  const { annotations = {}, labels = {} } = pod.metadata
  if (isWaiting(annotations)) return { is: 'allowed' }
  const { [askedMultus]: _, ...written } = annotations
  const original = annotations[multusNetworks]
  const kept = original === undefined ? written : { ...written, [askedMultus]: original }
  const asked = askedBy({ namespace, annotations: kept }, isNetwork, interfaces)
  if (isFault(asked)) return { is: 'denied', message: asked.fault }
  if (!asked.some(({ is }) => is === 'network')) return { is: 'allowed' }
  const refused = refusedFor(pod)
  if (refused) return { is: 'denied', message: refused }
  const annotation = { ...kept, [multusNetworks]: `${interfaces}/${placeholder}` }
  const isLabelled = labels[label] === 'true'
  return {
    is: 'allowed',
    patch: setIn({ labels }, { annotations: annotation, ...(!isLabelled && { labels: { [label]: 'true' } }) }),
  }
}
