/** Keeps a hosts file of the names of pods, for a DNS server beside it: from the claims of addresses, and labels of pods. */

import { rename, writeFile } from 'node:fs/promises'
import type { Logger } from 'pino'
import { isInterface } from '../claim/ledger.ts'
import type { Api } from '../kube/api.ts'
import { mirror } from '../kube/mirror.ts'
import { appLabel, label } from '../kube/names.ts'
import { type AddressClaim, type Claim, collection, type Pod } from '../kube/objects.ts'
import { hostsOf } from './hosts.ts'

export type NamesOptions = {
  readonly api: Api
  /** The hosts file. It is replaced as a whole. */
  readonly file: string
  readonly log: Logger
}
export type Names = {
  /** Resolves when the file has been written for the first time. */
  readonly written: Promise<void>
  close(): Promise<void>
}

/** Milliseconds: changes that come together are one write; a write that failed is tried again. */
const together = 100
const again = 2_000

export const keepNames = ({ api, file, log }: NamesOptions): Names => {
  const first = Promise.withResolvers<void>()
  let timer: NodeJS.Timeout | undefined
  let writing: Promise<void> | undefined
  let last: string | undefined
  let isClosed = false
  const changed = () => soon(together)
  const complain = (why: string | undefined) => why !== undefined && log.warn({ why }, 'the API server')
  const pods = mirror<Pod>({ api, path: collection('pods'), labelSelector: `${label}=true`, changed, complain })
  const claims = mirror<Claim>({ api, path: collection('claims'), changed, complain })

  const write = async () => {
    // On a partial view names would go that are still there.
    if (!pods.isSynced() || !claims.isSynced()) return
    const text = hostsOf(addresses(claims.values()), pod => {
      const { metadata } = pods.get(`${pod.namespace}/${pod.name}`) ?? {}
      return metadata?.uid === pod.uid ? metadata.labels?.[appLabel] || metadata.name : undefined
    })
    if (text === last) return
    await writeFile(`${file}.new`, text)
    await rename(`${file}.new`, file)
    last = text
    first.resolve()
  }
  const run = async () => {
    timer = undefined
    await writing
    writing = write().catch(error => {
      log.error({ why: (error as Error).message, file }, 'the names of pods cannot be written; it will be tried again')
      soon(again)
    })
    await writing
  }
  const soon = (delay: number) => {
    if (!isClosed) timer ??= setTimeout(run, delay)
  }
  void Promise.all([pods.synced, claims.synced]).then(changed)
  return {
    written: first.promise,
    close: async () => {
      isClosed = true
      clearTimeout(timer)
      await Promise.all([pods.close(), claims.close(), writing])
    },
  }
}

function* addresses(claims: Iterable<Claim>): Generator<AddressClaim> {
  for (const { spec } of claims) if (!isInterface(spec)) yield spec
}
