// What becomes of a frame: OpenFlow 1.3.5 §5.1 to §5.12.
import { type Action, type Instruction, type MessageOf, portConfig, portState, ports } from '../../openflow/index.ts'
import { type ActionSet, bucketActions, once, ordered, write } from './action-set.ts'
import { type Field, fieldOf, toWords, word } from './field.ts'
import { type Packet, parse } from './frame.ts'
import { bitsOf, numberToWords, type Transfer, wordsToNumber } from './nicira.ts'
import { packetIn } from './packet-in.ts'
import { copyPacket, hasField, popVlan, pushVlan, setField } from './rewrite.ts'
import type { Group, Output, Port, Switch } from './switch.ts'
import { type Entry, lookUp } from './table.ts'

export type PacketIn = MessageOf<'packet_in'>
export type Result = {
  /** In the order in which they leave. */
  readonly outputs: Output[]
  readonly packetIns: PacketIn[]
  /** The meters that it passed, in order. */
  readonly meters: number[]
  /** Two entries of one priority matched, so that the specification leaves open which is taken (§5.3). */
  ambiguous: boolean
}

/** One frame on its way through one switch. */
type Passage = {
  readonly sw: Switch
  readonly inPort: number
  readonly result: Result
  packet: Packet
  readonly set: ActionSet
  entry: Entry | undefined
  /** Groups within groups. */
  depth: number
  copies: number
}

const metadataAt = word('metadata')
const tunnelAt = word('tunnel_id')

/** Sends a frame into port `inPort`, as if it had come in with `tunnelId`. */
export function process(sw: Switch, inPort: number, frame: Buffer, tunnelId = 0n): Result {
  const result: Result = { outputs: [], packetIns: [], meters: [], ambiguous: false }
  const port = sw.ports.get(inPort)
  if (!port || !receives(port)) return result
  const packet = parse(frame, inPort, tunnelId, sw.kind.vlanLimit)
  if (!packet) return result
  putTunnel(packet, port)
  pipeline({ sw, inPort, result, packet, set: new Map(), entry: undefined, depth: 0, copies: 0 })
  return result
}

/** Applies actions to a frame that a PACKET_OUT brings (§7.3.7). */
export function packetOut(sw: Switch, message: MessageOf<'packet_out'>): Result {
  const result: Result = { outputs: [], packetIns: [], meters: [], ambiguous: false }
  const { inPort, payload, actions } = message
  const packet = parse(payload, inPort, 0n, sw.kind.vlanLimit)
  if (packet) act({ sw, inPort, result, packet, set: new Map(), entry: undefined, depth: 0, copies: 0 }, actions)
  return result
}

const receives = ({ desc }: Port): boolean => (desc.config & (portConfig.portDown | portConfig.noRecv)) === 0
const sends = ({ desc }: Port): boolean =>
  (desc.config & (portConfig.portDown | portConfig.noFwd)) === 0 && (desc.state & portState.linkDown) === 0

function putTunnel(packet: Packet, { tunnel }: Port): void {
  if (tunnel?.remote) packet.key[word('tun_src')] = toWords(fieldOf('tun_src')!, tunnel.remote)[0]!
  if (tunnel?.local) packet.key[word('tun_dst')] = toWords(fieldOf('tun_dst')!, tunnel.local)[0]!
}

/** §5.1: from table 0 on, only forward. A miss drops the frame (§5.4). */
function pipeline(passage: Passage): void {
  const { sw, packet, result, set } = passage
  let writer: Entry | undefined
  for (let tableId: number | undefined = 0; tableId !== undefined; ) {
    const table = sw.tables.get(tableId)
    const hit = table && lookUp(table, packet.key)
    if (!hit) {
      if (sw.kind.missExecutesSet) break
      return
    }
    const { entry, ambiguous } = hit
    if (ambiguous) result.ambiguous = true
    entry.counters.packets++
    entry.counters.bytes += BigInt(packet.frame.length)
    entry.counters.used = sw.now
    passage.entry = entry
    tableId = execute(passage, entry.instructions)
    if (set.size > 0) writer ??= entry
  }
  // Which entry a packet-in from the action set names is not specified: here, as in Open vSwitch, the one that began it.
  if (writer) passage.entry = writer
  act(passage, ordered(set))
}

/** §5.9: instructions in the specification's order, whatever theirs is. Meters let everything pass. */
function execute(passage: Passage, instructions: readonly Instruction[]): number | undefined {
  const { packet, set } = passage
  let next: number | undefined
  let written: readonly Action[] = []
  let clears = false
  for (const instruction of instructions) {
    if (instruction.type === 'meter') pass(passage, instruction.meterId)
    else if (instruction.type === 'apply_actions') act(passage, instruction.actions)
    else if (instruction.type === 'clear_actions') clears = true
    else if (instruction.type === 'write_actions') written = instruction.actions
    else if (instruction.type === 'goto_table') next = instruction.tableId
  }
  if (clears) set.clear()
  write(set, written)
  for (const instruction of instructions) if (instruction.type === 'write_metadata') writeMetadata(packet, instruction)
  return next
}

function pass({ sw, result }: Passage, meterId: number): void {
  result.meters.push(meterId)
  const metered = sw.metered.get(meterId) ?? { packets: 0n, dropped: 0n }
  sw.metered.set(meterId, metered)
  metered.packets++
}

type Write = { readonly word: number; readonly value: number; readonly mask: number }
type WriteMetadata = Extract<Instruction, { type: 'write_metadata' }>

const halves = once(({ metadata, metadataMask }: WriteMetadata): Write[] =>
  [32n, 0n].map((shift, i) => {
    const mask = Number((metadataMask >> shift) & 0xffffffffn) | 0
    return { word: metadataAt + i, value: Number((metadata >> shift) & 0xffffffffn) & mask, mask }
  }),
)

function writeMetadata({ key }: Packet, instruction: WriteMetadata): void {
  for (const { word, value, mask } of halves(instruction)) key[word] = (key[word]! & ~mask) | value
}

/** §5.11: an action list, in its order. */
function act(passage: Passage, actions: readonly Action[]): void {
  const { packet, sw } = passage
  for (const action of actions) {
    switch (action.type) {
      case 'output':
        output(passage, action.port)
        break
      case 'group':
        executeGroup(passage, sw.groups.get(action.groupId))
        break
      case 'push_vlan':
        pushVlan(packet, action.ethertype, sw.kind)
        break
      case 'pop_vlan':
        popVlan(packet)
        break
      case 'set_field':
        if (action.field === 'vlan_vid' && packet.tags === 0 && sw.kind.vidMakesTag) pushVlan(packet, 0x8100, sw.kind)
        setValue(packet, action)
        break
      case 'controller2':
        // Connections have controller id 0 unless they ask for another.
        if (!action.controllerId) toController(passage, action.reason)
        break
      case 'move':
      case 'load':
        transfer(packet, action)
        break
    }
  }
}

type SetField = Extract<Action, { type: 'set_field' }>

const newValue = once(({ field: name, value, mask }: SetField) => {
  const field = fieldOf(name)!
  return { field, words: toWords(field, value), masks: mask === undefined ? undefined : toWords(field, mask) }
})

function setValue(packet: Packet, action: SetField): void {
  const { field, words, masks } = newValue(action)
  if (!masks) setField(packet, field, words)
  else
    setField(
      packet,
      field,
      words.map((w, i) => (packet.key[field.at + i]! & ~masks[i]!) | (w & masks[i]!)),
    )
}

/** Bits from one field, or of a constant, into another. */
function transfer(packet: Packet, action: Transfer): void {
  const { nBits, offset, dst, from } = bitsOf(action)!
  if ('src' in from && !hasField(packet, from.src)) return
  const read = ({ at, words }: Field) => wordsToNumber(packet.key.subarray(at, at + words))
  const ones = (1n << BigInt(nBits)) - 1n
  const value = ('src' in from ? read(from.src) >> BigInt(from.offset) : from.value) & ones
  const kept = read(dst) & ~(ones << BigInt(offset))
  setField(packet, dst, numberToWords(dst, kept | (value << BigInt(offset))))
}

/** Deeper than any chain that is meant; Open vSwitch drops a frame in more than about 60 groups. */
const maxDepth = 64

/** §5.6.1. Each bucket gets a copy of its own, and what it does to it is not seen outside. */
function executeGroup(passage: Passage, group: Group | undefined): void {
  if (!group || passage.depth >= maxDepth) return
  const { packet } = passage
  passage.depth++
  for (const bucket of bucketsOf(passage.sw, group)) {
    const { actions, changes } = bucketActions(bucket.actions)
    passage.packet = changes ? copyPacket(packet) : packet
    act(passage, actions)
  }
  passage.depth--
  passage.packet = packet
}

function bucketsOf({ ports: all }: Switch, { groupType, buckets }: Group): Group['buckets'] {
  if (groupType === 'all') return buckets
  // Which bucket a select group takes is the switch's choice: here the first that may be taken.
  if (groupType === 'select') return buckets.filter(({ weight }) => weight > 0).slice(0, 1)
  if (groupType === 'indirect') return buckets
  const live = ({ watchPort }: Group['buckets'][number]) => {
    const port = all.get(watchPort)
    return port !== undefined && sends(port)
  }
  return buckets.filter(live).slice(0, 1)
}

function output(passage: Passage, port: number): void {
  const { sw, inPort } = passage
  if (port === ports.controller) toController(passage)
  else if (port === ports.inPort) emit(passage, inPort)
  else if (port === ports.table) {
    // Only PACKET_OUT may (§7.2.1); the frame goes through the pipeline as a new one.
    if (!passage.entry) pipeline({ ...passage, packet: copyPacket(passage.packet), set: new Map() })
  } else if (port === ports.all) {
    for (const each of sw.ports.keys()) if (each !== inPort) emit(passage, each)
  }
  // §7.2.1: back to where it came from only by IN_PORT.
  else if (port !== inPort) emit(passage, port)
}

function emit(passage: Passage, portNo: number): void {
  const { sw, packet, result } = passage
  const port = sw.ports.get(portNo)
  if (!port || !sends(port)) return
  if (port.tunnel && ++passage.copies > sw.kind.tunnelCopies) return
  result.outputs.push({ port: portNo, tunnelId: port.tunnel ? readTunnel(packet) : 0n, frame: packet.frame })
}

const readTunnel = ({ key }: Packet): bigint => (BigInt(key[tunnelAt]! >>> 0) << 32n) | BigInt(key[tunnelAt + 1]! >>> 0)

function toController(passage: Passage, reason?: string): void {
  const { sw, inPort, entry, packet, result } = passage
  const port = sw.ports.get(inPort)
  if (port && port.desc.config & portConfig.noPacketIn) return
  result.packetIns.push(packetIn(sw, packet, { inPort, entry, reason }))
}
