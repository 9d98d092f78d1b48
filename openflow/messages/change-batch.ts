// Changes of flow tables as bytes, ready to be sent: flow-mods are made from entries (flow-entry.ts) without decoding them.
import { groups, headerLength, noBuffer, ports, wireVersion } from '../wire/constants.ts'
import { encode } from './codec.ts'
import { entryAt } from './flow-entry.ts'
import type { FlowMod, GroupMod, MeterMod } from './make.ts'

type WithoutXid<M> = M extends unknown ? Omit<M, 'xid'> : never

/** Whole messages one behind the other. Their xids are set when they are sent. */
export type EncodedChanges = { readonly bytes: Buffer; readonly count: number }

export type ChangeBatch = {
  /**
   * A flow_mod about an entry: `add`, `modify_strict` (its instructions) or `delete_strict`, which deletes it only if it
   * still has its cookie.
   */
  flow(command: 'add' | 'modify_strict' | 'delete_strict', entry: Buffer, at?: number, length?: number): void
  /** Any other change. Throws a WireError that names the field if a value does not fit it. */
  message(change: WithoutXid<FlowMod | GroupMod | MeterMod>): void
  count(): number
  /** What was put in so far; the batch is empty afterwards. */
  take(): EncodedChanges
}

const flowModType = 14
const commands = { add: 0, modify_strict: 2, delete_strict: 4 } as const

/** An empty batch. */
export function changeBatch(): ChangeBatch {
  let bytes = Buffer.allocUnsafeSlow(4096)
  let used = 0
  let count = 0

  const room = (length: number): number => {
    if (used + length > bytes.length) {
      const grown = Buffer.allocUnsafeSlow((used + length) * 2)
      bytes.copy(grown, 0, 0, used)
      bytes = grown
    }
    const at = used
    used += length
    count++
    return at
  }

  return {
    flow(command, entry, from = 0, size = entry.length) {
      const end = command === 'delete_strict' ? matchEnd(entry, from) : size
      const length = flowModMatchAt + end - entryAt.match
      // First the room: it may be in other bytes than those so far.
      const start = room(length)
      writeFlowMod(bytes, start, length, command, entry, from, end)
    },
    message(change) {
      const encoded = encode({ ...change, xid: 0 } as FlowMod)
      const start = room(encoded.length)
      encoded.copy(bytes, start)
    },
    count: () => count,
    take() {
      const taken = { bytes: bytes.subarray(0, used), count }
      bytes = Buffer.allocUnsafeSlow(4096)
      used = 0
      count = 0
      return taken
    },
  }
}

/** The end of an entry's match and its padding, from the entry's start. */
const matchEnd = (entry: Buffer, at: number): number =>
  entryAt.match + ((entry.readUInt16BE(at + entryAt.match + 2) + 7) & ~7)

/** In a flow_mod (§7.3.4.1) the match begins after 48 bytes, as it does in an entry. */
const flowModMatchAt = headerLength + 40

function writeFlowMod(
  out: Buffer,
  start: number,
  length: number,
  command: keyof typeof commands,
  entry: Buffer,
  from: number,
  end: number,
): void {
  out[start] = wireVersion
  out[start + 1] = flowModType
  out.writeUInt16BE(length, start + 2)
  out.writeUInt32BE(0, start + 4)
  entry.copy(out, start + 8, from + entryAt.cookie, from + entryAt.cookie + 8)
  out.fill(command === 'delete_strict' ? 0xff : 0, start + 16, start + 24)
  out[start + 24] = entry[from + entryAt.tableId]!
  out[start + 25] = commands[command]
  const adds = command === 'add'
  out.writeUInt16BE(adds ? entry.readUInt16BE(from + entryAt.idleTimeout) : 0, start + 26)
  out.writeUInt16BE(adds ? entry.readUInt16BE(from + entryAt.hardTimeout) : 0, start + 28)
  out.writeUInt16BE(entry.readUInt16BE(from + entryAt.priority), start + 30)
  out.writeUInt32BE(noBuffer, start + 32)
  out.writeUInt32BE(ports.any, start + 36)
  out.writeUInt32BE(groups.any, start + 40)
  out.writeUInt16BE(adds ? entry.readUInt16BE(from + entryAt.flags) : 0, start + 44)
  out.writeUInt16BE(0, start + 46)
  entry.copy(out, start + flowModMatchAt, from + entryAt.match, from + end)
}
