/** Addresses of a pod in a network: those that it names, or one that is free. */

import { contains, isReserved, parseHost, spellIp, subnetOf } from '../address/ip.ts'
import { capacity, firstFree, type Pool, type Pools } from '../address/pool.ts'
import type { Asked } from '../asked/asked.ts'
import { keepAddresses } from '../kube/names.ts'
import { type Claim, type Keeper, type Pod, type PodRef, place } from '../kube/objects.ts'
import { addressClaimName } from './names.ts'
import { make, type Stock, Waits } from './stock.ts'

export type Wanted = Extract<Asked, { is: 'network' }> & { readonly pools: Pools }

/** The addresses that the pod names. */
export const holdAsked = async (
  stock: Stock,
  pod: PodRef,
  network: string,
  { name, ips, pools }: Wanted,
): Promise<string[]> => {
  const found: string[] = []
  for (const text of ips) {
    const { ip, length: given } = parseHost(text)!
    const pool = pools.find(({ subnet }) => contains(subnet, ip))
    const length = given ?? pool?.subnet.length
    if (length === undefined)
      throw new Waits(
        'BadAddress',
        `network ${name}: address ${text} needs a prefix length, such as ${text}/${ip.family === 4 ? 24 : 64}`,
      )
    if (pools.length > 0 && !pool)
      throw new Waits('BadAddress', `network ${name}: address ${text} is not in ${pools.map(subnetText).join(' or ')}`)
    if (isReserved(pool?.subnet ?? subnetOf(ip, length), ip))
      throw new Waits(
        'BadAddress',
        `network ${name}: ${text} is the address of the subnet itself, or its broadcast address`,
      )
    const address = spellIp(ip)
    if (!(await makeAddress(stock, pod, network, address))) {
      const holder = stock.ledger.addresses(network).get(address)?.pod
      throw new Waits(
        'AddressTaken',
        `network ${name}: address ${address} is held by ${holder ? `pod ${holder.namespace}/${holder.name}` : 'another pod'}`,
      )
    }
    found.push(`${address}/${length}`)
  }
  return found
}

/** The StatefulSet of a pod that asked for its addresses to be kept. */
export const keeperOf = ({ metadata: { annotations = {}, ownerReferences = [] } }: Pod): Keeper | undefined => {
  const owner = ownerReferences.find(({ kind }) => kind === 'StatefulSet')
  return owner && annotations[keepAddresses] === 'true'
    ? { kind: 'StatefulSet', name: owner.name, uid: owner.uid }
    : undefined
}

/** One free address of each pool; of a pod that is kept, the one that it had. */
export const holdAny = async (
  stock: Stock,
  pod: PodRef,
  network: string,
  { name, pools }: Wanted,
  keeper: Keeper | undefined,
): Promise<string[]> => {
  const found: string[] = []
  for (const pool of pools) {
    const own = stock.ledger
      .addressesOf(pod.uid)
      .find(({ spec }) => spec.network === network && inPool(pool, spec.address))
    const address =
      own?.spec.address ??
      (keeper && (await inherit(stock, pod, network, pool, keeper))) ??
      (await firstMade(stock, pod, network, pool, keeper))
    if (address === undefined)
      throw new Waits(
        'AddressesExhausted',
        `network ${name}: all ${capacity(pool)} addresses of ${subnetText(pool)} that pods may have are in use`,
      )
    found.push(`${address}/${pool.subnet.length}`)
  }
  return found
}

/** The address of the pod that had this name before. */
const inherit = async (
  { api, ledger }: Stock,
  pod: PodRef,
  network: string,
  pool: Pool,
  keeper: Keeper,
): Promise<string | undefined> => {
  for (const [address, spec] of ledger.addresses(network)) {
    const isIts = spec.pod.namespace === pod.namespace && spec.pod.name === pod.name && spec.keeper?.uid === keeper.uid
    if (!isIts || !inPool(pool, address)) continue
    const name = addressClaimName(network, address)
    const { resourceVersion } = ledger.get(name)!.metadata
    ledger.put(
      await api.patch<Claim>(place('claims', { name }), 'merge', { metadata: { resourceVersion }, spec: { pod } }),
    )
    return address
  }
  return undefined
}

const firstMade = async (
  stock: Stock,
  pod: PodRef,
  network: string,
  pool: Pool,
  keeper: Keeper | undefined,
): Promise<string | undefined> => {
  const { ledger } = stock
  for (;;) {
    const taken = ledger.addresses(network)
    const address = firstFree(pool, one => taken.has(one) || ledger.has(addressClaimName(network, one)))
    if (address === undefined || (await makeAddress(stock, pod, network, address, keeper))) return address
  }
}

const inPool = ({ subnet }: Pool, address: string) => contains(subnet, parseHost(address)!.ip)
const subnetText = ({ subnet: { family, first, length } }: Pool) => `${spellIp({ family, value: first })}/${length}`

const makeAddress = (stock: Stock, pod: PodRef, network: string, address: string, keeper?: Keeper): Promise<boolean> =>
  make(
    stock,
    addressClaimName(network, address),
    { pod, network, address, ...(keeper && { keeper }) },
    other => other.spec.pod.uid === pod.uid,
  )
