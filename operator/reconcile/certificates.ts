/** What the leader does for an installation's certificates: nodes' requests, the controller's credentials, the webhooks' CA. */

import { ensureCredentials } from '../certificates/credentials.ts'
import { answerRequests } from '../certificates/nodes.ts'
import { ensureTrust } from '../certificates/trust.ts'
import { collection, type KubeObject, place } from '../kube/objects.ts'
import type { Work } from './work.ts'

/** Milliseconds: a node that is new waits for it. */
const pace = 2_000

/** The service account of agents, in the namespace of nodes; it, and the webhooks, are named in manifests/. */
const agent = 'l2sm-agent'
const webhooks = 'l2sm-operator'
/** For agents: names of providers, of which each node has a bridge. A certificate names its bridges. */
const providersMap = 'l2sm-providers'

export const reconcileCertificates = async (work: Work): Promise<number | undefined> => {
  const { world, own, log } = work
  if (!own) return undefined
  const { api, namespace } = world
  const { ca } = own.certificates()
  const nodes = Array.from(world.nodes.values(), ({ metadata }) => metadata.name)
  if (await ensureCredentials(api, namespace, nodes)) log.info({ nodes: nodes.length }, 'credentials written')
  if (await ensureTrust(api, webhooks, ca.cert)) log.info('the CA of the webhooks written')
  const providers = providersOf(work)
  await tellProviders(work, own.nodesNamespace, providers)
  await answerRequests({
    ...{ api, ca, providers, asker: `system:serviceaccount:${own.nodesNamespace}:${agent}` },
    isNode: name => world.nodes.get(name) !== undefined,
    say: (request, verdict) =>
      verdict.is === 'sign'
        ? log.info({ request, node: verdict.node }, 'certificate of a node')
        : log.warn({ request, why: verdict.why }, 'certificate of a node: refused'),
  })
  return pace
}

const providersOf = ({ world }: Work): string[] =>
  [...new Set(Array.from(world.overlays.values(), ({ spec }) => spec.provider.name))].sort()

type ConfigMap = KubeObject & { readonly data?: Readonly<Record<string, string>> }

const tellProviders = async ({ world: { api } }: Work, namespace: string, providers: readonly string[]) => {
  const text = providers.join('\n')
  const at = place('configmaps', { namespace, name: providersMap })
  const there = await api.get<ConfigMap>(at)
  if (there?.data?.['providers'] === text) return
  const head = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: providersMap, namespace } }
  if (there) await api.patch(at, 'merge', { data: { providers: text } })
  else await api.create(collection('configmaps', namespace), { ...head, data: { providers: text } })
}
