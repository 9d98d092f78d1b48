// Writes the documents that follow from the code, whole or between two marks: `npm run docs`. test/docs.test.ts fails when
// they are stale.
import { readFileSync, writeFileSync } from 'node:fs'
import { templates } from './chart.ts'
import { eventsDocument } from './events.ts'
import { foldersDocument } from './imports.ts'
import { pipelineDocument } from './pipeline.ts'

/** A page, with this text between its lines `<!-- NAME: ... -->` and `<!-- end of NAME -->`. */
export function between(page: string, name: string, text: string): string {
  const begins = page.indexOf('\n', page.indexOf(`<!-- ${name}:`)) + 1
  const ends = page.indexOf(`<!-- end of ${name} -->`)
  if (!page.includes(`<!-- ${name}:`) || ends < begins)
    throw new Error(`the page has no part "${name}" between two marks`)
  return `${page.slice(0, begins)}\n${text}\n\n${page.slice(ends)}`
}

const read = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8')

/** By the path of their file, from docs/. */
export const documents: Readonly<Record<string, () => string>> = {
  'events.md': eventsDocument,
  'pipeline.md': pipelineDocument,
  'architecture.md': () => between(read('architecture.md'), 'folders', foldersDocument()),
  ...templates,
}

if (import.meta.main)
  for (const [name, write] of Object.entries(documents)) writeFileSync(new URL(name, import.meta.url), write())
