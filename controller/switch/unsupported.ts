// What a switch cannot do that our pipeline needs. What it does not say is believed to be there: switches were seen whose
// table features list no instructions at all, and that follow all of them.
import type { TableFeatures } from '../../openflow/index.ts'
import type { Session } from '../../openflow/session/session.ts'
import { type Doing, metadataBits, pipeline } from '../compile/pipeline.ts'

export type Shown = Pick<Session, 'features' | 'can'>

/** Groups of type all, for floods (OpenFlow 1.3.5 §7.3.5.9: a bit for each type). */
const groupsOfTypeAll = 1
/** Frames come out of tunnels only where there are some: a switch without them needs no such match. */
const needless = new Set<string>(['tunnel_id'])

/** What only networks that snoop multicast need is asked of the switch when there is one. */
const needed = Object.values(pipeline).filter(({ match }) => match.length > 0)
const isNeeded = (name: string): boolean => needed.some(table => table.name === name)

/** In words, each missing feature; undefined if nothing is known to be missing. */
export function unsupported({ features, can }: Shown): string | undefined {
  const names = needed.map(({ name }) => name)
  const missing: string[] = []
  if (features.nTables < names.length)
    missing.push(
      `it has ${features.nTables} flow table${features.nTables === 1 ? '' : 's'}, and ${names.length} are needed (${names.join(', ')})`,
    )
  const ours = (can.tables ?? []).flatMap(shown => {
    const declared = needed.find(({ id }) => id === shown.tableId)
    return declared ? [{ shown, declared }] : []
  })
  const short = ours.find(({ shown, declared }) => !carriesMetadata(shown, declared))
  if (short)
    missing.push(
      `its table ${short.shown.tableId} does not carry the metadata bits 0x${metadataBits.toString(16)} (it matches 0x${short.shown.metadataMatch.toString(16)}, writes 0x${short.shown.metadataWrite.toString(16)})`,
    )
  for (const { shown, declared } of ours) missing.push(...missingWords(shown, declared))
  if (can.groups && (can.groups.types & groupsOfTypeAll) === 0) missing.push('it has no groups of type all')
  else if (can.groups && can.groups.maxGroups[0] === 0) missing.push('it can hold no group of type all')
  return missing.length > 0 ? missing.join('; ') : undefined
}

type Declared = (typeof pipeline)[keyof typeof pipeline]

function carriesMetadata({ metadataMatch, metadataWrite }: TableFeatures, { match, does }: Declared): boolean {
  const matches = !(match as readonly string[]).includes('metadata') || has(metadataMatch)
  const writes = !(does as readonly Doing[]).includes('write_metadata') || has(metadataWrite)
  return matches && writes
}
const has = (bits: bigint): boolean => (bits & metadataBits) === metadataBits

/** Instructions, actions and fields that a table lists others of, but not these. */
function missingWords({ tableId, properties }: TableFeatures, { match, next, does }: Declared): string[] {
  const words: string[] = []
  const compare = (listed: ReadonlySet<string>, needed: readonly string[], verb: string) => {
    if (listed.size === 0) return
    for (const each of needed) if (!listed.has(each)) words.push(`its table ${tableId} does not ${verb} ${each}`)
  }
  for (const property of properties) {
    if (property.type === 'instructions') {
      const leads = next.some(isNeeded)
      const follows = does.filter(each => each === 'write_metadata' || (each === 'goto_table' && leads))
      compare(new Set(property.instructions.map(i => i.type)), ['apply_actions', ...follows], 'follow')
    }
    if (property.type === 'apply_actions') {
      const listed = new Set<string>(property.actions.map(a => a.type))
      compare(listed, does.filter(isAction), 'do')
    }
    if (property.type === 'match') {
      const listed = new Set<string>(property.fields.map(f => f.field))
      const fields = (match as readonly string[]).filter(field => !needless.has(field))
      compare(listed, fields, 'match')
    }
  }
  return words
}
const instructions = new Set<string>(['write_metadata', 'goto_table', 'meter'])
const isAction = (doing: Doing): boolean => !instructions.has(doing) && !doing.startsWith('set ')

/** Why meters can't be used in our tables, if their features say so. */
export function cannotLimit(tables: readonly TableFeatures[]): string | undefined {
  for (const { tableId, properties } of tables) {
    const declared = needed.find(({ id }) => id === tableId)
    if (!declared) continue
    for (const p of properties) {
      if (p.type === 'instructions' && p.instructions.length > 0 && !p.instructions.some(i => i.type === 'meter'))
        return `its table ${tableId} does not follow meters`
      const lacks =
        p.type === 'match' && p.fields.length > 0
          ? declared.limiting.find(field => !p.fields.some(f => f.field === field))
          : undefined
      if (lacks !== undefined) return `its table ${tableId} does not match ${lacks}`
    }
  }
  return undefined
}

/** The first table says what it matches, and a tunnel id is not among it. */
export const matchesNoTunnels = (tables: readonly TableFeatures[]): boolean =>
  tables.some(
    ({ tableId, properties }) =>
      tableId === pipeline.admit.id &&
      properties.some(
        p => p.type === 'match' && p.fields.length > 0 && !p.fields.some(({ field }) => field === 'tunnel_id'),
      ),
  )
