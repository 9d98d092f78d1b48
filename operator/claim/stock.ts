import type { Pools } from '../address/pool.ts'
import { type Api, isRefused } from '../kube/api.ts'
import { type Claim, collection, type Interface, place } from '../kube/objects.ts'
import type { Ledger } from './ledger.ts'

/** A network as pods see it; or why no pod can be in it. */
export type Found =
  | { readonly is: 'network'; readonly pools: Pools }
  | { readonly is: 'absent' }
  | { readonly is: 'unusable'; readonly why: string }

export type Stock = {
  readonly ledger: Ledger
  readonly api: Api
  /** The namespace of the NetworkAttachmentDefinitions of interfaces. */
  readonly namespace: string
  network(namespace: string, name: string): Found
  /** Whether it is a network in the oldest form. */
  isNad(namespace: string, name: string): boolean
  /** All interfaces of a node, those in use, too. */
  interfaces(node: string): readonly Interface[]
}

/** The pod can't have it now; it is asked again later, and may succeed then. */
export class Waits extends Error {
  readonly reason: string
  constructor(reason: string, message: string) {
    super(message)
    this.reason = reason
  }
}

/** Whether the claim is ours now. */
export const make = async (
  { api, ledger }: Stock,
  name: string,
  spec: Claim['spec'],
  isOurs: (other: Claim) => boolean,
): Promise<boolean> => {
  const known = ledger.get(name)
  if (known) return isOurs(known)
  if (!ledger.reserve(name)) return false
  try {
    const body = { apiVersion: 'l2sm.l2sm.k8s.local/v1', kind: 'Claim', metadata: { name }, spec }
    ledger.put(await api.create<Claim>(collection('claims'), body))
    return true
  } catch (error) {
    if (!isRefused(error, 409)) throw error
    const other = await api.get<Claim>(place('claims', { name }))
    if (other) ledger.put(other)
    return other !== undefined && isOurs(other)
  } finally {
    ledger.free(name)
  }
}
