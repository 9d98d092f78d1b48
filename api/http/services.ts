import type { Server } from 'node:http'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type {
  FastifyBaseLogger,
  FastifyInstance,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
} from 'fastify'
import type { Controller } from '../../controller/view/view.ts'
import { isRefusal, type Refusal } from '../../store/refusals.ts'
import { type Draft, type Store, StoreError } from '../../store/store.ts'
import { problem, refusalProblem } from './problems.ts'

/** What every route works with. */
export type Services = {
  readonly store: Store
  readonly controller: Controller
  /** Aborted when the program stops: waits end. */
  readonly stopping: AbortSignal
}

export type App = FastifyInstance<
  Server,
  RawRequestDefaultExpression<Server>,
  RawReplyDefaultExpression<Server>,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whose credential a route wants; the token's when it says nothing. */
    gate?: 'open' | 'login'
  }
}

/**
 * Decides, and waits until it is on disk; `revision` is the store's after it. What is refused, or what the store can not
 * do, is thrown as a problem.
 */
export const write = async <T extends object>(
  { store }: Services,
  decide: (draft: Draft) => T | Refusal,
): Promise<T & { readonly revision: number }> => {
  const result = await store
    .write(draft => {
      const decided = decide(draft)
      return isRefusal(decided) ? decided : { ...decided, revision: draft.revision }
    })
    .catch((error: unknown) => {
      throw error instanceof StoreError ? storeProblem(error) : error
    })
  if (isRefusal(result)) throw refusalProblem(result)
  return result
}

const storeProblem = ({ code, message }: StoreError) =>
  problem(code === 'disk-full' ? 'store-full' : 'store-unavailable', {
    detail: `nothing was changed: ${message}`,
    hint: hints[code] ?? "look at the disk that --store is on and at the controller's log, then ask again",
  })

const hints: { readonly [code in StoreError['code']]?: string } = {
  'disk-full': 'make room on the disk that --store is on, then ask again',
  'read-only': 'make the file of --store and its folder writable, then ask again',
  diverged: 'something else wrote to the file of --store: restart the controller',
  closed: 'the controller is stopping: ask again when it is back',
}
