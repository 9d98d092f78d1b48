import type { Put, Tables } from './change.ts'
import { put } from './maps.ts'
import { maxNodeNumber, type Node, type NodeLink } from './state.ts'

/** Of the tables, what concerns nodes: what must hold, and how a step is taken, indexes included. */

export const badNode = (t: Tables, { name, dpid, number }: Node): string | undefined => {
  if (!Number.isInteger(number) || number < 1 || number > maxNodeNumber)
    return `node ${name} has number ${number}: expected 1 to ${maxNodeNumber}`
  const there = t.nodeAt.get(dpid) ?? name
  if (there !== name) return `switch ${dpid} of node ${name} is node ${there}'s`
  const numbered = t.nodeNumbered.get(number) ?? name
  return numbered === name ? undefined : `number ${number} of node ${name} is node ${numbered}'s`
}

export const badNodeRemoval = (t: Tables, name: string): string | undefined =>
  t.peers.has(name) ? `node ${name} still has ${t.peers.get(name)!.size} links` : undefined

export const badNodeLink = (t: Tables, { a, b }: NodeLink): string | undefined => {
  if (a >= b) return `a link between nodes ${a} and ${b}: expected the lesser name first`
  const missing = [a, b].find(name => !t.nodes.has(name))
  return missing === undefined ? undefined : `the link between nodes ${a} and ${b}: there is no node ${missing}`
}

export const applyNode = (t: Tables, { key, before, after }: Put<'node', Node>): void => {
  put(t.nodes, key, after)
  if (before) {
    t.nodeAt.delete(before.dpid)
    t.nodeNumbered.delete(before.number)
  }
  if (!after) return
  t.nodeAt.set(after.dpid, key)
  t.nodeNumbered.set(after.number, key)
}

export const applyNodeLink = (t: Tables, { key, before, after }: Put<'nodelink', NodeLink>): void => {
  put(t.nodeLinks, key, after)
  for (const [one, other] of ends(before)) {
    const peers = t.peers.get(one)!
    peers.delete(other)
    if (peers.size === 0) t.peers.delete(one)
  }
  for (const [one, other] of ends(after)) {
    const peers = t.peers.get(one)
    if (peers) peers.add(other)
    else t.peers.set(one, new Set([other]))
  }
}

const ends = (link: NodeLink | undefined): readonly (readonly [string, string])[] =>
  link
    ? [
        [link.a, link.b],
        [link.b, link.a],
      ]
    : []
