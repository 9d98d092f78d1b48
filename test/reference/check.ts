// What a switch refuses of actions and instructions before it looks at its state (OpenFlow 1.3.5 §7.4.4).
import { type Action, type Instruction, ports } from '../../openflow/index.ts'
import { badAction, badInstruction, type Failure } from './errors.ts'
import { allOnes, fieldOf, toWords } from './field.ts'
import { type Compiled, exactValue } from './match.ts'
import { niciraAction } from './nicira.ts'
import type { Kind } from './switch.ts'

/** What is certain of a packet that comes to an action: what its entry matches, and what the actions before did. */
type Certain = { readonly match: Compiled; tagged: boolean; readonly set: Map<string, number> }

const tagged = (match: Compiled): boolean => {
  const vid = fieldOf('vlan_vid')!
  const at = match.words.indexOf(vid.at)
  return at >= 0 && (match.values[at]! & match.masks[at]! & 0x1000) !== 0
}

/** §5.9, §7.2.4. Groups and meters are looked up later: at commit, in a bundle. */
export function checkInstructions(
  kind: Kind,
  tableId: number,
  match: Compiled,
  instructions: readonly Instruction[],
): Failure | undefined {
  const seen = new Set<string>()
  for (const instruction of instructions) {
    if (seen.has(instruction.type)) return badInstruction('DUP_INST')
    seen.add(instruction.type)
    const failure = checkInstruction(kind, tableId, match, instruction)
    if (failure) return failure
  }
  return undefined
}

function checkInstruction(kind: Kind, tableId: number, match: Compiled, instruction: Instruction): Failure | undefined {
  switch (instruction.type) {
    case 'goto_table': // §5.9: only forward
      return instruction.tableId > tableId && instruction.tableId < kind.nTables
        ? undefined
        : badInstruction('BAD_TABLE_ID')
    case 'write_actions':
    case 'apply_actions':
      return checkActions(kind, instruction.actions, match)
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

/** `match`: what the entry with these actions matches; not given for buckets and PACKET_OUT, where nothing is certain. */
export function checkActions(kind: Kind, actions: readonly Action[], match?: Compiled): Failure | undefined {
  const certain = match && { match, tagged: tagged(match), set: new Map<string, number>() }
  for (const action of actions) {
    const failure = checkAction(kind, action, certain)
    if (failure) return failure
  }
  return undefined
}

function checkAction(kind: Kind, action: Action, certain: Certain | undefined): Failure | undefined {
  switch (action.type) {
    case 'output':
      return isOutPort(action.port) ? undefined : badAction('BAD_OUT_PORT')
    case 'group':
    case 'set_queue':
      return undefined
    case 'push_vlan':
      if (action.ethertype !== 0x8100 && action.ethertype !== 0x88a8) return badAction('BAD_ARGUMENT')
      if (certain) certain.tagged = true
      return undefined
    case 'pop_vlan':
      if (certain && !certain.tagged) return badAction('MATCH_INCONSISTENT')
      if (certain) certain.tagged = false
      return undefined
    case 'set_field':
      return checkSetField(kind, action, certain)
    case 'controller2':
      return kind.nicira ? undefined : badAction('BAD_EXPERIMENTER')
    case 'experimenter':
      return kind.nicira && niciraAction(action) ? undefined : badAction('BAD_EXPERIMENTER')
    default:
      return badAction('BAD_TYPE')
  }
}

/** §7.2.1; NORMAL and FLOOD are for hybrid switches (§5.1), TABLE for PACKET_OUT. */
const isOutPort = (port: number): boolean =>
  (port > 0 && port <= ports.max) ||
  [ports.inPort, ports.table, ports.all, ports.controller, ports.local].includes(port as never)

function checkSetField(
  kind: Kind,
  action: Extract<Action, { type: 'set_field' }>,
  certain: Certain | undefined,
): Failure | undefined {
  const field = fieldOf(action.field)
  if (!field?.settable || (field.nicira && !kind.nicira)) return badAction('BAD_SET_TYPE')
  const ones = allOnes(field)
  const value = toWords(field, action.value)
  if (value.some((v, i) => v & ~ones[i]!)) return badAction('BAD_SET_ARGUMENT')
  if (!certain) return undefined
  const fulfilled = field.needs.every(([name, values]) => {
    if (name === 'vlan_vid') return certain.tagged
    return values.includes(certain.set.get(name) ?? exactValue(certain.match, fieldOf(name)!) ?? -1)
  })
  if (!fulfilled || (field.name === 'vlan_vid' && !certain.tagged)) return badAction('MATCH_INCONSISTENT')
  if (field.words === 1) certain.set.set(field.name, value[0]!)
  return undefined
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
