import type { Server } from 'node:http'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
} from 'fastify'
import type { Emit } from '../../controller/view/event.ts'
import type { History } from '../../controller/view/history.ts'
import type { Controller } from '../../controller/view/view.ts'
import { isRefusal, type Refusal } from '../../store/refusals.ts'
import { type Draft, type Store, StoreError } from '../../store/store.ts'
import type { Actor } from './auth.ts'
import { problem, refusalProblem } from './problems.ts'
import type { Shared } from './shared.ts'

/** What every route works with. */
export type Services = {
  readonly store: Store
  readonly controller: Controller
  /** Tells what happened. */
  readonly emit: Emit
  readonly history: History
  /** Aborted when the program stops: waits end. */
  readonly stopping: AbortSignal
  /** For what is expensive and may be asked for by several at once. */
  readonly shared: Shared
}

export type App = FastifyInstance<
  Server,
  RawRequestDefaultExpression<Server>,
  RawReplyDefaultExpression<Server>,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

/**
 * Decides for who asks, and waits until it is on disk; `revision` is the store's after it. What is refused, or what the store can not
 * do, is thrown as a problem.
 */
export const write = async <T extends object>(
  { store }: Services,
  { name }: Actor,
  decide: (draft: Draft) => T | Refusal,
): Promise<T & { readonly revision: number }> => {
  const result = await store
    .write(draft => {
      const decided = decide(draft)
      return isRefusal(decided) ? decided : { ...decided, revision: draft.revision }
    }, name)
    .catch((error: unknown) => {
      throw error instanceof StoreError ? storeProblem(error) : error
    })
  if (isRefusal(result)) throw refusalProblem(result)
  return result
}

const storeProblem = ({ code, message }: StoreError) => problem(storeProblems[code] ?? 'store-unavailable', [message])

const storeProblems: { readonly [code in StoreError['code']]?: StoreProblem } = {
  'disk-full': 'store-full',
  'read-only': 'store-read-only',
  diverged: 'store-diverged',
  closed: 'store-closed',
}
type StoreProblem = 'store-full' | 'store-read-only' | 'store-diverged' | 'store-closed'
