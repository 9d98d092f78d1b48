// What a switch refuses of actions and instructions before it looks at its state (OpenFlow 1.3.5 §7.4.4).
import { type Action, type Instruction, ports } from '../../openflow/index.ts'
import { badAction, badInstruction, type Failure } from './errors.ts'
import { allOnes, fieldOf, toWords } from './field.ts'
import { type Compiled, exactValue } from './match.ts'
import { bitsOf } from './nicira.ts'
import type { Kind } from './switch.ts'

/** What is certain of a packet that comes to an action: what its entry matches, and what the actions before did. */
type Certain = { readonly match: Compiled; tags: number; readonly set: Map<string, number> }

/** §5.9, §7.2.4. Groups and meters are looked up later: at commit, in a bundle. */
export function checkInstructions(
  kind: Kind,
  tableId: number,
  match: Compiled,
  instructions: readonly Instruction[],
): Failure | undefined {
  return (
    firstFailure(instructions, (instruction, i) => {
      if (instructions.findIndex(({ type }) => type === instruction.type) < i) return badInstruction('DUP_INST')
      return checkInstruction(kind, tableId, instruction)
    }) ?? inconsistency(kind, match, instructions)
  )
}

function firstFailure<T>(items: readonly T[], check: (item: T, i: number) => Failure | undefined): Failure | undefined {
  for (const [i, item] of items.entries()) {
    const failure = check(item, i)
    if (failure) return failure
  }
  return undefined
}

function checkInstruction(kind: Kind, tableId: number, instruction: Instruction): Failure | undefined {
  switch (instruction.type) {
    case 'goto_table': // §5.9: only forward
      if (instruction.tableId > tableId && instruction.tableId < kind.nTables) return undefined
      return badInstruction('BAD_TABLE_ID')
    case 'write_actions':
      // Only what §5.10 lists can stand in an action set.
      if (instruction.actions.some(({ type }) => type === 'controller2')) return badAction('BAD_TYPE')
      return checkActions(kind, instruction.actions)
    case 'apply_actions':
      return checkActions(kind, instruction.actions)
    case 'write_metadata':
    case 'clear_actions':
    case 'meter':
      return undefined
    case 'experimenter':
      return badInstruction('BAD_EXPERIMENTER')
    default:
      return badInstruction('UNKNOWN_INST')
  }
}

/** What can be said of actions wherever they stand: in an entry, a bucket or a PACKET_OUT. */
export const checkActions = (kind: Kind, actions: readonly Action[]): Failure | undefined =>
  firstFailure(actions, action => checkAction(kind, action))

function checkAction(kind: Kind, action: Action): Failure | undefined {
  switch (action.type) {
    case 'output':
      return isOutPort(action.port) ? undefined : badAction('BAD_OUT_PORT')
    case 'group':
    case 'set_queue':
    case 'pop_vlan':
      return undefined
    case 'push_vlan':
      return action.ethertype === 0x8100 || action.ethertype === 0x88a8 ? undefined : badAction('BAD_ARGUMENT')
    case 'set_field':
      return checkSetField(kind, action)
    case 'controller2':
      return kind.nicira ? undefined : badAction('BAD_EXPERIMENTER')
    case 'move':
    case 'load':
      if (!kind.nicira) return badAction('BAD_EXPERIMENTER')
      return bitsOf(action) ? undefined : badAction('BAD_SET_ARGUMENT')
    case 'experimenter':
      return badAction('BAD_EXPERIMENTER')
    default:
      return badAction('BAD_TYPE')
  }
}

/** §7.2.1; NORMAL and FLOOD are for hybrid switches (§5.1), TABLE for PACKET_OUT. */
const isOutPort = (port: number): boolean =>
  (port > 0 && port <= ports.max) ||
  [ports.inPort, ports.table, ports.all, ports.controller, ports.local].includes(port as never)

type SetField = Extract<Action, { type: 'set_field' }>

function checkSetField(kind: Kind, action: SetField): Failure | undefined {
  const field = fieldOf(action.field)
  if (!field?.settable || (field.nicira && !kind.nicira)) return badAction('BAD_SET_TYPE')
  const ones = allOnes(field)
  return toWords(field, action.value).some((v, i) => v & ~ones[i]!) ? badAction('BAD_SET_ARGUMENT') : undefined
}

/**
 * §7.4.4, MATCH_INCONSISTENT: an action that needs a header which match and earlier actions do not make certain. In an
 * action set (`write_actions`) tags may come from elsewhere, so that only fields are looked at.
 */
function inconsistency(kind: Kind, match: Compiled, instructions: readonly Instruction[]): Failure | undefined {
  const certain: Certain = { match, tags: isTagged(match) ? 1 : 0, set: new Map() }
  const actionsOf = (type: 'apply_actions' | 'write_actions'): (readonly [Action, typeof type])[] =>
    instructions.flatMap(each => (each.type === type ? each.actions.map(action => [action, type] as const) : []))
  return firstFailure([...actionsOf('apply_actions'), ...actionsOf('write_actions')], ([action, type]) => {
    if (action.type === 'push_vlan') return ++certain.tags > kind.mostTags ? badAction('BAD_TAG') : undefined
    if (action.type === 'pop_vlan') {
      if (certain.tags === 0) return type === 'apply_actions' ? badAction('MATCH_INCONSISTENT') : undefined
      certain.tags--
    }
    return action.type === 'set_field' && !fits(certain, action) ? badAction('MATCH_INCONSISTENT') : undefined
  })
}

const isTagged = (match: Compiled): boolean => {
  const at = match.words.indexOf(fieldOf('vlan_vid')!.at)
  return at >= 0 && (match.values[at]! & match.masks[at]! & 0x1000) !== 0
}

function fits(certain: Certain, action: SetField): boolean {
  const field = fieldOf(action.field)!
  if (field.name === 'vlan_vid' && certain.tags === 0) return false
  const fulfilled = field.needs.every(([name, values]) => {
    if (name === 'vlan_vid') return certain.tags > 0
    return values.includes(certain.set.get(name) ?? exactValue(certain.match, fieldOf(name)!) ?? -1)
  })
  if (field.words === 1) certain.set.set(field.name, toWords(field, action.value)[0]!)
  return fulfilled
}

/** What actions refer to. */
export function references(instructions: readonly Instruction[]): {
  ports: Set<number>
  groups: Set<number>
  meters: Set<number>
} {
  const found = { ports: new Set<number>(), groups: new Set<number>(), meters: new Set<number>() }
  for (const instruction of instructions) {
    if (instruction.type === 'meter') found.meters.add(instruction.meterId)
    if (instruction.type !== 'write_actions' && instruction.type !== 'apply_actions') continue
    for (const action of instruction.actions) {
      if (action.type === 'output') found.ports.add(action.port)
      else if (action.type === 'group') found.groups.add(action.groupId)
      else if (action.type === 'controller2') found.ports.add(ports.controller)
    }
  }
  return found
}
