// What a switch can not tell apart at a strict port. What it does not say is believed to be there, as in unsupported.ts.
import type { TableFeatures } from '../../openflow/index.ts'
import { pipeline } from '../compile/pipeline.ts'
import { type Family, families, lacking } from '../compile/strict.ts'

/** Fields that a strict port needs and the guard table does not match. */
export function missingFields(tables: readonly TableFeatures[]): ReadonlySet<string> {
  const guard = tables.find(({ tableId }) => tableId === pipeline.guard.id)
  const matched = guard?.properties.flatMap(each =>
    each.type === 'match' ? each.fields.map(({ field }) => field) : [],
  )
  const known = new Set<string>(matched)
  return new Set(known.size === 0 ? [] : pipeline.guard.strict.filter(field => !known.has(field)))
}

/** In words, what of a strict port's frames such a switch drops; undefined: nothing. */
export function droppedFor(missing: ReadonlySet<string>): string | undefined {
  const dropped = (Object.keys(families) as Family[]).flatMap(family => {
    const fields = lacking(family, missing)
    return fields.length === 0 ? [] : [`${family} (it does not match ${fields.join(', ')})`]
  })
  return dropped.length === 0
    ? undefined
    : `its table ${pipeline.guard.id} can't tell who sends ${dropped.join(', nor ')}`
}
