/** All that the operator sees of the cluster: mirrors of collections, and what follows from them. */

import { poolsOf } from '../address/pool.ts'
import { isNetworkNad } from '../asked/oldest.ts'
import { openLedger } from '../claim/ledger.ts'
import type { Found, Stock } from '../claim/stock.ts'
import type { Api } from '../kube/api.ts'
import { type Mirror, mirror } from '../kube/mirror.ts'
import { dpidAnnotation, interfaceLabel, label, nodeAnnotation, portAnnotation } from '../kube/names.ts'
import {
  type Claim,
  collection,
  type EdgeDevice,
  type Interface,
  type KubeObject,
  type L2Network,
  type Nad,
  type Node,
  type Overlay,
  type Pod,
  type Quarantine,
} from '../kube/objects.ts'
import type { Record } from './metrics.ts'

export type Mirrors = {
  readonly pods: Mirror<Pod>
  readonly l2networks: Mirror<L2Network>
  readonly nads: Mirror<Nad>
  readonly claims: Mirror<Claim>
  readonly nodes: Mirror<Node>
  readonly overlays: Mirror<Overlay>
  readonly quarantines: Mirror<Quarantine>
  readonly edgeDevices: Mirror<EdgeDevice>
}
export type Kind = keyof Mirrors
/** An object came, changed or went (`now` undefined). */
export type Listener = (kind: Kind, now: KubeObject | undefined, before: KubeObject | undefined) => void

export type World = Stock &
  Mirrors & {
    /** Resolves when every mirror is whole: nothing may be deleted before. */
    readonly whole: Promise<void>
    /** Kinds whose mirror is not whole. */
    readonly missing: () => readonly Kind[]
    /** Answers how to end it. */
    watch(listener: Listener): () => void
    close(): Promise<void>
  }

export type WorldOptions = {
  readonly api: Api
  /** Where the operator's own objects are. */
  readonly namespace: string
  readonly record: Record
  readonly complain: (why: string) => void
}

export const openWorld = ({ api, namespace, record, complain }: WorldOptions): World => {
  const ledger = openLedger()
  const interfaces = new Map<string, Map<string, Interface>>()
  const listeners = new Set<Listener>()

  const note: Listener = (kind, now, before) => {
    if (kind === 'claims') {
      if (now) ledger.put(now as Claim)
      else ledger.drop(before!.metadata.name)
    }
    if (kind === 'nads') {
      const [was, is] = [before && interfaceOf(namespace, before), now && interfaceOf(namespace, now)]
      if (was) interfaces.get(was.node)?.delete(was.nad)
      if (is) interfaces.set(is.node, (interfaces.get(is.node) ?? new Map()).set(is.nad, is))
    }
    for (const listener of listeners) listener(kind, now, before)
  }
  const open = <T extends KubeObject>(kind: Kind, labelSelector?: string): Mirror<T> =>
    mirror<T>({
      api,
      path: collection(kind),
      ...(labelSelector !== undefined && { labelSelector }),
      trim,
      changed: (now, before) => note(kind, now, before),
      complain: complaining(why => complain(`${kind}: ${why}`)),
      listed: () => record.lists.inc({ collection: kind }),
    })
  const mirrors: Mirrors = {
    pods: open('pods', `${label}=true`),
    l2networks: open('l2networks'),
    nads: open('nads'),
    claims: open('claims'),
    nodes: open('nodes'),
    overlays: open('overlays'),
    quarantines: open('quarantines'),
    edgeDevices: open('edgeDevices'),
  }
  const entries = Object.entries(mirrors) as [Kind, Mirror<KubeObject>][]
  const isNad = (its: string, name: string) => {
    const nad = mirrors.nads.get(`${its}/${name}`)
    return nad !== undefined && isNetworkNad(nad)
  }
  return {
    ...mirrors,
    ...{ api, ledger, namespace, isNad },
    network: (its, name) => findNetwork(mirrors.l2networks.get(`${its}/${name}`), isNad(its, name)),
    interfaces: node => [...(interfaces.get(node)?.values() ?? [])].sort((a, b) => a.port - b.port),
    whole: Promise.all(entries.map(([, { synced }]) => synced)).then(() => undefined),
    missing: () => entries.filter(([, each]) => !each.isSynced()).map(([kind]) => kind),
    watch: listener => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close: async () => void (await Promise.all(entries.map(([, each]) => each.close()))),
  }
}

/** Managed fields are most of an object, and nobody reads them. */
const trim = <T extends KubeObject>(object: T): T => {
  const { managedFields: _, ...metadata } = object.metadata as T['metadata'] & { managedFields?: unknown }
  return { ...object, metadata }
}

/** Says a thing once, and again only when it was well between. */
const complaining = (complain: (why: string) => void) => {
  let last: string | undefined
  return (why: string | undefined) => {
    if (why !== undefined && why !== last) complain(why)
    last = why
  }
}

const interfaceOf = (namespace: string, { metadata }: KubeObject): Interface | undefined => {
  const { labels = {}, annotations = {} } = metadata
  if (metadata.namespace !== namespace || labels[interfaceLabel] !== 'true') return undefined
  const [node, dpid, port] = [nodeAnnotation, dpidAnnotation, portAnnotation].map(name => annotations[name])
  return node && dpid && port ? { node, dpid, port: Number(port), nad: metadata.name } : undefined
}

const findNetwork = (network: L2Network | undefined, isNad: boolean): Found => {
  if (!network) return isNad ? { is: 'network', pools: [] } : { is: 'absent' }
  if (isNad)
    return {
      is: 'unusable',
      why: 'there are an L2Network and a NetworkAttachmentDefinition of this name: delete one of them',
    }
  const pools = poolsOf(network.spec)
  return 'fault' in pools ? { is: 'unusable', why: pools.fault } : { is: 'network', pools }
}
