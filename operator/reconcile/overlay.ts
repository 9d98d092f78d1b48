/** Overlays: which nodes the mesh has, and how they are linked. The controller makes node plans of it. */

import type { Input, Output } from '../../api/contract/client.ts'
import { type Overlay, place } from '../kube/objects.ts'
import { setCondition, type Work } from './work.ts'

/** Milliseconds: measures change, and so do addresses of nodes. */
const pace = 5_000

/** Of `l2sm node-certificate`, in its usual folder. */
const nodeFiles = { key: '/etc/l2sm/node.key', cert: '/etc/l2sm/node.crt', ca: '/etc/l2sm/ca.crt' } as const

type Wish = Input<'putMesh'>['body']
type Mesh = Output<'getMesh'>

export const reconcileOverlays = async (work: Work): Promise<number | undefined> => {
  const { world, controller, log } = work
  const overlays = [...world.overlays.values()]
    .filter(({ metadata }) => !metadata.deletionTimestamp)
    .sort((a, b) => (a.metadata.creationTimestamp < b.metadata.creationTimestamp ? -1 : 1))
  // Without an Overlay the mesh is somebody else's, who declares it over /v1/mesh.
  if (overlays.length === 0) return undefined
  const { wish, missing } = meshOf(work, overlays)
  const there = await controller.getMesh()
  // Switches of our own installation speak TLS, with the files that their agents keep.
  const tls = there.tls === undefined && work.own ? nodeFiles : undefined
  if (!isSame(there, wish) || tls) {
    await controller.putMesh({ body: { ...settingsOf(there), ...(tls && { tls }), ...wish } })
    log.info({ nodes: wish.nodes.length, links: wish.links?.length ?? 'full' }, 'mesh declared')
  }
  const [{ nodes }, { links }] = await Promise.all([controller.listNodes(), controller.listLinks()])
  for (const overlay of overlays) await tell(work, overlay, nodes, links, missing)
  return pace
}

/** All Overlays as one mesh. A node is of the first that names it. */
const meshOf = (
  { world }: Work,
  overlays: readonly Overlay[],
): { readonly wish: Wish; readonly missing: ReadonlySet<string> } => {
  const nodes = new Map<string, Wish['nodes'][number]>()
  const missing = new Set<string>()
  const links = new Map<string, { readonly endpointA: string; readonly endpointB: string }>()
  let isFull = true
  for (const { spec } of overlays) {
    const all = Array.from(world.nodes.values(), ({ metadata }) => metadata.name)
    for (const name of spec.topology?.nodes ?? all) {
      const address = addressOf(world.nodes.get(name))
      if (address === undefined) missing.add(name)
      else if (!nodes.has(name))
        nodes.set(name, {
          name,
          address,
          provider: spec.provider.name,
          ...(spec.interfaceNumber !== undefined && { interfaceNumber: spec.interfaceNumber }),
        })
    }
    isFull &&= spec.topology?.links === undefined
  }
  for (const { spec } of overlays) {
    const own = (spec.topology?.nodes ?? [...nodes.keys()]).filter(name => nodes.has(name))
    for (const { endpointA, endpointB } of spec.topology?.links ?? pairs(own))
      if (endpointA !== endpointB && nodes.has(endpointA) && nodes.has(endpointB))
        links.set([endpointA, endpointB].sort().join(' '), { endpointA, endpointB })
  }
  const full = isFull && overlays.length === 1
  return { missing, wish: { nodes: [...nodes.values()], ...(full ? { full } : { links: [...links.values()] }) } }
}

const pairs = (names: readonly string[]) =>
  names.flatMap((endpointA, i) => names.slice(i + 1).map(endpointB => ({ endpointA, endpointB })))

const addressOf = (node: ReturnType<Work['world']['nodes']['get']>): string | undefined =>
  node?.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address

/** What was set for the mesh as a whole, over /v1/mesh, stays. */
const settingsOf = ({ nodes: _n, links: _l, full: _f, revision: _r, ...settings }: Mesh) => settings

const isSame = (there: Mesh, { nodes, links, full }: Wish): boolean => {
  const nodeText = ({ name, address, provider, interfaceNumber }: Wish['nodes'][number]) =>
    [name, address, provider, interfaceNumber].join(' ')
  const linkText = (link: { readonly endpointA: string; readonly endpointB: string }) =>
    [link.endpointA, link.endpointB].sort().join(' ')
  const same = (a: readonly string[], b: readonly string[]) => a.toSorted().join('\n') === b.toSorted().join('\n')
  if (!same(there.nodes.map(nodeText), nodes.map(nodeText)) || there.full !== (full ?? false)) return false
  return full === true || same((there.links ?? []).map(linkText), (links ?? []).map(linkText))
}

type Nodes = Output<'listNodes'>['nodes']
type Links = Output<'listLinks'>['links']

const tell = async (
  { world }: Work,
  overlay: Overlay,
  nodes: Nodes,
  links: Links,
  missing: ReadonlySet<string>,
): Promise<void> => {
  const { metadata, spec, status: before = {} } = overlay
  const own = spec.topology?.nodes ?? Array.from(world.nodes.values(), node => node.metadata.name)
  const known = new Map(nodes.map(node => [node.name, node]))
  const reasons = own.flatMap(name => {
    if (missing.has(name)) return [`node ${name} does not exist, or has no InternalIP`]
    const node = known.get(name)
    return node?.state === 'ready'
      ? []
      : [`node ${name} is ${node?.state ?? 'not declared'}: ${node?.missing[0] ?? ''}`]
  })
  const observed = metadata.generation === undefined ? {} : { observedGeneration: metadata.generation }
  const isReady = reasons.length === 0
  const message = isReady ? `all ${own.length} nodes are as planned` : reasons.slice(0, 5).join('; ')
  const condition = {
    type: 'Ready',
    status: isReady ? ('True' as const) : ('False' as const),
    reason: isReady ? 'AsPlanned' : 'NodesMissing',
    message,
    ...observed,
  }
  const conditions = setCondition(before.conditions, condition)
  const status = {
    ...{ nodes: `${own.length - reasons.length}/${own.length}`, ...observed },
    ...(conditions && { conditions }),
    ...(spec.monitor && { linkMetrics: metricsOf(nodes, links, new Set(own)) }),
  }
  const changed = Object.entries(status).filter(
    ([field, value]) => JSON.stringify(before[field as keyof typeof before]) !== JSON.stringify(value),
  )
  if (changed.length > 0)
    await world.api.patch(`${place('overlays', metadata)}/status`, 'merge', {
      metadata: { uid: metadata.uid },
      status: Object.fromEntries(changed),
    })
}

/** Round-trip time in milliseconds, and the share of probes that were lost, of each link and each direction. */
const metricsOf = (nodes: Nodes, links: Links, own: ReadonlySet<string>) => {
  const names = new Map(nodes.map(({ name, dpid }) => [dpid, name]))
  return links.flatMap(({ from, to, state, rttMs, loss }) => {
    const [sourceNode, targetNode] = [names.get(from.dpid), names.get(to.dpid)]
    if (sourceNode === undefined || targetNode === undefined || !own.has(sourceNode) || !own.has(targetNode)) return []
    const metrics = Object.entries({ rtt: rttMs, loss }).flatMap(([name, value]) =>
      value === undefined ? [] : [{ name, value: value.toFixed(2) }],
    )
    return [{ sourceNode, targetNode, status: state === 'up' ? 'Available' : 'Unavailable', metrics }]
  })
}
