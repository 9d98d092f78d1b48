import { type MessageOf, type PortDesc, ports as reserved } from '../index.ts'

export type PortStatus = MessageOf<'port_status'>

/** A datapath's ports by number; without the reserved ones (LOCAL, CONTROLLER, ...). OpenFlow 1.3.5 §7.2.1. */
export type Ports = Map<number, PortDesc>

/** Whether a port with this number is a place where frames come from and go to. */
const isPlain = (port: PortDesc): boolean => port.portNo > 0 && port.portNo <= reserved.max

export const portsOf = (list: readonly PortDesc[]): Ports =>
  new Map(list.filter(isPlain).map(port => [port.portNo, port]))

const fields = [
  'hwAddr',
  'name',
  'config',
  'state',
  'curr',
  'advertised',
  'supported',
  'peer',
  'currSpeed',
  'maxSpeed',
] as const satisfies readonly (keyof PortDesc)[]

const samePort = (a: PortDesc | undefined, b: PortDesc): boolean =>
  a !== undefined && fields.every(field => a[field] === b[field])

/**
 * Puts one PORT_STATUS (§7.4.3) into the ports, and says whether that changed them. A status may be a duplicate, stale,
 * or the first word of a port: 'modify' of an unknown port adds it, 'add' of a known one replaces it (a port that was
 * deleted and made anew may have kept its number).
 */
export function putStatus(ports: Ports, { reason, port }: PortStatus): boolean {
  if (!isPlain(port)) return false
  if (reason === 'delete') return ports.delete(port.portNo)
  if (samePort(ports.get(port.portNo), port)) return false
  ports.set(port.portNo, port)
  return true
}

/** Numbers of the ports that are in one of the two only, or differ. */
export function changedBetween(before: Ports, after: Ports): number[] {
  const changed = [...before.keys()].filter(portNo => !after.has(portNo))
  for (const [portNo, port] of after) if (!samePort(before.get(portNo), port)) changed.push(portNo)
  return changed
}
