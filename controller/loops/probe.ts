// Our probes for loops: frames that leave by a port of a network, and that nothing but a loop brings back to us. Pure.
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { DatapathId, PortNo } from '../../topology/topology.ts'
import { loopProbeMac } from '../compile/default-flows.ts'
import { ourMac } from '../switch/our-frames.ts'

/** Which port it left by, of which network, and when, in milliseconds of our clock. */
export type LoopProbe = {
  readonly network: number
  readonly dpid: DatapathId
  readonly port: PortNo
  readonly sentAt: number
}

/** Local experimental (IEEE 802 §9.2.3). */
const ethertype = 0x88b5
const destination = Buffer.from(loopProbeMac.replaceAll(':', ''), 'hex')
const magic = Buffer.from('l2smloop', 'latin1')
/** Magic, network, datapath id, port, time. */
const signedBytes = 8 + 4 + 8 + 4 + 6
const signatureBytes = 16

/** @param secret Of this run of ours: a probe of an earlier one is none. */
export function loopProbeFrame({ network, dpid, port, sentAt }: LoopProbe, secret: Buffer): Buffer {
  const signed = Buffer.alloc(signedBytes)
  magic.copy(signed)
  signed.writeUInt32BE(network, 8)
  signed.writeBigUInt64BE(BigInt(`0x${dpid}`), 12)
  signed.writeUInt32BE(port, 20)
  signed.writeUIntBE(Math.max(0, Math.round(sentAt)), 24, 6)
  const head = Buffer.concat([destination, ourMac, Buffer.from([ethertype >> 8, ethertype & 0xff])])
  return Buffer.concat([head, signed, sign(signed, secret)])
}

export const isLoopProbe = (frame: Buffer): boolean => frame.length >= 12 && frame.subarray(0, 6).equals(destination)

/** What a frame says that came in at a port, and by which tag it did; undefined: it is not one that we have sent. */
export function readLoopProbe(
  frame: Buffer,
  secret: Buffer,
): { readonly probe: LoopProbe; readonly vlan: number | undefined } | undefined {
  const isTagged = frame.length >= 18 && frame.readUInt16BE(12) === 0x8100
  const at = isTagged ? 18 : 14
  if (frame.length < at + signedBytes + signatureBytes || frame.readUInt16BE(at - 2) !== ethertype) return undefined
  const signed = frame.subarray(at, at + signedBytes)
  const signature = frame.subarray(at + signedBytes, at + signedBytes + signatureBytes)
  if (!signed.subarray(0, 8).equals(magic) || !timingSafeEqual(signature, sign(signed, secret))) return undefined
  const vlan = isTagged ? frame.readUInt16BE(14) & 0xfff || undefined : undefined
  return {
    vlan,
    probe: {
      network: signed.readUInt32BE(8),
      dpid: signed.readBigUInt64BE(12).toString(16).padStart(16, '0'),
      port: signed.readUInt32BE(20),
      sentAt: signed.readUIntBE(24, 6),
    },
  }
}

const sign = (signed: Buffer, secret: Buffer): Buffer =>
  createHmac('sha256', secret).update(signed).digest().subarray(0, signatureBytes)
