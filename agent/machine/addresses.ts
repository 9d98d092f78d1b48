/** Moves the node's addresses between its device and br-phy, without cutting the node off. */

import type { NodePlan } from '../../api/contract/node-schemas.ts'
import { type Machine, physical, placement, type Saved } from '../node/underlay.ts'
import { placeOf } from '../switch/target.ts'
import { ipBatch } from './command.ts'
import { answering, readMachine } from './machine.ts'

export type Moved =
  | { readonly is: 'nothing to do' }
  /** `but`: what could not be done. */
  | { readonly is: 'moved'; readonly but?: string }
  /** It could not be, and everything is as it was before. */
  | { readonly is: 'put back'; readonly why: string }

/**
 * @param careful The plan, to make sure that somebody still answers afterwards, and to put everything back if not.
 * @param say Told what will be done.
 */
export async function moveAddresses(
  saved: Saved,
  place: string,
  seen: Machine,
  careful: NodePlan | undefined,
  say: (commands: readonly string[]) => void,
): Promise<Moved> {
  const lines = placement(saved, place, seen)
  if (lines.length === 0) return { is: 'nothing to do' }
  const witnesses = careful && place === physical ? await answering(hostsOf(careful, saved)) : []
  say(lines)
  // All that can be done is: a node with its address and without a route is better off than without both.
  const but = await ipBatch(lines, 'force').then(
    () => undefined,
    (error: Error) => error.message,
  )
  if (!careful) return { is: 'moved', ...(but !== undefined && { but }) }
  const alone = witnesses.length > 0 && !(await anyAnswers(witnesses))
  const why = but ?? (alone ? `of ${witnesses.join(', ')} none answers any more` : undefined)
  if (why === undefined) return { is: 'moved' }
  await ipBatch(placement(saved, saved.device, await readMachine()), 'force').catch(() => {})
  return { is: 'put back', why }
}

/** Who can tell whether this node is still connected. */
const hostsOf = ({ controllers, links }: NodePlan, { routes }: Saved): string[] => {
  const gateways = routes.flatMap(({ via }) => via ?? [])
  const far = [...controllers.map(target => placeOf(target)?.host ?? ''), ...links.map(({ remote }) => remote)]
  return [...new Set([...gateways, ...far])].filter(host => host !== '').slice(0, 8)
}

async function anyAnswers(hosts: readonly string[]): Promise<boolean> {
  for (let tries = 0; tries < 5; tries++) if ((await answering(hosts)).length > 0) return true
  return false
}
