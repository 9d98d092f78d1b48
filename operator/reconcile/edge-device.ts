/** A network edge device: what is known of it is told. Joining networks of several clusters is not there yet (docs/status.md). */

import { createHash } from 'node:crypto'
import { place } from '../kube/objects.ts'
import { setCondition, type Work } from './work.ts'

const digest = (text: string) => createHash('sha256').update(text).digest('hex')

export const reconcileEdgeDevice = async ({ world }: Work, key: string): Promise<undefined> => {
  const device = world.edgeDevices.get(key)
  if (!device || device.metadata.deletionTimestamp) return undefined
  const { metadata, spec, status: before = {} } = device
  const observed = metadata.generation === undefined ? {} : { observedGeneration: metadata.generation }
  const message =
    'networks of several clusters are not served yet: the device is kept as it was written, and nothing is made of it'
  const conditions = setCondition(before.conditions, {
    type: 'Ready',
    status: 'False',
    reason: 'NotServed',
    message,
    ...observed,
  })
  if (!conditions) return undefined
  // Bridge and datapath id are named as those of every node: by the node and who controls it.
  const openflowId =
    spec.nodeConfig &&
    `of:${digest(`br-${digest(spec.nodeConfig.nodeName + spec.provider.name).slice(0, 8)}`).slice(0, 16)}`
  const status = { availability: 'Unavailable', ...(openflowId && { openflowId }), ...observed, conditions }
  await world.api.patch(`${place('edgeDevices', metadata)}/status`, 'merge', {
    metadata: { uid: metadata.uid },
    status,
  })
  return undefined
}
