/** The controller's credentials file, as a Secret: a row for the operator, one for each node, and those that people have added. */

import { isDeepStrictEqual } from 'node:util'
import { parse, stringify } from 'yaml'
import type { Api } from '../kube/api.ts'
import { collection, place, type Secret } from '../kube/objects.ts'
import { operatorName } from './authority.ts'
import { commonNameOf } from './nodes.ts'

type Row = { readonly name: string; readonly role: string; readonly [proof: string]: string }

const secretName = 'l2sm-credentials'
const key = 'credentials.yaml'

/** Starts the names of the rows of nodes; all others but the operator's are left as they are. */
const nodePrefix = 'node-'

export const rowsFor = (nodes: readonly string[], before: readonly Row[]): readonly Row[] => [
  { name: operatorName, role: 'admin', certificate: operatorName },
  ...nodes.toSorted().map(node => {
    const certificate = commonNameOf(node)
    return { name: `${nodePrefix}${certificate.slice('node:'.length)}`, role: `node:${node}`, certificate }
  }),
  ...before.filter(
    ({ name, role }) => name !== operatorName && !(name.startsWith(nodePrefix) && role.startsWith('node:')),
  ),
]

/** Answers whether it had to be written. */
export const ensureCredentials = async (api: Api, namespace: string, nodes: readonly string[]): Promise<boolean> => {
  const there = await api.get<Secret>(place('secrets', { namespace, name: secretName }))
  const before = rowsIn(there)
  const rows = rowsFor(nodes, before)
  if (there && isDeepStrictEqual(rows, before)) return false
  const data = { [key]: Buffer.from(stringify({ credentials: rows })).toString('base64') }
  if (there) {
    const { resourceVersion } = there.metadata
    const change = { metadata: { resourceVersion }, data }
    await api.patch(place('secrets', { namespace, name: secretName }), 'merge', change)
  } else {
    const metadata = { name: secretName, namespace, labels: { 'app.kubernetes.io/managed-by': 'l2sm-operator' } }
    await api.create(collection('secrets', namespace), { apiVersion: 'v1', kind: 'Secret', metadata, data })
  }
  return true
}

const rowsIn = (secret: Secret | undefined): readonly Row[] => {
  const text = Buffer.from(secret?.data?.[key] ?? '', 'base64').toString()
  const rows = (parse(text) as { credentials?: readonly Row[] } | null)?.credentials
  return Array.isArray(rows) ? rows : []
}
