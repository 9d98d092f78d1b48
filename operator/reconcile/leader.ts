/** What the leader does: everything that is not answered to a webhook. */

import { setTimeout as sleep } from 'node:timers/promises'
import { isNetworkNad } from '../asked/oldest.ts'
import { networkId, parseNetworkId } from '../kube/names.ts'
import { type Claim, type KubeObject, keyOf, type L2Network, type Nad } from '../kube/objects.ts'
import type { Kind } from '../world/world.ts'
import { reconcileCertificates } from './certificates.ts'
import { reconcileClaims } from './claims.ts'
import { reconcileEdgeDevice } from './edge-device.ts'
import { reconcileIds } from './ids.ts'
import { type Loop, startLoop } from './loop.ts'
import { networkReconciler } from './network.ts'
import { reconcileOverlays } from './overlay.ts'
import { podReconciler } from './pods.ts'
import { reconcileQuarantine } from './quarantine.ts'
import { reconcileStock } from './stock.ts'
import type { Work } from './work.ts'

/** Milliseconds: all is looked at again, whatever happened or not; and how often it is asked which store the controller has. */
const audit = 60_000
const statePace = 2_000
/** Events of a network that come together are one look. */
const together = 20

export const act = async (work: Work, signal: AbortSignal): Promise<void> => {
  const { world, record, log } = work
  record.leader.set(1)
  log.info('this replica is the leader')
  const loops: Loop[] = []
  const loop = (kind: string, reconcile: (key: string) => Promise<number | undefined>, width?: number): Loop => {
    const one = startLoop({ kind, reconcile, record, log, ...(width && { width }) })
    loops.push(one)
    return one
  }
  try {
    // Nothing is deleted on a partial view.
    await Promise.race([world.whole, aborted(signal)])
    if (signal.aborted) return
    const networks = loop('network', key => network.reconcile(key))
    const pods = loop('pod', key => pod.reconcile(key))
    const network = networkReconciler(work, key => pods.look(key))
    const pod = podReconciler(work, id => networks.look(id, together))
    const claims = loop('claims', () => reconcileClaims(work, Date.now()), 1)
    const stock = loop('stock', () => reconcileStock(work), 1)
    const quarantines = loop('quarantine', key => reconcileQuarantine(work, key), 4)
    const ids = loop(
      'ids',
      async key => {
        const network = world.l2networks.get(key)
        if (network) await reconcileIds(work, network)
        return undefined
      },
      4,
    )
    const edges = loop('edge-device', key => reconcileEdgeDevice(work, key), 4)
    const mesh = loop('overlay', () => reconcileOverlays(work), 1)
    const all = () => {
      for (const id of everyNetwork(work)) networks.look(id)
      for (const pod of world.pods.values()) pods.look(keyOf(pod))
      for (const request of world.quarantines.values()) quarantines.look(keyOf(request))
      for (const network of world.l2networks.values()) ids.look(keyOf(network))
      for (const device of world.edgeDevices.values()) edges.look(keyOf(device))
    }
    const certificates = loop('certificates', () => reconcileCertificates(work), 1)
    const state = loop('controller', controllerReconciler(work, all), 1)
    const unwatch = world.watch((kind, now, before) => {
      const any = (now ?? before)!
      if (concerned[kind]) for (const id of concerned[kind](any, before)) networks.look(id, together)
      if (kind === 'pods') {
        pods.look(keyOf(any))
        for (const { spec } of world.ledger.interfacesOf(any.metadata.uid)) networks.look(spec.network, together)
        if (!now) claims.look('all', together)
      }
      if (kind === 'claims') pods.look(`${(any as Claim).spec.pod.namespace}/${(any as Claim).spec.pod.name}`)
      if (
        kind === 'l2networks' &&
        JSON.stringify((now as L2Network | undefined)?.spec.ids) !==
          JSON.stringify((before as L2Network | undefined)?.spec.ids)
      )
        ids.look(keyOf(any))
      if (kind === 'edgeDevices') edges.look(keyOf(any))
      if (moving.has(kind))
        for (const request of world.quarantines.values())
          if (request.metadata.namespace === namespaceOf(any)) quarantines.look(keyOf(request), together)
      if (kind === 'overlays' || kind === 'nodes') mesh.look('all', together)
    })
    for (const one of [certificates, claims, stock, mesh, state]) one.look('all')
    await repeat(audit, all, signal)
    unwatch()
  } finally {
    record.leader.set(0)
    await Promise.all(loops.map(one => one.close()))
    log.info('this replica is no longer the leader')
  }
}

/** Kinds that a quarantine depends on. */
const moving: ReadonlySet<Kind> = new Set(['quarantines', 'pods', 'claims', 'l2networks', 'nads'])
const namespaceOf = (object: KubeObject) => object.metadata.namespace ?? (object as Claim).spec.pod?.namespace

/** Networks that an object concerns. */
const concerned: { readonly [K in Kind]?: (object: KubeObject, before: KubeObject | undefined) => readonly string[] } =
  {
    l2networks: ({ metadata }) => [networkId(metadata.namespace!, metadata.name)],
    nads: (object, before) =>
      [object, before].some(nad => nad && isNetworkNad(nad as Nad))
        ? [networkId(object.metadata.namespace!, object.metadata.name)]
        : [],
    claims: (object, before) => [object, before].flatMap(claim => (claim ? [(claim as Claim).spec.network] : [])),
  }

const everyNetwork = ({ world }: Work): ReadonlySet<string> =>
  new Set([
    ...Array.from(world.l2networks.values(), ({ metadata }) => networkId(metadata.namespace!, metadata.name)),
    ...Array.from(world.nads.values(), nad =>
      isNetworkNad(nad) ? networkId(nad.metadata.namespace!, nad.metadata.name) : '',
    ).filter(id => id !== ''),
    ...Array.from(world.ledger.all(), ({ spec }) => spec.network),
  ])

/** What the controller was told is told again when it has another store; then that this is all. Networks of ours that no longer exist go. */
const controllerReconciler = (work: Work, all: () => void) => {
  const { controller, seen, log } = work
  let told: string | undefined
  return async (): Promise<number> => {
    const { instance, complete } = await controller.getState()
    if (instance !== told) {
      seen.told.clear()
      all()
      told = instance
      log.info({ instance }, 'the controller is told everything')
    }
    const { networks } = await controller.listNetworks()
    const wanted = everyNetwork(work)
    const surplus = networks.filter(({ id }) => !wanted.has(id) && parseNetworkId(id))
    for (const { id } of surplus) {
      await controller.deleteNetwork({ network: id })
      log.info({ network: id }, 'network deleted: it is none of the cluster')
    }
    // With a network or a port that it was not told, the controller would take the flows of a pod for nobody's.
    const isKnown = [...wanted].every(id => seen.told.has(id) || !exists(work, id))
    if (!isKnown) all()
    else if (!complete) {
      await controller.putState({ body: { complete: true } })
      log.info({ instance }, 'the controller knows all networks')
    }
    return statePace
  }
}

const exists = ({ world }: Work, id: string): boolean => {
  const { namespace, name } = parseNetworkId(id)!
  return world.network(namespace, name).is !== 'absent'
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise(resolve =>
    signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true }),
  )

const repeat = async (pace: number, each: () => void, signal: AbortSignal): Promise<void> => {
  while (!signal.aborted) {
    each()
    await sleep(pace, undefined, { signal }).catch(() => {})
  }
}
