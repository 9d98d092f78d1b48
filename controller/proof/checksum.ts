// Checksums of a frame whose headers an action has changed.
import type { Headers } from './headers.ts'

/** Where the checksum stands in the header of layer 4, in bytes, by protocol. */
const checksumAt: Readonly<Record<number, number>> = { 1: 2, 6: 16, 17: 6, 58: 2 }

/** `after` with its sums put right in place, by the difference from `before`: so a sum that was wrong stays wrong (RFC 1624). */
export function updateChecksums(before: Buffer, after: Buffer, { fields, l3, l4 }: Headers): void {
  const type = fields.get('eth_type')?.value
  if (l3 < 0 || (type !== 0x0800n && type !== 0x86ddn)) return
  const isV4 = type === 0x0800n
  if (isV4) adjust(after, l3 + 10, difference(before, after, l3, l3 + (after[l3]! & 15) * 4, l3 + 10))
  const proto = Number(fields.get('ip_proto')?.value ?? 0n)
  const at = checksumAt[proto]
  if (l4 < 0 || at === undefined) return
  const sum = l4 + at
  // RFC 768: none was made.
  if (proto === 17 && isV4 && before.readUInt16BE(sum) === 0) return
  const addresses =
    proto === 1
      ? 0
      : isV4
        ? difference(before, after, l3 + 12, l3 + 20, -1)
        : difference(before, after, l3 + 8, l3 + 40, -1)
  adjust(after, sum, addresses + difference(before, after, l4, after.length & ~1, sum))
  if (proto === 17 && after.readUInt16BE(sum) === 0) after.writeUInt16BE(0xffff, sum)
}

/** What the sum of the words `from` to `to` gains, but for the one at `sum`. */
function difference(before: Buffer, after: Buffer, from: number, to: number, sum: number): number {
  let total = 0
  for (let at = from; at + 1 < to; at += 2)
    if (at !== sum) total += (~before.readUInt16BE(at) & 0xffff) + after.readUInt16BE(at)
  return total
}

function adjust(frame: Buffer, at: number, gained: number): void {
  let total = (~frame.readUInt16BE(at) & 0xffff) + gained
  while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 0x1_0000)
  frame.writeUInt16BE(~total & 0xffff, at)
}
