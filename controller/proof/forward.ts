// What one switch does with a frame: OpenFlow 1.3.5 §5.1 to §5.12, with those of Open vSwitch's actions that forward.
import type { Instruction } from '../../openflow/index.ts'
import { act } from './act.ts'
import { inOrder, written } from './action-set.ts'
import type { Acting, Forwarded, Step } from './forwarded.ts'
import { type Held, lookUp } from './lookup.ts'
import { type Model, type Packet, withField } from './packet.ts'

/** Tables that resubmit may lead through, one behind the other (Open vSwitch: 4096 in all, 64 deep). */
const mostSteps = 256

/** Sends a frame through the tables of a switch. Yields every few thousand entries. */
export function* forward(
  held: Held,
  packet: Packet,
  model: Model,
  portNumbers: readonly number[],
): Generator<undefined, Forwarded> {
  const inPort = Number(packet.pipeline.get('in_port') ?? 0n)
  const acting: Acting = {
    model,
    held,
    inPort,
    portNumbers,
    packet,
    steps: [],
    copies: [],
    groups: [],
    set: [],
    hasExited: false,
    pending: [],
  }
  yield* throughTables(acting, 0)
  return { steps: acting.steps, copies: acting.copies }
}

/** §5.1: from this table on, only forward. */
function* throughTables(acting: Acting, first: number): Generator<undefined, void> {
  for (let table: number | undefined = first; table !== undefined; ) {
    const found: Step | undefined = yield* stepAt(acting, table)
    if (!found?.flow) {
      if (found && acting.model.missExecutesSet) yield* perform(acting, inOrder(acting.set))
      return
    }
    table = yield* execute(acting, found)
  }
  yield* perform(acting, inOrder(acting.set))
}

/** What this table makes of the frame; undefined: there were too many. */
function* stepAt(acting: Acting, table: number): Generator<undefined, Step | undefined> {
  if (acting.steps.length >= mostSteps) {
    acting.steps.at(-1)?.doubts.push(`after ${mostSteps} tables it is not followed any further`)
    return undefined
  }
  const { flow, rivals, doubtful } = yield* lookUp(acting.held.flows.get(table) ?? [], acting.packet)
  const step: Step = { table, flow, packet: acting.packet, notes: [], doubts: [] }
  for (const { field } of doubtful)
    step.doubts.push(`an entry before it compares ${field}, which is not known here: taken as not matching`)
  if (rivals.length > 0)
    step.doubts.push(
      `${rivals.length} more of the same priority ${flow!.priority} take the frame: OpenFlow leaves open which one does (§5.3)`,
    )
  acting.steps.push(step)
  return step
}

/** §5.9: instructions in the specification's order, whatever theirs is. Answers the next table. */
function* execute(acting: Acting, step: Step): Generator<undefined, number | undefined> {
  let instructions: readonly Instruction[]
  try {
    instructions = step.flow!.instructions
  } catch (error) {
    step.doubts.push(`its instructions cannot be read: ${error instanceof Error ? error.message : String(error)}`)
    return undefined
  }
  const one = <T extends Instruction['type']>(type: T) =>
    instructions.find((i): i is Extract<Instruction, { type: T }> => i.type === type)
  const meter = one('meter')
  if (meter) step.notes.push(`meter ${meter.meterId} may drop it, beyond its rate`)
  yield* perform(acting, one('apply_actions')?.actions ?? [])
  if (one('clear_actions')) acting.set = []
  acting.set = written(acting.set, one('write_actions')?.actions ?? [])
  const metadata = one('write_metadata')
  if (metadata) acting.packet = withMetadata(acting.packet, metadata)
  for (const { type } of instructions)
    if (!known.has(type)) step.doubts.push(`the instruction ${type} is not known here: it was passed over`)
  return one('goto_table')?.tableId
}
const known = new Set(['meter', 'apply_actions', 'clear_actions', 'write_actions', 'write_metadata', 'goto_table'])

const withMetadata = (
  packet: Packet,
  { metadata, metadataMask }: Extract<Instruction, { type: 'write_metadata' }>,
): Packet => {
  const before = packet.pipeline.get('metadata') ?? 0n
  return withField(packet, 'metadata', (before & ~metadataMask) | (metadata & metadataMask))
}

/** Actions, and the tables that resubmit names among them. */
function* perform(acting: Acting, actions: Parameters<typeof act>[1]): Generator<undefined, void> {
  for (const action of actions) {
    if (acting.hasExited) return
    act(acting, [action])
    for (const resubmit of acting.pending.splice(0)) yield* resubmitted(acting, resubmit)
  }
}

/** Open vSwitch's resubmit: the frame meets a table as if it had come in there, and what follows the action goes on with what that left. */
function* resubmitted(acting: Acting, { table, inPort }: Acting['pending'][number]): Generator<undefined, void> {
  const kept = acting.packet.pipeline.get('in_port') ?? 0n
  const from = acting.steps.at(-1)!.table
  const port = inPort === undefined ? kept : BigInt(inPort)
  acting.packet = { ...acting.packet, pipeline: new Map(acting.packet.pipeline).set('in_port', port) }
  const step = yield* stepAt(acting, table ?? from)
  let next = step?.flow ? yield* execute(acting, step) : undefined
  while (next !== undefined) {
    const further: Step | undefined = yield* stepAt(acting, next)
    next = further?.flow ? yield* execute(acting, further) : undefined
  }
  acting.packet = { ...acting.packet, pipeline: new Map(acting.packet.pipeline).set('in_port', kept) }
}
