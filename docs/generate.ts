// Writes the documents that follow from the code: `npm run docs`. test/docs.test.ts fails when they are stale.
import { writeFileSync } from 'node:fs'
import { pipelineDocument } from './pipeline.ts'

export const documents: Readonly<Record<string, () => string>> = { 'pipeline.md': pipelineDocument }

if (import.meta.main)
  for (const [name, write] of Object.entries(documents)) writeFileSync(new URL(name, import.meta.url), write())
