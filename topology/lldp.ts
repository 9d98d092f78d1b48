// LLDP probes (IEEE 802.1AB): chassis id, port id, TTL, and one TLV of ours that is signed, so that no pod can make one.
import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto'
import type { DatapathId, Endpoint, PortNo } from './topology.ts'

/** Nearest-bridge group address: no 802.1 bridge forwards it (IEEE 802.1AB §7.1). */
export const lldpMac = '01:80:c2:00:00:0e'
export const lldpEthertype = 0x88cc

/** Bytes; or made into a key once, which takes half of the time of signing. */
export type Secret = Buffer | KeyObject

export type Probe = {
  readonly from: Endpoint
  /** Rises with every probe that leaves a port: tells a fresh one from a replayed one, and one round from the next. */
  readonly sequence: number
  /** When it left, by the sender's clock: whole microseconds, below 2^48. */
  readonly sentAt: number
  /** It is padded so that this many bytes follow the Ethernet header; 0: it is not padded. At most 65,535. */
  readonly mtu: number
}

/** Organizationally specific (§8.6); the OUI is a locally administered one, for nobody registered us. */
const organization = Buffer.from('06a35d', 'hex')
const probeSubtype = 1
const signedBytes = 26
const signatureBytes = 16
const headerBytes = 14

const tlv = (type: number, value: Buffer): Buffer => {
  const head = Buffer.alloc(2)
  head.writeUInt16BE((type << 9) | value.length)
  return Buffer.concat([head, value])
}

const sign = (secret: Secret, signed: Buffer): Buffer =>
  createHmac('sha256', secret).update(signed).digest().subarray(0, signatureBytes)

/** dpid (8 bytes) | port (4) | sequence (6) | sent at (6) | mtu (2) | signature (16) */
function claim(secret: Secret, { from, sequence, sentAt, mtu }: Probe): Buffer {
  const signed = Buffer.alloc(signedBytes)
  signed.write(from.dpid, 'hex')
  signed.writeUInt32BE(from.port, 8)
  signed.writeUIntBE(sequence, 12, 6)
  signed.writeUIntBE(sentAt, 18, 6)
  signed.writeUInt16BE(mtu, 24)
  return Buffer.concat([signed, sign(secret, signed)])
}

/** The frame that asks "where does this port lead?". `source` is the port's own MAC, as the switch reports it. */
export function probeFrame(secret: Secret, probe: Probe, source: string): Buffer {
  const mac = (text: string) => Buffer.from(text.replaceAll(':', ''), 'hex')
  const ethertype = Buffer.alloc(2)
  ethertype.writeUInt16BE(lldpEthertype)
  const frame = Buffer.concat([
    mac(lldpMac),
    mac(source),
    ethertype,
    tlv(1, Buffer.concat([Buffer.from([7]), Buffer.from(`of:${probe.from.dpid}`)])), // chassis id, locally assigned
    tlv(2, Buffer.concat([Buffer.from([7]), Buffer.from(String(probe.from.port))])), // port id, locally assigned
    tlv(3, Buffer.from([0, 4])), // seconds to live
    tlv(127, Buffer.concat([organization, Buffer.from([probeSubtype]), claim(secret, probe)])),
    tlv(0, Buffer.alloc(0)),
  ])
  // What follows the end of an LLDPDU is ignored: it may be Ethernet's own padding.
  const padding = headerBytes + probe.mtu - frame.length
  return padding > 0 ? Buffer.concat([frame, Buffer.alloc(padding)]) : frame
}

/** The probe in this frame, or undefined: not LLDP, not ours, cut short, or not signed with this secret. */
export function readProbe(secret: Secret, frame: Buffer): Probe | undefined {
  if (frame.length < headerBytes || frame.readUInt16BE(12) !== lldpEthertype) return undefined
  for (let at = headerBytes; at + 2 <= frame.length; ) {
    const head = frame.readUInt16BE(at)
    const value = frame.subarray(at + 2, at + 2 + (head & 0x1ff))
    if (value.length !== (head & 0x1ff) || head >>> 9 === 0) return undefined
    if (
      head >>> 9 === 127 &&
      value.length === 4 + signedBytes + signatureBytes &&
      value.subarray(0, 3).equals(organization) &&
      value[3] === probeSubtype
    )
      return readClaim(secret, value.subarray(4), frame.length - headerBytes)
    at += 2 + value.length
  }
  return undefined
}

/** What was cut off on its way does not prove that its size passes. */
function readClaim(secret: Secret, bytes: Buffer, length: number): Probe | undefined {
  const signed = bytes.subarray(0, signedBytes)
  if (!timingSafeEqual(sign(secret, signed), bytes.subarray(signedBytes))) return undefined
  const dpid: DatapathId = signed.toString('hex', 0, 8)
  const port: PortNo = signed.readUInt32BE(8)
  const mtu = signed.readUInt16BE(24)
  if (length < mtu) return undefined
  return { from: { dpid, port }, sequence: signed.readUIntBE(12, 6), sentAt: signed.readUIntBE(18, 6), mtu }
}
