import { createHash } from 'node:crypto'

/**
 * The MAC address of a pod in a network: of the network and its address there, so that whoever gets that address next has
 * the MAC that neighbours know; without an address, of what else is its own. Locally administered, unicast (IEEE 802 §8.4).
 */
export const macOf = (network: string, own: string): string => {
  const digest = createHash('sha256').update(`${network}\n${own}`).digest()
  const first = (digest[0]! & 0xfc) | 0x02
  return [first, ...digest.subarray(1, 6)].map(octet => octet.toString(16).padStart(2, '0')).join(':')
}
