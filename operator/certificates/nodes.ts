/**
 * Certificates of nodes. A node's agent asks by a CertificateSigningRequest; which node it is on, the API server says, which has bound
 * the asker's token to a pod and so to a node. The certificate is good for that node's plan and reports, and for its bridges, and for nothing else.
 */

import { createHash } from 'node:crypto'
import { type Pem, signRequest } from '../../pki/certificates.ts'
import { bridgeName, datapathOf, overlayProvider } from '../../topology/names.ts'
import type { Api } from '../kube/api.ts'
import { collection, place, type SigningRequest } from '../kube/objects.ts'

export const nodeSigner = 'l2sm.io/node'

/** Written by the API server (ServiceAccountTokenPodNodeInfo), Kubernetes 1.30 and newer. */
const nodeExtra = 'authentication.kubernetes.io/node-name'
const usages: readonly string[] = ['digital signature', 'client auth']
const days = 30

export type Verdict = { readonly is: 'sign'; readonly node: string } | { readonly is: 'deny'; readonly why: string }

/** @param asker The one who may ask: the service account of the agents. */
export const verdictOn = ({ spec }: SigningRequest, asker: string, isNode: (name: string) => boolean): Verdict => {
  const deny = (why: string): Verdict => ({ is: 'deny', why })
  if (spec.username !== asker) return deny(`asked by ${spec.username}: only ${asker} may`)
  const node = spec.extra?.[nodeExtra]?.[0]
  if (node === undefined)
    return deny('the API server does not say on which node the asker runs: Kubernetes 1.30 or newer does')
  if (!isNode(node)) return deny(`there is no node ${node}`)
  const more = (spec.usages ?? []).filter(usage => !usages.includes(usage))
  return more.length > 0
    ? deny(`expected the usages ${usages.join(' and ')}, got also ${more.join(', ')}`)
    : { is: 'sign', node }
}

/** A common name has 64 characters at most (RFC 5280, ub-common-name), a node's name 253. */
export const commonNameOf = (node: string): string => {
  const plain = `node:${node}`
  return plain.length <= 64 ? plain : `node:${createHash('sha256').update(node).digest('hex').slice(0, 40)}`
}

/** Names in a node's certificate: the datapath ids of its bridges, one for each provider. */
export const datapathNames = (node: string, providers: readonly string[]): string[] =>
  [...new Set([overlayProvider, ...providers])].map(
    provider => `URI:l2sm:dpid:${datapathOf(bridgeName(node, provider))}`,
  )

export type SigningWork = {
  readonly api: Api
  readonly ca: Pem
  readonly asker: string
  readonly isNode: (name: string) => boolean
  readonly providers: readonly string[]
  readonly say: (request: string, verdict: Verdict) => void
}

/** Answers every request that waits. */
export const answerRequests = async ({ api, ca, asker, isNode, providers, say }: SigningWork): Promise<void> => {
  const all = await api.get<{ readonly items: readonly SigningRequest[] }>(collection('signingRequests'), {
    fieldSelector: `spec.signerName=${nodeSigner}`,
  })
  const waiting = (all?.items ?? []).filter(({ status }) => !status?.certificate && !isDenied(status))
  for (const request of waiting) {
    const verdict = verdictOn(request, asker, isNode)
    say(request.metadata.name, verdict)
    const at = place('signingRequests', request.metadata)
    const typed = { apiVersion: 'certificates.k8s.io/v1', kind: 'CertificateSigningRequest', ...request }
    const approved = await api.replace<SigningRequest>(`${at}/approval`, withCondition(typed, verdict))
    if (verdict.is === 'deny') continue
    const certificate = await signRequest(Buffer.from(request.spec.request, 'base64').toString(), {
      ...{ commonName: commonNameOf(verdict.node), usage: 'client', days, signer: ca },
      names: datapathNames(verdict.node, providers),
    })
    // The CA comes along: the agent needs it, and has it from the API server alone.
    const chain = Buffer.from(`${certificate.trim()}\n${ca.cert}`).toString('base64')
    await api.replace(`${at}/status`, { ...approved, status: { ...approved.status, certificate: chain } })
  }
}

const isDenied = (status: SigningRequest['status']): boolean =>
  status?.conditions?.some(({ type }) => type === 'Denied' || type === 'Failed') ?? false

const withCondition = (request: SigningRequest, verdict: Verdict) => {
  const known = request.status?.conditions ?? []
  if (known.some(({ type }) => type === 'Approved')) return request
  const condition =
    verdict.is === 'sign'
      ? { type: 'Approved', message: `for node ${verdict.node}, on which the asker runs` }
      : { type: 'Denied', message: verdict.why }
  return {
    ...request,
    status: { ...request.status, conditions: [...known, { ...condition, status: 'True', reason: 'l2sm' }] },
  }
}
