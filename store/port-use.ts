import { type Link, linkKey } from '../topology/topology.ts'
import { networkAt } from './attachments.ts'
import type { Draft } from './draft.ts'
import { declaredLinkAt } from './overlay.ts'
import { type Refusal, refuse } from './refusals.ts'

/** What a port is used for. Members of one port by several VLANs are judged by sharingConflict (attachments.ts). */
export type PortUse =
  | { readonly is: 'member'; readonly network: string }
  | { readonly is: 'mirror'; readonly network: string }
  | { readonly is: 'vlink'; readonly vlink: string }
  | { readonly is: 'link'; readonly link: Link }

/** What keeps a port (by its endpointKey) from being used so, beside what it is used for already. */
export const useConflict = (draft: Draft, port: string, wanted: PortUse): Refusal | undefined => {
  for (const existing of usesOf(draft, port)) {
    const conflict = between(port, wanted, existing)
    if (conflict) return conflict
  }
  return undefined
}

/** What a port is used for now: nothing, one thing, or a member and the mirror of one network. */
const usesOf = (draft: Draft, port: string): readonly PortUse[] => {
  const link = declaredLinkAt(draft, port)
  const vlink = draft.vlinkEnds.get(port)
  const mirrored = draft.mirrors.get(port)
  const member = networkAt(draft, port)
  return [
    ...(link === undefined ? [] : [{ is: 'link', link } as const]),
    ...(vlink === undefined ? [] : [{ is: 'vlink', vlink } as const]),
    ...(mirrored === undefined ? [] : [{ is: 'mirror', network: mirrored } as const]),
    ...(member === undefined ? [] : [{ is: 'member', network: member } as const]),
  ]
}

/** The one table of which two uses a port can't have at once. */
const between = (port: string, wanted: PortUse, existing: PortUse): Refusal | undefined => {
  if (wanted.is === 'link' && existing.is === 'link')
    return linkKey(wanted.link) === linkKey(existing.link)
      ? undefined
      : refuse('link-conflict', port, linkKey(existing.link))
  if (wanted.is === 'vlink' && existing.is === 'vlink')
    return wanted.vlink === existing.vlink
      ? undefined
      : refuse('vlink-port-taken', port, inWords(existing), wanted.vlink)
  if (wanted.is === 'vlink') return refuse('vlink-port-taken', port, inWords(existing), wanted.vlink)
  if (existing.is === 'vlink') return refuse('vlink-port-taken', port, inWords(wanted), existing.vlink)
  if (wanted.is === 'link') return refuse('link-port-attached', port, inWords(existing), linkKey(wanted.link))
  if (existing.is === 'link') return refuse('link-port-attached', port, inWords(wanted), linkKey(existing.link))
  if (wanted.network === existing.network) return undefined
  if (existing.is === 'mirror') return refuse('mirror-port-elsewhere', port, wanted.network, existing.network)
  return wanted.is === 'mirror' ? refuse('port-attached-elsewhere', port, wanted.network, existing.network) : undefined
}

const inWords = (use: PortUse): string => {
  if (use.is === 'link') return `an end of the declared link ${linkKey(use.link)}`
  if (use.is === 'vlink') return `an end of vlink ${use.vlink}`
  return use.is === 'mirror' ? `the mirror of network ${use.network}` : `in network ${use.network}`
}
