// What agents report is told when it says something else than before.
import type { Emit } from '../../controller/view/event.ts'

type Status = { readonly state: string; readonly missing: readonly string[] }

/** Answers whom to call after each report of a node. What was told of nodes that are gone is forgotten. */
export const nodeTeller = (emit: Emit, isDeclared: (node: string) => boolean) => {
  const told = new Map<string, Status>()
  return (node: string, { state, missing }: Status): void => {
    const before = told.get(node)
    told.set(node, { state, missing })
    for (const name of told.keys()) if (!isDeclared(name)) told.delete(name)
    if (before?.state === state && before.missing.join() === missing.join()) return
    emit({ kind: 'node-changed', node, from: before?.state ?? 'unseen', to: state, missing: missing.slice(0, 10) })
  }
}
