import { isWaiting } from '../asked/asked.ts'
import { isFault, parseMultus } from '../asked/multus.ts'
import { take } from '../claim/take.ts'
import type { Recorder } from '../kube/events.ts'
import { label, multusNetworks } from '../kube/names.ts'
import { type Pod, place } from '../kube/objects.ts'
import type { World } from '../world/world.ts'
import { type Review, setIn, type Verdict } from './review.ts'

type Binding = {
  readonly metadata?: { readonly uid?: string; readonly annotations?: object; readonly labels?: object }
  readonly target?: { readonly kind?: string; readonly name?: string }
}

/**
 * A pod is bound to a node: it gets its interfaces and addresses in the same write. Where it can't have them the binding is
 * refused, and the scheduler tries again, perhaps on another node.
 */
export const bindingVerdict = async (world: World, events: Recorder, { request }: Review): Promise<Verdict> => {
  const { metadata = {}, target } = request.object as Binding
  const node = target?.name
  const { namespace = '', name = '' } = request
  // Nothing is handed out for what is not going to be.
  if (request.dryRun || !node || !name || (target.kind ?? 'Node') !== 'Node') return { is: 'allowed' }
  const pod = await podOf(world, namespace, name, metadata.uid)
  if (!pod) return { is: 'allowed' }
  if (!isWaiting(pod.metadata.annotations)) {
    if (pod.metadata.labels?.[label] !== 'true') tellNotOurs(world, events, pod)
    return { is: 'allowed' }
  }
  const taken = await take(world, pod, node)
  if (taken.is === 'waits') {
    events.tell(pod, 'Pod', 'Warning', taken.reason, taken.message)
    return { is: 'denied', message: taken.message }
  }
  return {
    is: 'allowed',
    patch: setIn({ annotations: metadata.annotations }, { annotations: { [multusNetworks]: taken.annotation } }),
  }
}

/** It asks for a network in the oldest form, without the label that makes it ours: Multus will find no such device. */
const tellNotOurs = (world: World, events: Recorder, pod: Pod): void => {
  const { annotations = {}, namespace = '' } = pod.metadata
  const elements = parseMultus(annotations[multusNetworks] ?? '')
  if (isFault(elements)) return
  const names = elements.filter(one => world.isNad(one.namespace ?? namespace, one.name)).map(({ name }) => name)
  if (names.length === 0) return
  const message = `it asks for network ${names.join(', ')}, and gets none: the pod needs the label ${label}: "true", or its namespace`
  events.tell(pod, 'Pod', 'Warning', 'NoLabel', message)
}

/** The mirror may not have it yet; most pods it never has, as they are not ours. */
const podOf = async (
  { pods, api }: World,
  namespace: string,
  name: string,
  uid: string | undefined,
): Promise<Pod | undefined> => {
  const known = pods.get(`${namespace}/${name}`)
  if (known && (uid === undefined || uid === '' || known.metadata.uid === uid)) return known
  return api.get<Pod>(place('pods', { namespace, name }))
}
