import type { MessageOf } from '../index.ts'
import { ask, type Connection, close } from './connection.ts'
import { RequestError } from './requests.ts'

/**
 * Makes this connection the switch's only master (OpenFlow 1.3.5 §6.3.5); every other becomes a slave, whose changes the
 * switch refuses. A switch that heard a later generation refuses us: then we are the one that must not write. Closes the
 * connection if it is not master afterwards, and answers whether it is: a switch that knows no roles can't be fenced.
 */
export async function claimMaster(c: Connection, generationId: bigint): Promise<boolean> {
  try {
    const { role } = await ask(c, { type: 'role_request', role: 'master', generationId })
    if (role === 'master') c.role = role
    else lose(c, `made us ${role} when we claimed to be its master`)
  } catch (error) {
    if (!(error instanceof RequestError)) throw error
    if (error.why !== 'closed')
      lose(c, `does not take us as its master with generation ${generationId}: ${error.message}`)
  }
  return c.role === 'master'
}

/** Another controller is master now: so the switch says (ONF extension 191), to whoever was it before. */
export function takeRole(c: Connection, { role, generationId }: MessageOf<'role_status'>): void {
  if (c.role === 'master' && role !== 'master') lose(c, `has another master since generation ${generationId}`)
}

/** The same, seen by a change that it refused: BAD_REQUEST/IS_SLAVE. */
export function isSlave(c: Connection): void {
  if (c.role === 'master') lose(c, 'has another master, and refuses our changes')
}

/** What is on its way fails, nothing more is written; when the switch comes back it is claimed again, or refuses. */
function lose(c: Connection, reason: string): void {
  c.role = 'slave'
  close(c, 'not_master', reason)
}
