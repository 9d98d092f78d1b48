// Links as the API shows them. Pure.

import { endpointKey, type Link, linkKey } from '../topology/topology.ts'
import type { Facts } from './facts.ts'
import type { LinkStatistics, LinkView } from './view/view.ts'

/** Links of the mesh, declared and discovered ones, a direction each, in no order. @param figures What probes measure. */
export function* linkViews(
  facts: Facts,
  linkStatistics: (link: Link) => LinkStatistics | undefined,
): Iterable<LinkView> {
  const { declaredLinks, discoveredLinks } = facts.state
  const meshed = new Set<string>()
  for (const { planned, link, condition } of facts.planned.all()) {
    if (link) meshed.add(linkKey(link))
    if (link) yield viewOf(facts, link, 'mesh', linkStatistics)
    else
      yield {
        from: planned.from,
        to: planned.to,
        origin: 'mesh',
        state: 'pending',
        ...(condition && { reason: condition }),
      }
  }
  for (const [key, link] of declaredLinks) if (!meshed.has(key)) yield viewOf(facts, link, 'declared', linkStatistics)
  for (const [key, link] of discoveredLinks)
    if (!declaredLinks.has(key) && !meshed.has(key)) yield viewOf(facts, link, 'discovered', linkStatistics)
}

/** One direction of a link; undefined if it is neither planned nor declared nor found. */
export function linkView(
  facts: Facts,
  link: Link,
  linkStatistics: (link: Link) => LinkStatistics | undefined,
): LinkView | undefined {
  const key = linkKey(link)
  const { declaredLinks, discoveredLinks } = facts.state
  const meshed = facts.planned.at(link.from)
  if (meshed && linkKey(meshed) === key) return viewOf(facts, meshed, 'mesh', linkStatistics)
  const declared = declaredLinks.get(key)
  const known = declared ?? discoveredLinks.get(key)
  return known && viewOf(facts, known, declared ? 'declared' : 'discovered', linkStatistics)
}

const viewOf = (
  facts: Facts,
  link: Link,
  origin: LinkView['origin'],
  linkStatistics: (link: Link) => LinkStatistics | undefined,
): LinkView => ({ ...link, origin, ...linkState(facts, link), ...linkStatistics(link) })

/** OFPPC_PORT_DOWN and OFPPS_LINK_DOWN (OpenFlow 1.3.5 §7.2.1). */
const portDown = 1
const linkDown = 1

function linkState({ switches, state }: Facts, { from, to }: Link): Pick<LinkView, 'state' | 'reason'> {
  for (const { dpid, port } of [from, to]) {
    const session = switches.get(dpid)?.session
    if (!session) return { state: 'pending', reason: `switch ${dpid} is not connected` }
    if (!session.ports().has(port)) return { state: 'pending', reason: `switch ${dpid} has no port ${port}` }
  }
  const dead = [
    { from, to },
    { from: to, to: from },
  ].find(link => state.deadLinks.has(linkKey(link)))
  if (!dead) return { state: 'up' }
  for (const { dpid, port } of [dead.from, dead.to]) {
    const { config = 0, state: link = 0 } = switches.get(dpid)?.session?.ports().get(port) ?? {}
    if (config & portDown) return { state: 'down', reason: `port ${port} of switch ${dpid} is switched off` }
    if (link & linkDown) return { state: 'down', reason: `port ${port} of switch ${dpid} has no carrier` }
  }
  return {
    state: 'down',
    reason: `probes that leave ${endpointKey(dead.from)} do not arrive at ${endpointKey(dead.to)}`,
  }
}
