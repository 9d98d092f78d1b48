/** The intrusion detection system of a network (`spec.ids`), as Kubernetes objects with the names that L2S-M gives them. Pure. */

import { askedNetworks, idsLabel, label } from '../kube/names.ts'
import type { Ids, L2Network } from '../kube/objects.ts'

const image = 'jasonish/suricata:7.0'
const rules = '/var/lib/suricata/rules'

export const idsName = (network: string): string => `${network}-ids`
export const idsConfigName = (network: string): string => `${network}-ids-cm`

/** What can not be served of it, in words. */
export const idsFault = ({ profile, namespace, ignorePorts = [] }: Ids, own: string): string | undefined => {
  if (profile !== 'suricata') return `ids.profile ${JSON.stringify(profile)} is not known: expected "suricata"`
  if (namespace !== undefined && namespace !== '' && namespace !== own)
    return `ids.namespace ${namespace} is another one than the network's: expected ${own}, as its owner must be in the same namespace`
  const port = ignorePorts.find(one => one < 0 || one > 65535)
  return port === undefined ? undefined : `ids.ignorePorts: ${port} is no port`
}

/** To be applied by the server: a ConfigMap with rules and a script, and a Deployment of one pod that reads it. */
export const idsObjects = ({ metadata }: L2Network, ids: Ids): readonly [configMap: object, deployment: object] => {
  const { name, namespace, uid } = metadata
  const owner = { apiVersion: 'l2sm.l2sm.k8s.local/v1', kind: 'L2Network', name, uid, controller: true }
  const labels = { app: idsName(name), [idsLabel]: name }
  const head = (its: string) => ({ name: its, namespace, labels, ownerReferences: [owner] })
  const references = (ids.customRuleSources ?? []).flatMap(({ configMapRef }, i) =>
    configMapRef ? [{ volume: `rules-${i}`, name: configMapRef.name }] : [],
  )
  const data = {
    'custom.rules': inlineRules(ids),
    'start.sh': script(
      ids,
      references.map(({ volume }) => volume),
    ),
  }
  const container = {
    ...{ name: 'suricata', image, command: ['/bin/sh', '/config/start.sh'] },
    securityContext: { capabilities: { add: ['NET_ADMIN', 'NET_RAW', 'SYS_NICE'] } },
    volumeMounts: [
      { name: 'config', mountPath: '/config' },
      ...references.map(({ volume }) => ({ name: volume, mountPath: `/${volume}` })),
    ],
  }
  const volumes = [
    { name: 'config', configMap: { name: idsConfigName(name) } },
    ...references.map(({ volume, name: its }) => ({ name: volume, configMap: { name: its } })),
  ]
  const template = {
    metadata: { labels: { ...labels, [label]: 'true' }, annotations: { [askedNetworks]: JSON.stringify([{ name }]) } },
    spec: { nodeSelector: { 'kubernetes.io/hostname': ids.node }, containers: [container], volumes },
  }
  return [
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: head(idsConfigName(name)), data },
    {
      ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: head(idsName(name)) },
      // Two at once could not both have the network's one mirror port.
      spec: {
        replicas: 1,
        strategy: { type: 'Recreate' },
        selector: { matchLabels: { app: idsName(name) } },
        template,
      },
    },
  ]
}

const inlineRules = ({ customRuleSources = [] }: Ids): string =>
  customRuleSources.flatMap(({ inline }) => (inline === undefined ? [] : [`${inline.trim()}\n`])).join('')

const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

const script = (
  { useEmergingThreatsOpen = true, customRuleSources = [], homeNetCidr = [], ignorePorts = [] }: Ids,
  volumes: readonly string[],
): string => {
  const urls = customRuleSources.flatMap(({ name, url }) => (url === undefined ? [] : [{ name, url }]))
  const local = ['/config/custom.rules', ...volumes.map(volume => `/${volume}/*`)].join(' ')
  const home = homeNetCidr.length > 0 ? `[${homeNetCidr.join(',')}]` : 'any'
  const filter = ignorePorts.map(port => `not port ${port}`).join(' and ')
  return [
    'set -e',
    `mkdir -p ${rules}`,
    `cat ${local} > ${rules}/custom.rules 2>/dev/null || true`,
    // What can't be fetched must not keep the rules that are here from being used.
    ...urls.map(({ name, url }) => `suricata-update add-source ${quote(name)} ${quote(url)} || true`),
    ...(useEmergingThreatsOpen || urls.length > 0 ? ['suricata-update --no-test --no-reload || true'] : []),
    'while ! ip link show net1 >/dev/null 2>&1; do sleep 1; done',
    `exec suricata -i net1 -s ${rules}/custom.rules --set ${quote(`vars.address-groups.HOME_NET=${home}`)}${filter === '' ? '' : ` ${quote(filter)}`}`,
    '',
  ].join('\n')
}
