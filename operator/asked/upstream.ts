/**
 * A cluster that today's L2S-M operator serves: which pod is in which network, by which port. It is read from what that operator
 * leaves: the pods' annotations, and NetworkAttachmentDefinitions `OVERLAY-vethN`, of which N is the OpenFlow port. Pure.
 */

import { createHash } from 'node:crypto'
import { parseHost, spellIp } from '../address/ip.ts'
import { askedNetworks, multusNetworks, multusStatus } from '../kube/names.ts'
import type { Overlay, Pod } from '../kube/objects.ts'
import { type Element, isFault, parseJson, parseMultus, parseNames } from './multus.ts'

export type Living = {
  readonly pod: { readonly namespace: string; readonly name: string; readonly uid: string }
  /** Of the L2Network, in the pod's namespace. */
  readonly network: string
  readonly node: string
  readonly dpid: string
  readonly port: number
  readonly nad: string
  /** As Multus has told; undefined when it has not. */
  readonly mac: string | undefined
  /** With prefix lengths. */
  readonly ips: readonly string[]
}

export type Cluster = {
  readonly pods: readonly Pod[]
  readonly overlays: readonly Overlay[]
  /** Whose switches they are; undefined: as the Overlay says, else `l2sm-controller`. */
  readonly provider: string | undefined
}

const standardProvider = 'l2sm-controller'
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

/** As upstream names them: `br-` and 8 hex digits of node and provider; the datapath id is made of that. */
export const dpidOf = (node: string, provider: string): string =>
  sha256(`br-${sha256(node + provider).slice(0, 8)}`).slice(0, 16)

/** All attachments of pods that run, and what could not be read, a sentence each. */
export const livingIn = (
  cluster: Cluster,
): { readonly living: readonly Living[]; readonly problems: readonly string[] } => {
  const living: Living[] = []
  const problems: string[] = []
  for (const pod of cluster.pods) {
    const { annotations = {}, namespace, name } = pod.metadata
    const isRunning =
      pod.spec.nodeName !== undefined && pod.status?.phase !== 'Succeeded' && pod.status?.phase !== 'Failed'
    if (!isRunning || annotations[askedNetworks] === undefined) continue
    const found = attachmentsOf(cluster, pod)
    if (typeof found === 'string') problems.push(`pod ${namespace}/${name}: ${found}`)
    else living.push(...found)
  }
  const seen = new Map<string, Living>()
  const ours = living.filter(one => {
    const port = `${one.dpid}/${one.port}`
    const other = seen.get(port)
    if (other)
      problems.push(
        `pod ${one.pod.namespace}/${one.pod.name}: port ${one.port} of node ${one.node} is pod ${other.pod.namespace}/${other.pod.name}'s, too`,
      )
    else seen.set(port, one)
    return !other
  })
  return { living: ours, problems }
}

const attachmentsOf = (cluster: Cluster, pod: Pod): readonly Living[] | string => {
  const { annotations = {}, namespace = '', name, uid } = pod.metadata
  const text = annotations[askedNetworks]!
  const asked = text.trim().startsWith('[') ? parseJson(text) : parseNames(text)
  if (isFault(asked)) return `annotation ${askedNetworks}: ${asked.fault}`
  const given = parseMultus(annotations[multusNetworks] ?? '')
  if (isFault(given)) return `annotation ${multusNetworks}: ${given.fault}`
  const theirs = given.filter(element => /-veth[1-9]\d*$/.test(element.name))
  if (theirs.length < asked.length)
    return `it asks for ${asked.length} networks, and has ${theirs.length} interfaces of L2S-M: was its operator there when it was created?`
  const told = statusOf(annotations[multusStatus])
  const node = pod.spec.nodeName!
  return asked.map((network, i): Living => {
    const element = theirs[i]!
    const [, overlay = '', port = ''] = /^(.*)-veth(\d+)$/.exec(element.name) ?? []
    const status = told.find(one => one.name === element.name || one.name.endsWith(`/${element.name}`))
    return {
      pod: { namespace, name, uid },
      ...{
        network: network.name,
        node,
        dpid: dpidOf(node, providerOf(cluster, overlay)),
        port: Number(port),
        nad: element.name,
      },
      mac: status?.mac?.toLowerCase(),
      ips: ipsOf(network, element),
    }
  })
}

const providerOf = ({ provider, overlays }: Cluster, name: string): string =>
  provider ?? overlays.find(({ metadata }) => metadata.name === name)?.spec.provider.name ?? standardProvider

/** What Multus was told is what the pod has. */
const ipsOf = (asked: Element, given: Element): string[] =>
  (given.ips ?? asked.ips ?? []).flatMap(text => {
    const host = parseHost(text)
    return host ? [`${spellIp(host.ip)}/${host.length ?? (host.ip.family === 4 ? 32 : 128)}`] : []
  })

type Told = { readonly name: string; readonly mac?: string }

const statusOf = (text = '[]'): readonly Told[] => {
  try {
    const list = JSON.parse(text)
    return Array.isArray(list) ? list.filter(one => typeof one?.name === 'string') : []
  } catch {
    return []
  }
}
