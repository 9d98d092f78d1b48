import { ask, type Connection, close, setPorts } from './connection.ts'
import { changedBetween, type PortStatus, portsOf, putStatus } from './ports.ts'

/** Statuses kept for a reading that is under way; beyond that the next reading will tell. */
const mostStatuses = 1_024

/**
 * Takes a PORT_STATUS: the ports change at once, and are read anew when it is quiet. For a status may be stale, or be a
 * duplicate, or tell of a port that has meanwhile come back with the same number; what the switch says when asked settles it.
 */
export function takeStatus(c: Connection, status: PortStatus): void {
  if (c.statuses !== undefined && c.statuses.length < mostStatuses) c.statuses.push(status)
  rereadSoon(c)
  const before = c.ports.size
  if (!putStatus(c.ports, status)) return
  c.allPorts.count += c.ports.size - before
  if (!isTooMany(c)) c.changedPorts.add(status.port.portNo)
}

/** Has the ports read again when no more PORT_STATUS comes for a while, or has come for long. */
export function rereadSoon(c: Connection): void {
  const now = c.clock.now()
  c.rereadBy ??= now + 10 * c.limits.reread
  c.rereadAt = Math.min(now + c.limits.reread, c.rereadBy)
}

/** Ends the connection of a switch that claims more ports than a switch can have, or than there is room for. */
function isTooMany(c: Connection): boolean {
  const { ports, allPorts } = c.limits
  if (c.ports.size > ports) close(c, 'oversize', `says that it has more than ${ports} ports`)
  else if (c.allPorts.count > allPorts)
    close(c, 'oversize', `with it, all switches together would have more than ${allPorts} ports`)
  return c.state.is === 'closed'
}

/**
 * Reads all ports and swaps them in whole. Statuses that came meanwhile may be older or newer than the answer: they
 * are put on top of it, so that no port is lost, and make sure of another reading.
 */
export async function readPorts(c: Connection, timeout = c.limits.request, again?: number): Promise<void> {
  const statuses: PortStatus[] = []
  c.statuses = statuses
  c.rereadAt = undefined
  c.rereadBy = undefined
  try {
    const body = { type: 'port_desc' } as const
    const reply = await ask(c, { type: 'multipart_request', flags: 0, body }, timeout, again)
    if (reply.body.type !== 'port_desc') return
    const ports = portsOf(reply.body.ports)
    for (const status of statuses) putStatus(ports, status)
    const changed = changedBetween(c.ports, ports)
    setPorts(c, ports)
    if (isTooMany(c)) return
    for (const portNo of changed) c.changedPorts.add(portNo)
    noticePorts(c)
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

/**
 * Notifies of the ports that have changed: the first at once, then all that change within `portNotice` ms together. So
 * thousands of PORT_STATUS cost whoever is notified no more than ten looks a second.
 */
export function noticePorts(c: Connection): void {
  if (c.changedPorts.size === 0) return
  // Who is notified that a switch is up looks at all of its ports.
  if (c.state.is !== 'live') return void c.changedPorts.clear()
  const now = c.clock.now()
  if (now < c.noticeAt) return
  const changed = c.changedPorts
  c.changedPorts = new Set()
  c.noticeAt = now + c.limits.portNotice
  c.hooks.portStatus(c.state.session, changed)
}
