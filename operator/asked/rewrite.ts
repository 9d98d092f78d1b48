/** The annotations of a pod that was moved from one network to another: it asks for the new one, all else as it was. Pure. */

import { askedMultus, askedNetworks } from '../kube/names.ts'

type Annotations = Readonly<Record<string, string>>

/** Only what changes. */
export const askingInstead = (annotations: Annotations, from: string, to: string): Annotations => {
  const changed: Record<string, string> = {}
  for (const key of [askedNetworks, askedMultus]) {
    const text = annotations[key]
    const next = text === undefined ? undefined : renamed(text, from, to)
    if (next !== undefined && next !== text) changed[key] = next
  }
  return changed
}

const renamed = (text: string, from: string, to: string): string => {
  if (text.trim().startsWith('[')) {
    const list = JSON.parse(text) as { readonly name: string }[]
    return list.some(({ name }) => name === from)
      ? JSON.stringify(list.map(one => (one.name === from ? { ...one, name: to } : one)))
      : text
  }
  return text
    .split(',')
    .map(part =>
      part.replace(/^(\s*(?:[^/@\s]+\/)?)([^/@\s]+)/, (whole, before: string, name: string) =>
        name === from ? before + to : whole,
      ),
    )
    .join(',')
}
