import { type Ethernet, udp } from '../../lab/frame.ts'

/** Where Open vSwitch listens for VXLAN, unless told otherwise (RFC 7348 §5). */
const port = 4789

/** A frame in a VXLAN packet from one node's address to another's, as who is on the underlay can make it. */
export function vxlan(
  header: Ethernet,
  { source, target, vni }: { readonly source: string; readonly target: string; readonly vni: bigint },
  inner: Buffer,
): Buffer {
  const head = Buffer.alloc(8)
  head[0] = 0x08 // the number is valid
  head.writeUInt32BE(Number(vni) * 256, 4)
  return udp(header, {
    ...{ src: source, dst: target, sourcePort: 50_000, targetPort: port },
    payload: Buffer.concat([head, inner]),
  })
}
