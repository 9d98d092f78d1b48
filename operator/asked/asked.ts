/** What a pod asks for. Pure. */

import { parseHost } from '../address/ip.ts'
import { askedMultus, askedNetworks, multusNetworks, placeholder } from '../kube/names.ts'
import type { Pod } from '../kube/objects.ts'
import { type Element, type Fault, isFault, parseJson, parseMultus, parseNames } from './multus.ts'

/** One interface that a pod is to have: in a network of ours, or what only Multus knows. */
export type Asked =
  | { readonly is: 'network'; readonly name: string; readonly ips: readonly string[]; readonly element: Element }
  | { readonly is: 'foreign'; readonly element: Element }

/** Whether a name of a NetworkAttachmentDefinition in the pod's namespace is a network, in the oldest form. */
export type IsNetwork = (namespace: string, name: string) => boolean

type Asking = { readonly namespace: string; readonly annotations: Readonly<Record<string, string>> }

/**
 * In the order of the pod's interfaces: first those of `l2sm/networks`, as its users expect net1 to be the first of them, then
 * those of Multus's own annotation. Of that, the text as its author wrote it. `interfaces`: the namespace of our interfaces, which
 * nobody may name: they are given out here.
 */
export const askedBy = (
  { namespace, annotations }: Asking,
  isNetwork: IsNetwork,
  interfaces: string,
): readonly Asked[] | Fault => {
  const own = annotations[askedNetworks] ?? ''
  const first = own.trim().startsWith('[') ? parseJson(own) : parseNames(own)
  if (isFault(first)) return { fault: `annotation ${askedNetworks}: ${first.fault}` }
  const then = parseMultus(multusAsked(annotations))
  if (isFault(then)) return { fault: `annotation ${multusNetworks}: ${then.fault}` }
  const asked = [
    ...first.map(element => ({ element, ours: true })),
    ...then.map(element => ({ element, ours: isNetwork(element.namespace ?? namespace, element.name) })),
  ]
  const found: Asked[] = []
  const names = new Set<string>()
  for (const { element, ours } of asked) {
    if (!ours) {
      if (element.namespace === interfaces)
        return { fault: `${interfaces}/${element.name} is an interface that the operator gives out: ask for a network` }
      found.push({ is: 'foreign', element })
      continue
    }
    const wrong = refusal(element, namespace, names)
    if (wrong) return { fault: wrong }
    names.add(element.name)
    found.push({ is: 'network', name: element.name, ips: element.ips ?? [], element })
  }
  return found
}

const refusal = (
  { name, namespace: its, ips }: Element,
  namespace: string,
  names: ReadonlySet<string>,
): string | undefined => {
  if (its !== undefined && its !== namespace)
    return `network ${its}/${name} is in another namespace: a pod may use networks of its own namespace, ${namespace}, only`
  if (names.has(name)) return `network ${name} is asked for twice: a pod has one interface in a network`
  const wrong = ips?.find(ip => !parseHost(ip))
  return wrong === undefined
    ? undefined
    : `network ${name}: ${JSON.stringify(wrong)} is no address: expected such as 10.0.0.1/24`
}

/** Multus's annotation as its author wrote it; ours is put in its place. */
const multusAsked = (annotations: Readonly<Record<string, string>>): string =>
  annotations[askedMultus] ?? (annotations[askedNetworks] === undefined ? (annotations[multusNetworks] ?? '') : '')

export const isWaiting = (annotations: Readonly<Record<string, string>> = {}): boolean =>
  (annotations[multusNetworks] ?? '').includes(placeholder)

/** What a pod is refused for, whatever the cluster is like. */
export const refusedFor = (pod: Pick<Pod, 'spec'>): string | undefined =>
  pod.spec.hostNetwork
    ? 'a pod with hostNetwork has the interfaces of its node, and can have none in a network: leave out hostNetwork, or the label l2sm'
    : undefined
