/** The nodes as the controller is told of them, and the agents that make their switches. */

import { join } from 'node:path'
import type { NodePlan } from '../../api/contract/node-schemas.ts'
import type { Mesh } from '../../lab/mesh.ts'
import { bridgeName, datapathOf } from '../../topology/names.ts'
import { ports } from './member.ts'
import { lastWords, type Program, spawnProgram } from './program.ts'
import type { Rest } from './rest.ts'

/** As the controller knows the node. */
export const nameOf = (node: number): string => `node-${node}`

/** What its agent will call the switch of a node. */
export const switchOf = (node: number): { readonly bridge: string; readonly dpid: string } => {
  const bridge = bridgeName(nameOf(node))
  return { bridge, dpid: datapathOf(bridge) }
}

/** A full mesh; on each node an interface for each network, and one for nobody. */
export const meshWish = ({ nodes }: Mesh) => ({
  full: true,
  interfaceNumber: Object.keys(ports).length,
  spare: 0,
  nodes: nodes.map(({ number, address }) => ({ name: nameOf(number), address })),
})

/** @param base Where the controller answers. `token`: the path of a file. */
export function startAgents({ nodes, directory }: Mesh, base: string, token: string): Agents {
  const logOf = (node: number) => join(directory, `agent-${node}.log`)
  const programs = nodes.map(({ number, netns, ovs }): Program => {
    const whose = ['--node', nameOf(number), '--ovs', join(ovs.directory, 'db.sock'), '--state', ovs.directory]
    return spawnProgram(['agent', ...whose, '--controller', base, '--token-file', token], logOf(number), netns)
  })
  const kill = () => programs.map(program => program.kill('SIGKILL'))
  process.prependListener('exit', kill)
  return {
    log: logOf,
    ended: Promise.race(
      programs.map(async ({ ended }, index) => {
        const how = await ended
        throw new Error(
          `the agent of node ${index + 1} ended (${how}); the last it said:\n${lastWords(logOf(index + 1))}`,
        )
      }),
    ),
    close: async () => {
      for (const program of programs) program.kill('SIGTERM')
      await Promise.all(programs.map(({ ended }) => ended))
      process.off('exit', kill)
    },
  }
}

export type Agents = {
  log(node: number): string
  /** Rejects when one has ended. */
  readonly ended: Promise<never>
  close(): Promise<void>
}

export const planOf = ({ get }: Rest, node: number): Promise<NodePlan> => get(`/v1/nodes/${nameOf(node)}/plan`)
