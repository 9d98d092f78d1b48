import { ask, type Connection, close } from './connection.ts'
import { type PortStatus, portsOf, putStatus, samePorts } from './ports.ts'

/** Statuses kept for a reading that is under way; beyond that the next reading will tell. */
const mostStatuses = 1_024

/**
 * Takes a PORT_STATUS: the ports change at once, and are soon read anew. For a status may be stale, or be a duplicate,
 * or tell of a port that has meanwhile come back with the same number; what the switch says when asked settles it.
 */
export function takeStatus(c: Connection, status: PortStatus): void {
  if (c.statuses !== undefined && c.statuses.length < mostStatuses) c.statuses.push(status)
  c.rereadAt ??= c.clock.now() + c.limits.reread
  if (!putStatus(c.ports, status)) return
  if (isTooMany(c)) return
  changed(c)
}

/** Ends the connection of a switch that claims more ports than a switch can have: each takes memory. */
function isTooMany(c: Connection): boolean {
  if (c.ports.size > c.limits.ports) close(c, 'oversize', `says that it has more than ${c.limits.ports} ports`)
  return c.state.is === 'closed'
}

/**
 * Reads all ports and swaps them in whole. Statuses that came meanwhile may be older or newer than the answer: they
 * are put on top of it, so that no port is lost, and make sure of another reading.
 */
export async function readPorts(c: Connection): Promise<void> {
  const statuses: PortStatus[] = []
  c.statuses = statuses
  c.rereadAt = undefined
  try {
    const reply = await ask(c, { type: 'multipart_request', flags: 0, body: { type: 'port_desc' } })
    if (reply.body.type !== 'port_desc') return
    const ports = portsOf(reply.body.ports)
    for (const status of statuses) putStatus(ports, status)
    const before = c.ports
    c.ports = ports
    if (!isTooMany(c) && !samePorts(before, ports)) changed(c)
  } finally {
    c.statuses = undefined
  }
}

/** Reads the ports again if that is due. A switch that loses the question is asked again. */
export function rereadPorts(c: Connection, now: number): void {
  if (c.rereadAt === undefined || c.rereadAt > now || c.statuses !== undefined) return
  readPorts(c).catch(() => {
    c.rereadAt ??= c.clock.now() + c.limits.request
  })
}

function changed(c: Connection): void {
  if (c.state.is === 'live') c.hooks.portStatus(c.state.session)
}
