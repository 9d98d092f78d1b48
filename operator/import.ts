/** Takes over a living cluster of today's L2S-M: no pod is restarted. */

import type { Client } from '../api/contract/client.ts'
import { type Living, livingIn } from './asked/upstream.ts'
import { addressClaimName, interfaceClaimName } from './claim/names.ts'
import { type Api, isRefused } from './kube/api.ts'
import { label, networkId } from './kube/names.ts'
import { collection, type L2Network, type Overlay, type Pod } from './kube/objects.ts'

export type ImportOptions = {
  readonly api: Api
  readonly controller: Client
  /** Whose switches they are; undefined: as each Overlay says. */
  readonly provider: string | undefined
  /** Today's operator stays: networks are called as it calls them, and it keeps its own account of interfaces. */
  readonly keepsOperator: boolean
  readonly isDry: boolean
  readonly say: (line: string) => void
}

type List<T> = { readonly items: readonly T[] }

/** Answers how many things could not be taken over. What is there already is left as it is, so it can be repeated. */
export const importCluster = async (options: ImportOptions): Promise<number> => {
  const { api, provider, keepsOperator, isDry, say } = options
  const [pods, overlays, networks] = await Promise.all([
    all<Pod>(api, collection('pods'), `${label}=true`),
    all<Overlay>(api, collection('overlays')),
    all<L2Network>(api, collection('l2networks')),
  ])
  const { living, problems } = livingIn({ pods, overlays, provider })
  const idOf = (one: Living) => (keepsOperator ? one.network : networkId(one.pod.namespace, one.network))
  const missing = living.filter(
    one => !networks.some(({ metadata }) => metadata.name === one.network && metadata.namespace === one.pod.namespace),
  )
  const lost = missing.map(
    one => `pod ${one.pod.namespace}/${one.pod.name}: there is no L2Network ${one.network} in its namespace`,
  )
  const ours = living.filter(one => !missing.includes(one))
  for (const line of table(ours, idOf)) say(line)
  for (const problem of [...problems, ...lost]) say(`not taken over: ${problem}`)
  say(
    `${isDry ? 'would take over' : 'taking over'} ${ours.length} ports of ${new Set(ours.map(({ pod }) => pod.uid)).size} pods in ${new Set(ours.map(idOf)).size} networks`,
  )
  if (!isDry) await tell(options, ours, idOf)
  return problems.length + lost.length
}

const all = async <T>(api: Api, path: string, labelSelector?: string): Promise<readonly T[]> => {
  const list = await api.get<List<T>>(path, { labelSelector })
  if (!list) throw new Error(`${path} is not served: apply manifests/base/crds first`)
  return list.items
}

/** Claims first: an operator that runs would take a port without a claim for nobody's. */
const tell = async (
  { api, controller, keepsOperator, say }: ImportOptions,
  ours: readonly Living[],
  idOf: (one: Living) => string,
): Promise<void> => {
  for (const one of keepsOperator ? [] : ours) {
    const { pod, node, dpid, port, nad, mac, ips } = one
    const network = idOf(one)
    for (const ip of ips) {
      const address = ip.split('/')[0]!
      await claim(api, addressClaimName(network, address), { pod, network, address })
    }
    await claim(api, interfaceClaimName(dpid, port), {
      pod,
      network,
      interface: { node, dpid, port, nad },
      ...(mac && { mac }),
      ...(ips.length > 0 && { ips }),
    })
  }
  for (const id of new Set(ours.map(idOf))) await controller.putNetwork({ network: id, body: {} })
  for (const one of ours) {
    const { dpid, port, mac, ips, pod } = one
    const body = {
      name: `${pod.namespace}/${pod.name}`,
      ...(mac && { mac }),
      ips: [...ips],
      guard: mac === undefined ? ('learn' as const) : ('mac' as const),
    }
    await controller.putAttachment({ network: idOf(one), dpid, port: String(port), body })
  }
  say(
    'the controller has all of them; its switches are taken over with POST /v1/switches/{dpid}/takeover, or --takeover at its start',
  )
}

const claim = async (api: Api, name: string, spec: object): Promise<void> => {
  try {
    await api.create(collection('claims'), {
      apiVersion: 'l2sm.l2sm.k8s.local/v1',
      kind: 'Claim',
      metadata: { name },
      spec,
    })
  } catch (error) {
    if (!isRefused(error, 409)) throw error
  }
}

const table = (living: readonly Living[], idOf: (one: Living) => string): readonly string[] => {
  const rows = [
    ['POD', 'NETWORK', 'NODE', 'PORT', 'DATAPATH', 'MAC', 'ADDRESSES'],
    ...living.map(one => [
      `${one.pod.namespace}/${one.pod.name}`,
      idOf(one),
      one.node,
      String(one.port),
      one.dpid,
      one.mac ?? 'learned',
      one.ips.join(' ') || '-',
    ]),
  ]
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map(row => row[column]!.length)))
  return rows.map(row =>
    row
      .map((text, column) => text.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
}
