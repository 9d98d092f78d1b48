// The Helm chart gives what kustomize gives, and real helm installs, upgrades and removes it.
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parseAllDocuments } from 'yaml'
import { run } from '../../lab/command.ts'
import { binary } from '../../lab/k8s/binaries.ts'
import { startControlPlane } from '../../lab/k8s/control-plane.ts'
import { needsCluster } from './cluster.ts'

const manifests = new URL('../../manifests', import.meta.url).pathname
const chart = join(manifests, 'chart')
const variants = readdirSync(join(manifests, 'overlays')).sort()

type KubeObject = {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: { readonly name: string; readonly namespace?: string }
}
const nameOf = ({ apiVersion, kind, metadata }: KubeObject) =>
  `${apiVersion} ${kind} ${metadata.namespace ?? ''}/${metadata.name}`
const objects = (text: string): Readonly<Record<string, KubeObject>> => {
  // Kubernetes reads YAML 1.1: there 0400 is 256.
  const all = parseAllDocuments(text, { version: '1.1' })
    .map(document => document.toJSON() as KubeObject | null)
    .filter(object => object !== null)
  return Object.fromEntries(all.map(object => [nameOf(object), object] as const).sort(([a], [b]) => (a < b ? -1 : 1)))
}

if (await needsCluster(t)) {
  const plane = await startControlPlane({ scheduler: false })
  t.teardown(() => plane.close())
  const helm = (args: readonly string[]) =>
    run(binary('helm'), args, { env: { KUBECONFIG: plane.kubeconfig, HOME: plane.directory }, timeout: 120_000 })
  const rendered = async (values: readonly string[] = []) => objects(await helm(['template', 'l2sm', chart, ...values]))
  const kustomized = async (way: string) => objects(await plane.kubectl(['kustomize', join(manifests, way)]))

  t.test('without values of its own, the chart renders what manifests/base is', async t => {
    const base = await kustomized('base')
    t.ok(Object.keys(base).length > 30)
    t.same(await rendered(), base)
  })

  for (const variant of variants)
    t.test(`values/${variant}.yaml renders what manifests/overlays/${variant} is`, async t =>
      t.same(
        await rendered(['--values', join(chart, 'values', `${variant}.yaml`)]),
        await kustomized(`overlays/${variant}`),
      ),
    )

  t.test('every value that the schema knows changes something, and others are refused', async t => {
    const base = await rendered()
    const changed = {
      'images.registry': 'registry.example/l2sm',
      'images.tag': 'v9',
      'controller.storage': '9Gi',
      'controller.storageClass': 'fast',
      'controller.resources.limits.memory': '9Gi',
      'operator.replicas': '3',
      'operator.spread': 'DoNotSchedule',
      'operator.resources.requests.cpu': '900m',
      'physical.enabled': 'true',
      'physical.vlanRange': '5-99',
      secure: 'true',
      certManager: 'true',
      goOperator: 'true',
    }
    for (const [name, value] of Object.entries(changed))
      t.notSame(await rendered(['--set', `${name}=${value}`]), base, name)
    const images = JSON.stringify(await rendered(['--set', 'images.registry=registry.example/l2sm,images.tag=v9']))
    t.notMatch(images, /ghcr\.io|l2sm-[a-z]+:0\.1\.0/, 'no image is left behind')
    for (const wrong of ['operator.replicas=0', 'operator.replica=3', 'controller.storage=much', 'nonsense=1'])
      await t.rejects(
        rendered(['--set', wrong]),
        { message: /values don't meet the specifications of the schema/ },
        wrong,
      )
  })

  t.test('helm installs the chart, changes it, and removes it without a trace', async t => {
    const values = join(t.testdir(), 'values.yaml')
    writeFileSync(values, 'operator: {replicas: 3}\n')
    await helm(['install', 'l2sm', chart])
    const get = (what: string) => plane.kubectl(['get', ...what.split(' ')])
    t.equal(await get('-n l2sm-system deployment l2sm-operator -o jsonpath={.spec.replicas}'), '2')
    const volume = await get('-n l2sm-system pvc l2sm-store -o jsonpath={.metadata.uid}')
    await helm(['upgrade', 'l2sm', chart, '--values', values])
    t.equal(await get('-n l2sm-system deployment l2sm-operator -o jsonpath={.spec.replicas}'), '3')
    t.equal(await get('-n l2sm-system pvc l2sm-store -o jsonpath={.metadata.uid}'), volume, 'the store stays')
    await helm(['uninstall', 'l2sm', '--wait', '--timeout', '90s'])
    const left = await Promise.all(
      ['namespaces', 'crds', 'clusterroles', 'clusterrolebindings', 'mutatingwebhookconfigurations'].map(kind =>
        get(`${kind} -o name`),
      ),
    )
    t.notMatch(left.join('\n'), /l2sm/)
  })
}
