import { idsConfigName, idsFault, idsName, idsObjects } from '../asked/ids.ts'
import { idsLabel } from '../kube/names.ts'
import { type InterfaceClaim, type KubeObject, type L2Network, place } from '../kube/objects.ts'
import type { Work } from './work.ts'

/** Makes the objects of a network's IDS as they should be, or takes them away. What can not be served is told. */
export const reconcileIds = async ({ world, events, log }: Work, network: L2Network): Promise<void> => {
  const { metadata, spec } = network
  const { name, namespace = '' } = metadata
  if (!spec.ids?.enabled) {
    await removeObjects(world, namespace, name)
    return
  }
  const fault = idsFault(spec.ids, namespace)
  if (fault !== undefined) {
    events.tell(network, 'L2Network', 'Warning', 'BadIds', fault)
    return
  }
  const [configMap, deployment] = idsObjects(network, spec.ids)
  const there = await world.api.get<KubeObject>(place('deployments', { namespace, name: idsName(name) }))
  const options = { fieldManager: 'l2sm-operator', force: true }
  await world.api.patch(place('configmaps', { namespace, name: idsConfigName(name) }), 'apply', configMap, options)
  await world.api.patch(place('deployments', { namespace, name: idsName(name) }), 'apply', deployment, options)
  if (!there) log.info({ network: `${namespace}.${name}` }, 'IDS made')
}

const removeObjects = async ({ api }: Work['world'], namespace: string, name: string): Promise<void> => {
  const deployment = place('deployments', { namespace, name: idsName(name) })
  const there = await api.get<KubeObject>(deployment)
  // Somebody may have one of this name that is none of ours.
  if (there?.metadata.labels?.[idsLabel] !== name) return
  await api.remove(deployment)
  await api.remove(place('configmaps', { namespace, name: idsConfigName(name) }))
}

/** Whether this is the pod of the network's IDS: it gets copies of all frames, and is no member. */
export const isIdsPod = (
  { world }: Work,
  network: L2Network | undefined,
  { pod: { namespace, name } }: InterfaceClaim,
): boolean => {
  if (!network?.spec.ids?.enabled) return false
  const { labels = {}, ownerReferences = [] } = world.pods.get(`${namespace}/${name}`)?.metadata ?? {}
  const its = idsName(network.metadata.name)
  return (
    labels[idsLabel] === network.metadata.name &&
    ownerReferences.some(({ kind, name: owner }) => kind === 'ReplicaSet' && owner.startsWith(`${its}-`))
  )
}
