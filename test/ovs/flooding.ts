/** Hand-made flows, for tests of the lab itself: one network of everything. */

import * as frame from '../../lab/frame.ts'
import type { Station } from '../../lab/frames.ts'
import type { Mesh } from '../../lab/mesh.ts'
import type { Node } from '../../lab/node.ts'

/** What comes from a pod goes to all others and over all links, what comes from a link goes to the pods. */
export function flooding(node: Node, pods: readonly number[]): string[] {
  const links = [...node.links.values()]
  const out = (ports: readonly number[]) => ports.map(port => `output:${port}`).join(',')
  return [
    ...pods.map(
      port => `in_port=${port},actions=${out(pods.filter(other => other !== port))},set_field:77->tun_id,${out(links)}`,
    ),
    ...links.map(port => `in_port=${port},tun_id=77,actions=${out(pods)}`),
  ]
}

export const flood = (mesh: Mesh) => Promise.all(mesh.nodes.map(node => node.addFlows(flooding(node, [1, 2]))))

export const broadcastOf = (from: Station) => (counted: frame.Probe) =>
  frame.probe({ dst: frame.broadcast, src: from.mac }, counted)
