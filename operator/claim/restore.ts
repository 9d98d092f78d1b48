/**
 * Claims of a pod that runs, made again from its annotation: somebody has deleted them, or the cluster was restored from a backup that
 * lacks them. What the pod has is the truth: nothing is chosen anew.
 */

import { askedBy } from '../asked/asked.ts'
import { isFault, parseMultus } from '../asked/multus.ts'
import { multusNetworks, networkId, plainNad } from '../kube/names.ts'
import type { Claim, Pod } from '../kube/objects.ts'
import { addressClaimName, interfaceClaimName } from './names.ts'
import { make, type Stock } from './stock.ts'

/** Answers how many claims are there again. */
export const restoreClaims = async (stock: Stock, pod: Pod): Promise<number> => {
  const { namespace = '', name, uid, annotations = {} } = pod.metadata
  const given = parseMultus(annotations[multusNetworks] ?? '')
  const asked = askedBy({ namespace, annotations }, stock.isNad, stock.namespace)
  if (isFault(given) || isFault(asked)) return 0
  const interfaces = stock.interfaces(pod.spec.nodeName ?? '')
  const ref = { namespace, name, uid }
  const isOurs = (other: Claim) => other.spec.pod.uid === uid
  let restored = 0
  // take() has written one element for each that is asked for, in this order.
  for (const [i, one] of asked.entries()) {
    const element = given[i]
    const its =
      element?.namespace === stock.namespace &&
      interfaces.find(({ nad }) => element.name === nad || element.name === plainNad(nad))
    if (one.is !== 'network' || !its || !element) continue
    const network = networkId(namespace, one.name)
    for (const ip of element.ips ?? []) {
      const address = ip.split('/')[0]!
      const claim = addressClaimName(network, address)
      if (!stock.ledger.has(claim) && (await make(stock, claim, { pod: ref, network, address }, isOurs))) restored++
    }
    const claim = interfaceClaimName(its.dpid, its.port)
    const { mac, ips } = element
    const spec = { pod: ref, network, interface: its, ...(mac !== undefined && { mac }), ...(ips && { ips }) }
    if (!stock.ledger.has(claim) && (await make(stock, claim, spec, isOurs))) restored++
  }
  return restored
}
