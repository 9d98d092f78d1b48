import type { PacketIn } from '../index.ts'

/** Packet-ins of one switch that wait for their turn: the newest ones, when there are more than its share. */
export type PacketIns = {
  waiting: PacketIn[]
  /** Those before it in `waiting` are done with. */
  head: number
  bytes: number
  /** How many were pushed out by newer ones, ever. */
  dropped: number
}

export const newPacketIns = (): PacketIns => ({ waiting: [], head: 0, bytes: 0, dropped: 0 })

export const waitingPacketIns = (queue: PacketIns): number => queue.waiting.length - queue.head

/** Adds one, and returns how many of the oldest made room for it. At most `packetIns` and `packetInBytes` wait. */
export function putPacketIn(
  queue: PacketIns,
  packetIn: PacketIn,
  { packetIns, packetInBytes }: { readonly packetIns: number; readonly packetInBytes: number },
): number {
  // A copy: the payload is a view of what was read, 64 KiB that would stay as long as one small frame of it.
  queue.waiting.push({ ...packetIn, payload: Buffer.from(packetIn.payload) })
  queue.bytes += packetIn.payload.length
  const before = queue.dropped
  while (waitingPacketIns(queue) > packetIns || (queue.bytes > packetInBytes && waitingPacketIns(queue) > 1)) {
    takePacketIn(queue)
    queue.dropped++
  }
  return queue.dropped - before
}

/** The oldest, or undefined. */
export function takePacketIn(queue: PacketIns): PacketIn | undefined {
  const packetIn = queue.waiting[queue.head]
  if (packetIn === undefined) return undefined
  queue.head++
  queue.bytes -= packetIn.payload.length
  if (queue.head === queue.waiting.length || queue.head >= 256) {
    queue.waiting = queue.waiting.slice(queue.head)
    queue.head = 0
  }
  return packetIn
}

export function clearPacketIns(queue: PacketIns): void {
  queue.waiting = []
  queue.head = 0
  queue.bytes = 0
}
