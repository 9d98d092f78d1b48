/** Names of pods in their networks: POD.NETWORK.NAMESPACE.l2sm. POD is the pod's label l2sm/app, or its own name. */

import { parseNetworkId } from '../kube/names.ts'
import type { AddressClaim, PodRef } from '../kube/objects.ts'

/** The domain of all these names. */
export const domain = 'l2sm'

/**
 * The text of a hosts file (hosts(5)), as CoreDNS's plugin of that name reads it: a line `ADDRESS NAME` for each address of a pod
 * in a network, in a fixed order. Pods of one label share a name, which then has all their addresses.
 *
 * @param nameOf Undefined for a pod that is gone, whose address is kept for the next one of its name.
 */
export const hostsOf = (claims: Iterable<AddressClaim>, nameOf: (pod: PodRef) => string | undefined): string => {
  const lines: string[] = []
  for (const { address, network, pod } of claims) {
    const [id, name] = [parseNetworkId(network), nameOf(pod)]
    if (id && name !== undefined) lines.push(`${address} ${name}.${id.name}.${id.namespace}.${domain}\n`)
  }
  return lines.sort().join('')
}
