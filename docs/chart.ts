// The Helm chart's templates, made of the manifests that kustomize reads: each object is written once. What the chart lets a user
// change is a row here, a line in manifests/chart/values.yaml, and one in values.schema.json.
import { readdirSync, readFileSync } from 'node:fs'

const manifests = new URL('../manifests/', import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, manifests), 'utf8')

/** Text of a manifest, and what stands there in the template. Each occurs once. */
type Change = readonly [text: string, template: string]

/** A block of YAML that `when` decides about. */
const only = (when: string, text: string): string => `{{- if ${when} }}\n${text.trimEnd()}\n{{- end }}\n`

const resources = (of: string, indent: number, text: string): Change => [
  text,
  `resources: {{- toYaml .Values.${of}.resources | nindent ${indent} }}\n`,
]

const changes: Readonly<Record<string, readonly Change[]>> = {
  'base/controller.yaml': [
    ['storage: 2Gi', 'storage: {{ .Values.controller.storage }}'],
    [
      '  accessModes: [ReadWriteOnce]\n',
      '  accessModes: [ReadWriteOnce]\n  {{- with .Values.controller.storageClass }}\n  storageClassName: {{ . }}\n  {{- end }}\n',
    ],
    [
      '            - --store=sqlite:/var/lib/l2sm/l2sm.db\n',
      '            - --store=sqlite:/var/lib/l2sm/l2sm.db\n            {{- with .Values.physical.vlanRange }}\n            - --vlan-range={{ . }}\n            {{- end }}\n',
    ],
    resources(
      'controller',
      12,
      'resources:\n            requests: {cpu: 200m, memory: 256Mi}\n            limits: {memory: 2Gi}\n',
    ),
  ],
  'base/operator.yaml': [
    ['replicas: 2', 'replicas: {{ .Values.operator.replicas }}'],
    ['whenUnsatisfiable: ScheduleAnyway', 'whenUnsatisfiable: {{ .Values.operator.spread }}'],
    // One that must not go would keep its node from being drained.
    ['---\napiVersion: policy/v1\n', '{{- if gt (int .Values.operator.replicas) 1 }}\n---\napiVersion: policy/v1\n'],
    ['---\napiVersion: apps/v1\n', '{{- end }}\n---\napiVersion: apps/v1\n'],
    resources(
      'operator',
      12,
      'resources:\n            requests: {cpu: 100m, memory: 128Mi}\n            limits: {memory: 1Gi}\n',
    ),
  ],
  'base/webhooks.yaml': [
    [
      '  name: l2sm-operator\nwebhooks:',
      '  name: l2sm-operator\n  {{- if .Values.certManager }}\n  annotations: {cert-manager.io/inject-ca-from: l2sm-system/l2sm-operator-tls}\n  {{- end }}\nwebhooks:',
    ],
  ],
  'overlays/physical/openflow.yaml': [['nodePort: 30653', 'nodePort: {{ .Values.physical.nodePort }}']],
}

/** Manifests beside the base, and when they are wanted. */
const extras: Readonly<Record<string, string>> = {
  'overlays/secure/operator-egress.yaml': '.Values.secure',
  'overlays/secure/nodes-images.yaml': '.Values.secure',
  'overlays/physical/openflow.yaml': '.Values.physical.enabled',
  'overlays/cert-manager/certificates.yaml': '.Values.certManager',
}

const template = (path: string, when: string): string => {
  let text = read(path)
    .replaceAll('ghcr.io/networks-it-uc3m/l2sm-', '{{ .Values.images.registry }}/l2sm-')
    .replaceAll(/(l2sm-[a-z]+):0\.1\.0/g, '$1:{{ .Values.images.tag | default .Chart.AppVersion }}')
  for (const [from, to] of changes[path] ?? []) {
    if (text.split(from).length !== 2) throw new Error(`expected once in manifests/${path}: ${from}`)
    text = text.replace(from, () => to)
  }
  return only(when, text)
}

const base = (under: string): string[] =>
  readdirSync(new URL(under, manifests), { withFileTypes: true })
    .flatMap(entry => (entry.isDirectory() ? base(`${under}/${entry.name}`) : [`${under}/${entry.name}`]))
    .filter(path => path.endsWith('.yaml') && !path.endsWith('kustomization.yaml'))

/** By the path of the template, from docs/. */
export const templates: Readonly<Record<string, () => string>> = Object.fromEntries([
  ...base('base').map(path => [nameOf(path), () => template(path, 'not .Values.goOperator')]),
  ...base('overlays/go-operator').map(path => [nameOf(path), () => template(path, '.Values.goOperator')]),
  ...Object.entries(extras).map(([path, when]) => [
    nameOf(path),
    () => template(path, `and ${when} (not .Values.goOperator)`),
  ]),
])

function nameOf(path: string): string {
  return `../manifests/chart/templates/${path.replace(/^(base|overlays)\//, '').replaceAll('/', '-')}`
}
