/** All claims that are known: those of the mirror, and at once those made here. In memory only. */

import type { AddressClaim, Claim, InterfaceClaim } from '../kube/objects.ts'

/** `since`: milliseconds since 1970, by the API server's clock. */
export type Held<T> = { readonly name: string; readonly since: number; readonly spec: T }

export type Ledger = {
  put(claim: Claim): void
  drop(name: string): void
  get(name: string): Claim | undefined
  /** It is claimed, or just being claimed here. */
  has(name: string): boolean
  interfacesOf(uid: string): readonly Held<InterfaceClaim>[]
  addressesOf(uid: string): readonly Held<AddressClaim>[]
  /** Interfaces whose pods are in this network. */
  in(network: string): readonly Held<InterfaceClaim>[]
  /** Who has an address, by the address. */
  addresses(network: string): ReadonlyMap<string, AddressClaim>
  all(): Iterable<Held<InterfaceClaim | AddressClaim>>
  /** Of two that want the same at once, one gets it; the other looks further. Until `free`. */
  reserve(name: string): boolean
  free(name: string): void
}

export const isInterface = (spec: InterfaceClaim | AddressClaim): spec is InterfaceClaim => 'interface' in spec

export const openLedger = (): Ledger => {
  const claims = new Map<string, Claim>()
  const all = new Map<string, Held<InterfaceClaim | AddressClaim>>()
  const byUid = new Map<string, Set<string>>()
  const byNetwork = new Map<string, Set<string>>()
  const addresses = new Map<string, Map<string, AddressClaim>>()
  const reserved = new Set<string>()
  const none = new Map<string, AddressClaim>()

  const drop = (name: string) => {
    const held = all.get(name)
    if (!held) return
    all.delete(name)
    claims.delete(name)
    const { spec } = held
    unlist(byUid, spec.pod.uid, name)
    if (isInterface(spec)) unlist(byNetwork, spec.network, name)
    else {
      const those = addresses.get(spec.network)
      those?.delete(spec.address)
      if (those?.size === 0) addresses.delete(spec.network)
    }
  }
  const put = (claim: Claim) => {
    const { metadata, spec } = claim
    drop(metadata.name)
    claims.set(metadata.name, claim)
    all.set(metadata.name, { name: metadata.name, since: Date.parse(metadata.creationTimestamp), spec })
    enlist(byUid, spec.pod.uid, metadata.name)
    if (isInterface(spec)) enlist(byNetwork, spec.network, metadata.name)
    else {
      const those = addresses.get(spec.network) ?? new Map<string, AddressClaim>()
      addresses.set(spec.network, those.set(spec.address, spec))
    }
  }
  const named = (names: Iterable<string> = []) => Array.from(names, name => all.get(name)!)
  return {
    ...{ put, drop },
    get: name => claims.get(name),
    has: name => all.has(name) || reserved.has(name),
    interfacesOf: uid => named(byUid.get(uid)).filter((held): held is Held<InterfaceClaim> => isInterface(held.spec)),
    addressesOf: uid => named(byUid.get(uid)).filter((held): held is Held<AddressClaim> => !isInterface(held.spec)),
    in: network => named(byNetwork.get(network)) as Held<InterfaceClaim>[],
    addresses: network => addresses.get(network) ?? none,
    all: () => all.values(),
    reserve: name => !all.has(name) && !reserved.has(name) && reserved.add(name) !== undefined,
    free: name => void reserved.delete(name),
  }
}

const enlist = (index: Map<string, Set<string>>, key: string, name: string) => {
  const names = index.get(key) ?? new Set()
  index.set(key, names.add(name))
}
const unlist = (index: Map<string, Set<string>>, key: string, name: string) => {
  const names = index.get(key)
  names?.delete(name)
  if (names?.size === 0) index.delete(key)
}
