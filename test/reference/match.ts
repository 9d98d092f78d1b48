// A match as words to compare (OpenFlow 1.3.5 §5.3), and the relations between matches that §6.4 speaks of.
import type { Match } from '../../openflow/index.ts'
import { badMatch, type Failure } from './errors.ts'
import { allOnes, type Field, fieldOf, toWords } from './field.ts'

/** (key[words[i]] & masks[i]) === values[i] for all i; words ascend, and no mask is 0. */
export type Compiled = {
  readonly words: readonly number[]
  readonly masks: readonly number[]
  readonly values: readonly number[]
  /** Matches of one shape compare the same bits: their words and masks, as text. */
  readonly shape: string
  /** What §6.4 calls identical match fields: same words, masks and values. */
  readonly identity: string
}

type Part = { readonly field: Field; readonly value: number[]; readonly mask: number[]; readonly masked: boolean }
type Options = { readonly nicira: boolean }

/** The match in words, or how §7.2.3 refuses it. */
export function compileMatch(match: Match, { nicira }: Options): Compiled | Failure {
  const parts: Part[] = []
  for (const [name, given] of Object.entries(match)) {
    const field = fieldOf(name)
    if (!field || given === undefined || (field.nicira && !nicira)) return badMatch('BAD_FIELD')
    const masked = typeof given === 'object' && 'mask' in given
    const part = {
      field,
      masked,
      ...(masked ? maskedWords(field, given) : { value: toWords(field, given), mask: allOnes(field) }),
    }
    const failure = refusal(part, parts)
    if (failure) return failure
    parts.push(part)
  }
  return compiled(parts)
}

const maskedWords = (field: Field, { value, mask }: { value: unknown; mask: unknown }) => ({
  value: toWords(field, value),
  mask: toWords(field, mask),
})

function refusal({ field, value, mask, masked }: Part, before: readonly Part[]): Failure | undefined {
  if (before.some(part => part.field.at === field.at)) return badMatch('DUP_FIELD')
  if (masked && !field.maskable) return badMatch('BAD_MASK')
  const ones = allOnes(field)
  if (value.some((v, i) => v & ~ones[i]!)) return badMatch('BAD_VALUE')
  // §7.2.3.5: a bit that the mask leaves out must be 0 in the value.
  if (value.some((v, i) => v & ~mask[i]!)) return badMatch('BAD_WILDCARDS')
  // §7.2.3.7, table 13: a VID without OFPVID_PRESENT is OFPVID_NONE, or nothing.
  if (field.name === 'vlan_vid' && !masked && value[0]! !== 0 && !(value[0]! & 0x1000)) return badMatch('BAD_VALUE')
  if (!field.needs.every(([name, values]) => before.some(part => fulfils(part, name, values))))
    return badMatch('BAD_PREREQ')
  return undefined
}

/** §7.2.3.6: a prerequisite stands earlier in the same match, with one of these values, unmasked. */
function fulfils({ field, value, mask, masked }: Part, name: string, values: readonly number[]): boolean {
  if (field.name !== name) return false
  if (name === 'vlan_vid') return (value[0]! & mask[0]! & 0x1000) !== 0
  return !masked && values.includes(value[0]!)
}

function compiled(parts: readonly Part[]): Compiled {
  const all = parts
    .flatMap(({ field, value, mask }) => value.map((v, i) => ({ word: field.at + i, value: v, mask: mask[i]! })))
    .filter(({ mask }) => mask !== 0)
    .sort((a, b) => a.word - b.word)
  const words = all.map(part => part.word)
  const masks = all.map(part => part.mask)
  const values = all.map(part => part.value)
  const shape = `${words}/${masks}`
  return { words, masks, values, shape, identity: `${shape}=${values}` }
}

/** §6.4: `entry` is what `description` describes, or more specific. */
export function covers(description: Compiled, entry: Compiled): boolean {
  return description.words.every((word, i) => {
    const at = entry.words.indexOf(word)
    const mask = description.masks[i]!
    return at >= 0 && (mask & ~entry.masks[at]!) === 0 && (entry.values[at]! & mask) === description.values[i]!
  })
}

/** §6.4: one packet may match both. */
export function overlaps(a: Compiled, b: Compiled): boolean {
  return a.words.every((word, i) => {
    const at = b.words.indexOf(word)
    return at < 0 || ((a.values[i]! ^ b.values[at]!) & a.masks[i]! & b.masks[at]!) === 0
  })
}

/** What the match fixes a field to, if it does: for the prerequisites of actions (§7.4.4, MATCH_INCONSISTENT). */
export function exactValue(match: Compiled, field: Field): number | undefined {
  const at = match.words.indexOf(field.at)
  return at >= 0 && match.masks[at] === allOnes(field)[0] ? match.values[at] : undefined
}
