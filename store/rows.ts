import { type Link, linkKey } from '../topology/topology.ts'
import { attachmentKey } from './attachments.ts'
import type { Change } from './change.ts'
import { nodeLinkKey } from './overlay.ts'
import type { Row } from './row.ts'
import type { Attachment, Network, Node, NodeLink, Overlay, Vlink } from './state.ts'
import type { NetworkVlans } from './vlans.ts'

/** Between changes of the state and rows on disk. */

/** The rows that a batch of changes leaves: the last word on each object. */
export const rowsOf = (changes: readonly Change[], revision: number): Row[] => {
  const rows = new Map<string, Row>()
  for (const change of changes) {
    if (!('key' in change)) continue
    const { kind, key, after } = change
    const object = typeof after === 'object' ? after : undefined
    const own = object && 'revision' in object ? object.revision : revision
    // The revision has a column of its own: said once.
    const value = after === undefined ? undefined : JSON.stringify(object ? { ...object, revision: undefined } : after)
    rows.set(`${kind} ${key}`, { kind, key, value, revision: own })
  }
  return [...rows.values()]
}

/** The change that brings a row into the state; undefined when the row is none of ours. */
export const parseRow = ({ kind, key, value, revision }: Row): Change | undefined => {
  const object = parseJson(value)
  switch (kind) {
    case 'network':
      return isNetwork(object) && object.id === key
        ? { kind, key, before: undefined, after: { ...object, revision } }
        : undefined
    case 'attachment':
      return isAttachment(object) && attachmentKey(object) === key
        ? { kind, key, before: undefined, after: { ...object, revision } }
        : undefined
    case 'declared':
    case 'discovered':
      return isLink(object) && linkKey(object) === key ? { kind, key, before: undefined, after: object } : undefined
    case 'vlans':
      return isVlans(object) && String(object.number) === key
        ? { kind, key, before: undefined, after: object }
        : undefined
    case 'node':
      return isNode(object) && object.name === key
        ? { kind, key, before: undefined, after: { ...object, revision } }
        : undefined
    case 'nodelink':
      return isNodeLink(object) && nodeLinkKey(object.a, object.b) === key
        ? { kind, key, before: undefined, after: object }
        : undefined
    case 'overlay':
      return isOverlay(object) && key === 'overlay' ? { kind, key, before: undefined, after: object } : undefined
    case 'dead':
    case 'access':
      return object === true ? { kind, key, before: undefined, after: true } : undefined
  }
}

const parseJson = (text: string | undefined): unknown => {
  try {
    return JSON.parse(text ?? 'null')
  } catch {
    // Not JSON, so not a row of ours: the caller says so, with its place.
    return undefined
  }
}

type Loose = Record<string, unknown>
const isObject = (v: unknown): v is Loose => typeof v === 'object' && v !== null
const isEndpoint = (v: unknown): boolean =>
  isObject(v) && typeof v['dpid'] === 'string' && typeof v['port'] === 'number'
const isNumber = (v: unknown): boolean => typeof v === 'number'
const isText = (v: unknown): boolean => typeof v === 'string'
const isAbsentOr = (is: (v: unknown) => boolean, v: unknown): boolean => v === undefined || is(v)

const isNetwork = (v: unknown): v is Network =>
  isObject(v) &&
  isText(v['id']) &&
  typeof v['number'] === 'number' &&
  isAbsentOr(isMirror, v['mirror']) &&
  isAbsentOr(multicast => multicast === 'snoop', v['multicast']) &&
  isAbsentOr(isVlink, v['vlink']) &&
  ['epoch', 'target'].every(name => isAbsentOr(e => e === 0 || e === 1, v[name])) &&
  isAbsentOr(isText, v['way'])

const isMirror = (v: unknown): boolean => isEndpoint(v) && isNumber((v as Loose)['number'])

const isPath = (v: unknown): boolean => Array.isArray(v) && v.every(isText)
const isVlink = (v: unknown): v is Vlink =>
  isObject(v) &&
  isEndpoint(v['from']) &&
  isEndpoint(v['to']) &&
  isPath(v['path']) &&
  isPath(v['reversePath']) &&
  isNumber(v['reverseNumber']) &&
  typeof v['reroute'] === 'boolean' &&
  isAbsentOr(isNumber, v['bandwidth']) &&
  isAbsentOr(isNumber, v['latency'])

const isAttachment = (v: unknown): v is Attachment =>
  isObject(v) &&
  isText(v['network']) &&
  isEndpoint(v) &&
  (v['guard'] === 'learn' || v['guard'] === 'mac') &&
  isAbsentOr(isText, v['mac']) &&
  isAbsentOr(isText, v['name']) &&
  isAbsentOr(isText, v['portName']) &&
  isAbsentOr(isNumber, v['vlan']) &&
  isAbsentOr(trunk => trunk === true, v['trunk']) &&
  isAbsentOr(ips => Array.isArray(ips) && ips.every(isText), v['ips'])

const isLink = (v: unknown): v is Link =>
  isObject(v) &&
  isEndpoint(v['from']) &&
  isEndpoint(v['to']) &&
  isAbsentOr(isNumber, v['cost']) &&
  isAbsentOr(carries => carries === 'vni' || carries === 'vid', v['carries'])

const isVlans = (v: unknown): v is NetworkVlans =>
  isObject(v) &&
  isNumber(v['number']) &&
  Array.isArray(v['vids']) &&
  v['vids'].length === 2 &&
  v['vids'].every(isNumber) &&
  Array.isArray(v['dpids']) &&
  v['dpids'].every(isText)

const isYes = (v: unknown): boolean => typeof v === 'boolean'
const isTls = (v: unknown): boolean => isObject(v) && isText(v['key']) && isText(v['cert']) && isText(v['ca'])

const hasSettings = (v: Loose): boolean =>
  isAbsentOr(isText, v['provider']) &&
  ['mtu', 'interfaceNumber', 'spare', 'most'].every(name => isAbsentOr(isNumber, v[name])) &&
  isAbsentOr(list => Array.isArray(list) && list.every(isText), v['controllers']) &&
  isAbsentOr(isTls, v['tls']) &&
  isAbsentOr(datapath => ['auto', 'kernel', 'userspace'].includes(datapath as string), v['datapath'])

const isNode = (v: unknown): v is Node =>
  isObject(v) &&
  ['name', 'provider', 'dpid', 'address'].every(name => isText(v[name])) &&
  ['number', 'firstLinkPort'].every(name => isNumber(v[name])) &&
  hasSettings(v)

const hasLinkSettings = (v: Loose): boolean => isAbsentOr(isNumber, v['udpPort']) && isAbsentOr(isYes, v['bfd'])

const isNodeLink = (v: unknown): v is NodeLink => isObject(v) && isText(v['a']) && isText(v['b']) && hasLinkSettings(v)

const isOverlay = (v: unknown): v is Overlay =>
  isObject(v) && isYes(v['full']) && isNumber(v['allocated']) && hasSettings(v) && hasLinkSettings(v)
