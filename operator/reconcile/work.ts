import type { Logger } from 'pino'
import { type Client, type Output, RefusedError } from '../../api/contract/client.ts'
import { isFault, parseMultus } from '../asked/multus.ts'
import type { Certificates } from '../certificates/authority.ts'
import type { Held } from '../claim/ledger.ts'
import type { Recorder } from '../kube/events.ts'
import { multusNetworks, plainNad } from '../kube/names.ts'
import type { Claim, Condition, InterfaceClaim, Pod } from '../kube/objects.ts'
import type { Record } from '../world/metrics.ts'
import type { World } from '../world/world.ts'

/** What the leader works with. */
export type Work = {
  readonly world: World
  readonly controller: Client
  readonly events: Recorder
  readonly record: Record
  readonly log: Logger
  readonly seen: Seen
  /** Undefined: certificates are somebody else's. */
  readonly own: Own | undefined
}

/** An installation whose certificates the operator makes. */
export type Own = {
  readonly certificates: () => Certificates
  /** Where agents run. */
  readonly nodesNamespace: string
}

/** What was last heard of the controller. In memory only: it is asked again after a restart. */
export type Seen = {
  /** Of an attachment, by its claim: what the switches have. */
  readonly programmed: Map<string, { readonly isProgrammed: boolean; readonly why: string }>
  /** Claims whose interface is in a pod, as the node's agent says. */
  used: ReadonlySet<string>
  /** Networks that the controller has with all their ports, since it was last found to have another store. */
  readonly told: Set<string>
  /** Nodes that the controller knows, and their datapath ids. */
  nodes: ReadonlyMap<string, string>
}

/** Its containers have ended for good: its interfaces are on their way back. */
export const isOver = (pod: Pod): boolean => pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed'

/** Whether a pod has, or is about to have, the interface of this claim. */
export const isUsed = (world: World, { pod: ref, interface: { node, nad } }: InterfaceClaim): boolean => {
  const pod = world.pods.get(`${ref.namespace}/${ref.name}`)
  if (pod?.metadata.uid !== ref.uid || isOver(pod) || pod.spec.nodeName !== node) return false
  const elements = parseMultus(pod.metadata.annotations?.[multusNetworks] ?? '')
  return !isFault(elements) && elements.some(({ name }) => name === nad || name === plainNad(nad))
}

export const podKey = ({ pod: { namespace, name } }: Claim['spec']): string => `${namespace}/${name}`

/** The conditions of an object with one of them set. The time changes with the status only. Undefined: nothing changes. */
export const setCondition = (
  conditions: readonly Condition[] = [],
  next: Omit<Condition, 'lastTransitionTime'>,
): readonly Condition[] | undefined => {
  const before = conditions.find(({ type }) => type === next.type)
  const isSame =
    before &&
    (['status', 'reason', 'message', 'observedGeneration'] as const).every(field => before[field] === next[field])
  if (isSame) return undefined
  const lastTransitionTime =
    before?.status === next.status ? before.lastTransitionTime! : new Date().toISOString().replace(/\.\d+Z/, 'Z')
  return [...conditions.filter(({ type }) => type !== next.type), { ...next, lastTransitionTime }]
}

/** Runs `each` for all, `width` at a time. Rejects with the first failure, after all have been tried. */
export const forAll = async <T>(items: Iterable<T>, each: (item: T) => Promise<void>, width = 16): Promise<void> => {
  const iterator = items[Symbol.iterator]()
  const failures: unknown[] = []
  const worker = async () => {
    for (let next = iterator.next(); !next.done; next = iterator.next())
      await each(next.value).catch(error => failures.push(error))
  }
  await Promise.all(Array.from({ length: width }, worker))
  if (failures.length > 0) throw failures[0]
}

/** What is there no more is no failure. */
export const orAbsent = async <T>(asked: Promise<T>): Promise<T | undefined> => {
  try {
    return await asked
  } catch (error) {
    if (error instanceof RefusedError && error.status === 404) return undefined
    throw error
  }
}

export type Attachment = Output<'listAttachments'>['attachments'][number]
/** A pod's interface in a network, and what the controller says of it. */
export type Member = Held<InterfaceClaim> & { readonly attachment: Attachment | undefined }
