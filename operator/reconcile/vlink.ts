/** A network of type vlink: its `config` names pods and links, the controller knows datapath ids and ports. */

import { isFault } from '../asked/multus.ts'
import { parseVlinkConfig, type VlinkWish, vlinkWish } from '../asked/vlink-config.ts'
import { appLabel } from '../kube/names.ts'
import type { L2Network } from '../kube/objects.ts'
import { isUsed, type Work } from './work.ts'

/** What a vlink names is not there, or its config can't be read: nothing that the controller could be told. */
export class NotYet extends Error {
  override name = 'NotYet'
}

/** Throws NotYet with what is missing: its pods may still be on their way. */
export const vlinkBody = (work: Work, id: string, { spec }: L2Network): VlinkWish & { readonly type: 'vlink' } => {
  const config = parseVlinkConfig(spec.config ?? '')
  if (isFault(config)) throw new NotYet(config.fault)
  const wish = vlinkWish(config, {
    endpoint: name => endpointOf(work, id, name),
    link: name => linkNames(work).get(name),
  })
  if (isFault(wish)) throw new NotYet(wish.fault)
  return { type: 'vlink', ...wish }
}

/** The port of a pod in this network, by its name or by its label l2sm/app. */
const endpointOf = ({ world }: Work, id: string, name: string) => {
  for (const { spec } of world.ledger.in(id)) {
    const pod = world.pods.get(`${spec.pod.namespace}/${spec.pod.name}`)
    const isMeant = spec.pod.name === name || pod?.metadata.labels?.[appLabel] === name
    if (isMeant && isUsed(world, spec)) return { dpid: spec.interface.dpid, port: spec.interface.port }
  }
  return undefined
}

/** Links have no names in an Overlay: between nodes a and c it may be called a-c, link-a-c or link-ac, in either order. */
const linkNames = ({ world, seen }: Work): ReadonlyMap<string, readonly [string, string]> => {
  const names = new Map<string, readonly [string, string]>()
  for (const { spec } of world.overlays.values())
    for (const { endpointA, endpointB } of spec.topology?.links ?? []) {
      const [a, b] = [seen.nodes.get(endpointA), seen.nodes.get(endpointB)]
      if (a === undefined || b === undefined) continue
      for (const [x, y] of [
        [endpointA, endpointB],
        [endpointB, endpointA],
      ] as const)
        for (const name of [`${x}-${y}`, `link-${x}-${y}`, `link-${x}${y}`]) names.set(name, [a, b])
    }
  return names
}
