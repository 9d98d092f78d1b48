// Actions (OpenFlow 1.3.5 §5.12, §7.2.5; ovs-actions(7)): what each does to a frame. One that is not known is said, never passed over in silence.
import { type Action, fieldBits, fieldNumber, plainName, ports } from '../../openflow/index.ts'
import { inOrder, leftOut, written } from './action-set.ts'
import { ones } from './bits.ts'
import type { Acting } from './forwarded.ts'
import { fieldOf, hasField, isReadField, popVlan, pushVlan, withField } from './packet.ts'

type Of<T extends Action['type']> = Extract<Action, { type: T }>
type Doing = { readonly [T in Action['type']]?: (acting: Acting, action: Of<T>) => void }

const doing: Doing = {
  output: (a, { port, maxLen }) => output(a, port, maxLen),
  output_trunc(a, { port, maxLen }) {
    note(a, `of the copy to port ${port} only the first ${maxLen} bytes go`)
    output(a, port, 0xffff)
  },
  output_reg: (a, { src, range }) => outputTo(a, src, range),
  output_reg2: (a, { src, range }) => outputTo(a, src, range),
  group: (a, { groupId }) => group(a, groupId),
  nx_group: (a, { groupId }) => group(a, groupId),
  push_vlan(a, { ethertype }) {
    a.packet = pushVlan(a.packet, ethertype, a.model)
  },
  pop_vlan(a) {
    a.packet = popVlan(a.packet)
  },
  set_field: (a, { field, value, mask }) => setField(a, field, value, mask),
  load2: (a, { field, value, mask }) => setField(a, field, value, mask),
  set_tunnel: (a, { tunId }) => setField(a, 'tunnel_id', BigInt(tunId), undefined),
  set_tunnel64: (a, { tunId }) => setField(a, 'tunnel_id', tunId, undefined),
  set_nw_ttl: (a, { ttl }) => setField(a, 'nw_ttl', ttl, undefined),
  load: (a, { dst, range, value }) => put(a, dst, range.offset, range.nBits, value),
  move: (a, { src, dst, nBits, srcOffset, dstOffset }) => move(a, src, srcOffset, dst, dstOffset, nBits),
  copy_field: (a, { src, dst, nBits, srcOffset, dstOffset }) => move(a, src, srcOffset, dst, dstOffset, nBits),
  controller: (a, { maxLen, controllerId }) => toController(a, maxLen, controllerId, undefined),
  controller2(a, { maxLen = 0xffff, controllerId = 0, meterId, pause }) {
    if (pause) doubt(a, 'the frame waits for the controller to go on (pause)')
    toController(a, maxLen, controllerId, meterId)
  },
  resubmit: (a, { inPort }) => void a.pending.push({ table: undefined, inPort: portOf16(inPort) }),
  resubmit_table: (a, { inPort, tableId }) =>
    void a.pending.push({ table: tableId === 0xff ? undefined : tableId, inPort: portOf16(inPort) }),
  clone(a, { actions }) {
    const { packet, set } = a
    act(a, actions)
    Object.assign(a, { packet, set })
  },
  exit(a) {
    a.hasExited = true
  },
  // What says nothing about where a frame goes.
  set_queue() {},
  nx_set_queue() {},
  pop_queue() {},
  note() {},
}

/** An action list, in its order. */
export function act(acting: Acting, actions: readonly Action[]): void {
  for (const action of actions) {
    if (acting.hasExited) return
    const does = doing[action.type] as ((acting: Acting, action: Action) => void) | undefined
    if (does) does(acting, action)
    else
      doubt(
        acting,
        `the action ${action.type} is not known here: it was passed over, and what comes after may be otherwise`,
      )
  }
}

const doubt = ({ steps }: Acting, words: string): void => void steps.at(-1)?.doubts.push(words)
const note = ({ steps }: Acting, words: string): void => void steps.at(-1)?.notes.push(words)

/** A port of OpenFlow 1.0, which some of Open vSwitch's actions have: reserved ones are the last 256 of 16 bits; IN_PORT: as it is. */
const portOf16 = (port: number): number | undefined =>
  port === 0xfff8 ? undefined : port >= 0xff00 ? port + 0xffff0000 : port

function output(acting: Acting, port: number, maxLen: number): void {
  const { inPort, portNumbers } = acting
  if (port === ports.controller) toController(acting, maxLen, 0, undefined)
  else if (port === ports.inPort) leave(acting, inPort)
  else if (port === ports.all || port === ports.flood) {
    if (port === ports.flood) note(acting, 'FLOOD leaves out ports that are set so (NO_FLOOD), which is not known here')
    for (const each of portNumbers) if (each !== inPort) leave(acting, each)
  } else if (port === ports.normal)
    doubt(acting, 'NORMAL: the switch forwards by its own learning, which is not known here')
  else if (port > ports.max && port !== ports.local)
    doubt(acting, `output to reserved port ${port.toString(16)} is not known here`)
  // §7.2.1: back to where it came from only by IN_PORT.
  else if (port === inPort) note(acting, `not to port ${port}, by which it came`)
  else leave(acting, port)
}

function outputTo(
  acting: Acting,
  src: string,
  { offset, nBits }: { readonly offset: number; readonly nBits: number },
): void {
  const value = fieldOf(acting.packet, plainName(src))
  if (value === undefined) doubt(acting, `output to the port that ${src} names, which is not known here`)
  else output(acting, Number((value >> BigInt(offset)) & ones(nBits)), 0xffff)
}

const leave = ({ copies, steps, groups, packet }: Acting, port: number): void =>
  void copies.push({ step: steps.length - 1, groups, port, packet })

/** Connections have controller id 0 unless they ask for another. */
function toController(acting: Acting, bytes: number, id: number, meter: number | undefined): void {
  const { copies, steps, groups, packet } = acting
  const to = { ...(id !== 0 && { controllerId: id }), ...(meter !== undefined && { meter }) }
  copies.push({ step: steps.length - 1, groups, port: ports.controller, packet, bytes, ...to })
}

/** Deeper than any chain that is meant; Open vSwitch drops a frame in more than about 60 groups. */
const maxDepth = 60

/** §5.6.1. Each bucket gets a copy of its own, and what it does to it is not seen outside. */
function group(acting: Acting, id: number): void {
  const { packet, groups, held, set } = acting
  const found = held.groups.get(id)
  if (!found) {
    doubt(acting, `group ${id} is not there: no copy by it`)
    return
  }
  if (groups.length >= maxDepth) {
    doubt(acting, `more than ${maxDepth} groups within groups: no copy by group ${id}`)
    return
  }
  if (found.groupType === 'select' || found.groupType === 'ff')
    doubt(acting, `group ${id} takes one of its buckets by itself (${found.groupType}); here a copy goes by each`)
  for (const [bucket, { actions }] of found.buckets.entries()) {
    acting.packet = packet
    acting.groups = [...groups, { group: id, bucket }]
    const bucketSet = written([], actions)
    for (const { type } of leftOut(bucketSet))
      if (type !== 'output') note(acting, `${type} in bucket ${bucket} of group ${id} has no effect in a bucket`)
    act(acting, inOrder(bucketSet))
  }
  Object.assign(acting, { packet, groups, set })
}

function setField(acting: Acting, field: string, value: unknown, mask: unknown): void {
  const name = plainName(field)
  if (!isReadField(name)) {
    doubt(acting, `${field} is set, which is not known here`)
    return
  }
  const { model, packet } = acting
  if (name === 'vlan_vid' && packet.headers.tags === 0 && model.vidMakesTag)
    acting.packet = pushVlan(packet, 0x8100, model)
  const bits = mask === undefined ? undefined : fieldNumber(field, mask)
  const before = fieldOf(acting.packet, name) ?? 0n
  const now = fieldNumber(field, value)
  acting.packet = withField(acting.packet, name, bits === undefined ? now : (before & ~bits) | (now & bits))
}

/** Bits of a field, and no others. */
function put(acting: Acting, dst: string, offset: number, nBits: number, value: bigint): void {
  const name = plainName(dst)
  if (!isReadField(name) || fieldBits(name) === undefined) {
    doubt(acting, `${dst} is written, which is not known here`)
    return
  }
  const before = fieldOf(acting.packet, name) ?? 0n
  const kept = before & ~(ones(nBits) << BigInt(offset))
  acting.packet = withField(acting.packet, name, kept | ((value & ones(nBits)) << BigInt(offset)))
}

function move(acting: Acting, src: string, from: number, dst: string, to: number, nBits: number): void {
  const name = plainName(src)
  const value = fieldOf(acting.packet, name)
  if (value === undefined) {
    doubt(acting, `${src} is copied into ${dst}, which is not known here`)
    return
  }
  if (hasField(acting.packet, name)) put(acting, dst, to, nBits, (value >> BigInt(from)) & ones(nBits))
}
