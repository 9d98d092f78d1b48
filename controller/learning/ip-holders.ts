// Which port has which IP address, as far as frames have shown it: that two have one is told, and nothing else follows from it.
// Only first frames of an unknown sender come to us, so it is what machines say when they start that is seen, and not all of that.
import { ipv6 as ipv6Address } from '../../openflow/wire/address.ts'
import { cursorOf } from '../../openflow/wire/wire.ts'
import type { Place } from './learned-addresses.ts'

/** Addresses remembered of one network; the oldest are forgotten first. */
const most = 4096

export type IpHolders = {
  /** Who had it before, if that is another port with another MAC. */
  note(network: number, ip: string, mac: number, at: Place): Place | undefined
  forget(network: number): void
}

export function ipHolders(): IpHolders {
  type Holder = Place & { readonly mac: number }
  const byNetwork = new Map<number, Map<string, Holder>>()
  return {
    note(network, ip, mac, { dpid, port }) {
      const holders = byNetwork.get(network) ?? new Map<string, Holder>()
      byNetwork.set(network, holders)
      const before = holders.get(ip)
      holders.delete(ip)
      holders.set(ip, { dpid, port, mac })
      for (const oldest of holders.keys()) if (holders.size > most) holders.delete(oldest)
      // A machine that went to another port took its MAC along.
      const isOther = before && before.mac !== mac && (before.port !== port || before.dpid !== dpid)
      return isOther ? { dpid: before.dpid, port: before.port } : undefined
    },
    forget: network => void byNetwork.delete(network),
  }
}

/** The address that a machine says is its own: by ARP (RFC 826, RFC 5227), a solicitation or an advertisement (RFC 4861). */
export function claimedIp(frame: Buffer): string | undefined {
  const type = frame.length >= 14 ? frame.readUInt16BE(12) : 0
  if (type === 0x0806 && frame.length >= 42) return claimedByArp(frame)
  if (type === 0x86dd && frame.length >= 78 && frame[20] === 58) return claimedByNeighbour(frame)
  return undefined
}

/** A probe comes from 0.0.0.0, and asks for the address that its sender is about to have. */
function claimedByArp(frame: Buffer): string | undefined {
  const isProbe = frame.readUInt32BE(28) === 0
  const bytes = isProbe ? frame.subarray(38, 42) : frame.subarray(28, 32)
  return bytes.every(byte => byte === 0) ? undefined : [...bytes].join('.')
}

const target = 14 + 40 + 8
const source = 14 + 8

function claimedByNeighbour(frame: Buffer): string | undefined {
  const isUnspecified = frame.subarray(source, source + 16).every(byte => byte === 0)
  if (frame[54] === 136 || (frame[54] === 135 && isUnspecified)) return ipv6Address.get(cursorOf(frame), target)
  return frame[54] === 135 ? ipv6Address.get(cursorOf(frame), source) : undefined
}
