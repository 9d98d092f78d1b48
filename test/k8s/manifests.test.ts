// What a user would apply: taken by a real API server, with Pod Security, for each way to install.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parseAllDocuments } from 'yaml'
import { needsCluster, startCluster } from './cluster.ts'

const manifests = new URL('../../manifests', import.meta.url).pathname
const ways = ['base', ...readdirSync(join(manifests, 'overlays')).map(name => `overlays/${name}`)]

type Container = {
  readonly name: string
  readonly image: string
  readonly securityContext?: {
    readonly readOnlyRootFilesystem?: boolean
    readonly allowPrivilegeEscalation?: boolean
    readonly privileged?: boolean
    readonly capabilities?: { readonly drop?: readonly string[]; readonly add?: readonly string[] }
  }
  readonly volumeMounts?: readonly { readonly mountPath: string }[]
  readonly resources?: { readonly requests?: object; readonly limits?: object }
}
type PodSpec = { readonly containers: readonly Container[]; readonly initContainers?: readonly Container[] }
type KubeObject = {
  readonly kind: string
  readonly apiVersion: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
  readonly spec?: { readonly template?: { readonly metadata: { readonly labels: object }; readonly spec: PodSpec } }
}

if (await needsCluster(t)) {
  const { plane } = await startCluster(t, { nodes: [], scheduler: false, webhooks: false })
  const render = async (way: string): Promise<readonly KubeObject[]> =>
    parseAllDocuments(await plane.kubectl(['kustomize', join(manifests, way)])).map(document => document.toJSON())
  const base = await render('base')
  const namespaces = base.filter(({ kind }) => kind === 'Namespace')
  await plane.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], list(namespaces))
  const serviceAccounts = base.filter(({ kind }) => kind === 'ServiceAccount')
  await plane.kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], list(serviceAccounts))
  const dryRun = (objects: readonly object[]) =>
    plane.kubectl(['apply', '--server-side', '--force-conflicts', '--dry-run=server', '-f', '-'], list(objects))

  for (const way of ways)
    t.test(`${way}: the API server takes every object, and Pod Security every pod`, async t => {
      const objects = await render(way)
      // Kinds that cert-manager would bring.
      const known = objects.filter(({ apiVersion }) => !apiVersion.startsWith('cert-manager.io/'))
      t.equal(known.length < objects.length, way === 'overlays/cert-manager')
      const answers = (await dryRun(known)).trim().split('\n')
      t.equal(answers.length, known.length)
      // Pod Security only warns of a Deployment: the pod itself is refused, later, when nobody looks.
      const pods = known.flatMap(({ metadata, spec }) => (spec?.template ? [podOf(metadata, spec.template)] : []))
      t.ok(pods.length > 0)
      await dryRun(pods)
    })

  t.test('each container has no more rights than it names, and says what it needs of the node', async t => {
    const rights = new Map(
      base.flatMap(({ metadata, spec }) =>
        [...(spec?.template?.spec.initContainers ?? []), ...(spec?.template?.spec.containers ?? [])].map(container => {
          const { securityContext = {}, resources = {}, volumeMounts = [] } = container
          const where = `${metadata.name}/${container.name}`
          t.equal(securityContext.readOnlyRootFilesystem, true, `${where} has a read-only root`)
          // Programs and what they call (openssl, ovsdb-server) make files there.
          if (container.name !== 'module')
            t.ok(
              volumeMounts.some(({ mountPath }) => mountPath === '/tmp'),
              `${where} has a /tmp of its own`,
            )
          t.equal(securityContext.allowPrivilegeEscalation, false, where)
          t.not(securityContext.privileged, true, where)
          t.same(securityContext.capabilities?.drop, ['ALL'], where)
          if (container.name !== 'module') t.ok(resources.requests && resources.limits, `${where} has its resources`)
          return [where, securityContext.capabilities?.add ?? []] as const
        }),
      ),
    )
    t.same(Object.fromEntries(rights), {
      'l2sm-controller/controller': [],
      'l2sm-operator/operator': [],
      'l2sm-agent/first-certificate': [],
      'l2sm-agent/agent': ['NET_ADMIN', 'NET_RAW'],
      'l2sm-agent/certificate': [],
      'l2sm-openvswitch/module': ['SYS_MODULE'],
      'l2sm-openvswitch/ovsdb-server': ['CHOWN', 'DAC_OVERRIDE'],
      'l2sm-openvswitch/ovs-vswitchd': ['NET_ADMIN', 'NET_RAW', 'IPC_LOCK', 'SYS_NICE', 'DAC_OVERRIDE'],
    })
  })

  t.test('a pod that wants more of the node than it should is refused in l2sm-system', async t => {
    const agent = base.find(({ kind, metadata }) => kind === 'DaemonSet' && metadata.name === 'l2sm-agent')!
    const template = agent.spec!.template!
    // There is no service account of agents there.
    const spec = { ...template.spec, serviceAccountName: 'l2sm-operator' }
    const pod = podOf({ name: 'a', namespace: 'l2sm-system' }, { ...template, spec })
    await t.rejects(dryRun([pod]), { message: /violates PodSecurity "restricted/ })
  })

  t.test('secure: only our images run in l2sm-nodes, and none is privileged', async t => {
    const objects = (await render('overlays/secure')).filter(({ kind }) => kind.startsWith('ValidatingAdmissionPolicy'))
    await plane.kubectl(['apply', '--server-side', '-f', '-'], list(objects))
    const { metadata, spec } = base.find(o => o.kind === 'DaemonSet' && o.metadata.name === 'l2sm-agent')!
    const template = spec!.template!
    const pod = podOf(metadata, template)
    const [first, ...rest] = template.spec.containers
    const other = { ...pod, spec: { ...pod.spec, containers: [{ ...first, image: 'evil/agent:1' }, ...rest] } }
    const mighty = { ...first, securityContext: { privileged: true } }
    const privileged = { ...pod, spec: { ...pod.spec, containers: [mighty, ...rest] } }
    // A policy takes some time to be in force.
    for (;;) {
      const refused = await dryRun([other]).then(
        () => undefined,
        (error: Error) => error.message,
      )
      if (refused === undefined) continue
      t.match(refused, /only images l2sm-agent and l2sm-openvswitch run in l2sm-nodes/)
      break
    }
    await t.rejects(dryRun([privileged]), { message: /nothing in l2sm-nodes needs a privileged container/ })
    await dryRun([pod])
  })
}

function podOf(
  { name, namespace }: { readonly name: string; readonly namespace?: string },
  { metadata, spec }: { readonly metadata: { readonly labels: object }; readonly spec: PodSpec },
) {
  return {
    ...{ apiVersion: 'v1', kind: 'Pod', metadata: { name: `${name}-try`, namespace, labels: metadata.labels } },
    spec,
  }
}

function list(items: readonly object[]): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items })
}
