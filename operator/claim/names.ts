/** What claims are called: the name is made of what is claimed, and of nothing else, so that it can be claimed once. Pure. */

import { createHash } from 'node:crypto'
import { type Ip, parseIp } from '../address/ip.ts'

/** Of an object in Kubernetes. */
const longest = 253

export const interfaceClaimName = (dpid: string, port: number): string => `if.${dpid}.${port}`

/** `ip.default.net-a.10-0-0-1`; an IPv6 address with all its digits. */
export const addressClaimName = (network: string, address: string): string =>
  shortened(`ip.${network}.${addressWord(parseIp(address)!)}`)

const addressWord = ({ family, value }: Ip): string =>
  family === 6
    ? value.toString(16).padStart(32, '0')
    : [24n, 16n, 8n, 0n].map(shift => (value >> shift) & 255n).join('-')

const shortened = (name: string): string => {
  if (name.length <= longest) return name
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 32)
  return `${name.slice(0, longest - 33).replace(/[.-]+$/, '')}.${digest}`
}
