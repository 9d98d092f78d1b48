import type { Collection } from '../collection.ts'
import { isTrue } from '../row-check.ts'

declare module '../change.ts' {
  interface Kinds {
    access: true
  }
  interface Tables {
    /** Ports that are or were an attachment, a mirror or an end of a vlink: never believed to be a link. By endpointKey. */
    readonly accessPorts: Set<string>
  }
  interface Writers extends AccessWriters {}
}

type AccessWriters = {
  /** By endpointKey. */
  markAccessPort(key: string): void
  forgetAccessPort(key: string): void
}

export const access: Collection<'access', AccessWriters> = {
  table: 'accessPorts',
  shape: { is: 'set' },
  isRow: isTrue,
  // A link that was found there does not count any more.
  marks: (key, state) => (state.discoveredAt.has(key) ? 'links' : undefined),
  writers: ({ draft, step }) => ({
    markAccessPort(key) {
      if (!draft.accessPorts.has(key)) step({ kind: 'access', key, before: undefined, after: true })
    },
    forgetAccessPort(key) {
      if (draft.accessPorts.has(key)) step({ kind: 'access', key, before: true, after: undefined })
    },
  }),
}
