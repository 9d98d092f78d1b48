/** The interfaces that agents keep on their nodes, as NetworkAttachmentDefinitions by which pods get them. */

import type { Output } from '../../api/contract/client.ts'
import { interfaceClaimName } from '../claim/names.ts'
import { dpidAnnotation, interfaceLabel, nadName, nodeAnnotation, plainNad, portAnnotation } from '../kube/names.ts'
import { place } from '../kube/objects.ts'
import { forAll, type Work } from './work.ts'

type Node = Output<'getNode'>
type Wanted = {
  readonly name: string
  readonly node: string
  readonly dpid: string
  readonly port: number
  readonly device: string
  readonly isTaken: boolean
}

/** Milliseconds between looks: an agent that has made more interfaces is noticed after that. */
const pace = 2_000

export const reconcileStock = async (work: Work): Promise<number> => {
  const { world, controller, seen } = work
  const { nodes } = await controller.listNodes()
  const found: Node[] = []
  await forAll(nodes, async ({ name }) => {
    found.push(await controller.getNode({ node: name }))
  })
  const used = new Set<string>()
  const wanted: Wanted[] = []
  for (const node of found)
    for (const { port, name, ...own } of node.report?.ports ?? []) {
      const { bridgePrefix, podPrefix } = node.plan.interfaces
      if (own.role !== 'interface' || port === undefined || own.error !== undefined || !name.startsWith(bridgePrefix))
        continue
      const claim = interfaceClaimName(node.dpid, port)
      if (own.used) used.add(claim)
      // Somebody else has plugged it.
      const isTaken = own.used === true && !world.ledger.has(claim)
      wanted.push({
        name: nadName(node.dpid, port),
        node: node.name,
        dpid: node.dpid,
        port,
        device: podPrefix + name.slice(bridgePrefix.length),
        isTaken,
      })
    }
  seen.used = used
  seen.nodes = new Map(nodes.map(({ name, dpid }) => [name, dpid]))
  await make(work, wanted)
  const silent = new Set(found.filter(({ report }) => !report).map(({ name }) => name))
  await removeOthers(work, new Set(wanted.map(({ name }) => name)), silent)
  return pace
}

const make = async ({ world, log }: Work, wanted: readonly Wanted[]): Promise<void> => {
  const missing = wanted.flatMap(one =>
    nadsOf(world.namespace, one).filter(nad => {
      const there = world.nads.get(`${world.namespace}/${nad.metadata.name}`)
      return (
        !there ||
        there.spec?.config !== nad.spec.config ||
        there.metadata.labels?.[interfaceLabel] !== nad.metadata.labels[interfaceLabel]
      )
    }),
  )
  await forAll(missing, async nad => {
    await world.api.patch(place('nads', nad.metadata), 'apply', nad, { fieldManager: 'l2sm-operator', force: true })
  })
  if (missing.length > 0) log.debug({ count: missing.length }, 'interfaces made known')
}

/** Interfaces that are gone, unless a pod has a claim on one, or their node has not said anything yet. */
const removeOthers = async (
  { world }: Work,
  wanted: ReadonlySet<string>,
  silent: ReadonlySet<string>,
): Promise<void> => {
  const gone = [...world.nads.values()].filter(({ metadata }) => {
    const { namespace, labels = {}, annotations = {}, name } = metadata
    if (namespace !== world.namespace || labels[interfaceLabel] === undefined) return false
    const { [dpidAnnotation]: dpid = '', [portAnnotation]: port, [nodeAnnotation]: node = '' } = annotations
    return (
      !wanted.has(name.replace(/-l2$/, '')) &&
      !silent.has(node) &&
      !world.ledger.has(interfaceClaimName(dpid, Number(port)))
    )
  })
  await forAll(gone, ({ metadata }) => world.api.remove(place('nads', metadata)))
}

/** `host-device` moves the pod's end of the pair into the pod. Its IPAM wants an address: without one there is a plain form. */
const nadsOf = (namespace: string, { name, node, dpid, port, device, isTaken }: Wanted) => {
  const annotations = { [nodeAnnotation]: node, [dpidAnnotation]: dpid, [portAnnotation]: String(port) }
  const mac = { type: 'tuning', capabilities: { mac: true } }
  const nad = (its: string, label: string, plugin: object) => ({
    ...{ apiVersion: 'k8s.cni.cncf.io/v1', kind: 'NetworkAttachmentDefinition' },
    metadata: { name: its, namespace, labels: { [interfaceLabel]: label }, annotations },
    spec: {
      config: JSON.stringify({
        cniVersion: '0.3.1',
        name: its,
        plugins: [{ type: 'host-device', device, ...plugin }, mac],
      }),
    },
  })
  return [
    nad(name, isTaken ? 'taken' : 'true', { capabilities: { ips: true }, ipam: { type: 'static' } }),
    nad(plainNad(name), 'plain', {}),
  ]
}
