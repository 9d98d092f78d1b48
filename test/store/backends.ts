import { join } from 'node:path'
import { openMemory } from '../../store/memory.ts'
import { openSqlite } from '../../store/sqlite/sqlite.ts'
import type { Store, StoreRecord } from '../../store/store.ts'

/** Every store there is: tests of the contract run on each. To add a backend: add a row. */
export const backends: readonly {
  readonly name: string
  /** Opens a store in an empty folder. */
  open(folder: string, options?: { readonly record?: StoreRecord }): Promise<Store>
  /** It comes back after close. */
  readonly survives: boolean
}[] = [
  { name: 'memory', open: async (_, options) => openMemory(options), survives: false },
  { name: 'sqlite', open: (folder, options) => openSqlite(join(folder, 'l2sm.db'), options), survives: true },
]

/** How often a store committed, and how many writes were in those commits. */
export const counting = () => {
  const seen = { commits: 0, writes: 0, failures: [] as string[] }
  const record: StoreRecord = {
    commit(writes) {
      seen.commits++
      seen.writes += writes
    },
    failure: code => void seen.failures.push(code),
  }
  return { seen, record }
}

/** A copy of the state that later commits leave as it is. */
export const snapshot = (store: Store) => {
  const s = store.state()
  return structuredClone({
    revision: s.revision,
    complete: s.complete,
    networks: s.networks,
    attachments: s.attachments,
    members: s.members,
    declaredLinks: s.declaredLinks,
    discoveredLinks: s.discoveredLinks,
    discoveredFrom: s.discoveredFrom,
    deadLinks: s.deadLinks,
    accessPorts: s.accessPorts,
    nodes: s.nodes,
    nodeLinks: s.nodeLinks,
    nodeAt: s.nodeAt,
    nodeNumbered: s.nodeNumbered,
    peers: s.peers,
    overlay: s.overlay,
  })
}

/** The datapath id that ends in these digits. */
export const dpid = (n: number): string => n.toString(16).padStart(16, '0')
