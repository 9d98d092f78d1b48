import type { DatapathId, Endpoint, PortNo } from './topology.ts'

/** Text from outside to the one spelling that is used inside; undefined when it is none. */

/** 16 hex digits of any case, with or without `of:`, to the 16 lower-case digits. */
export const parseDpid = (text: string): DatapathId | undefined =>
  /^(?:of:)?([0-9a-f]{16})$/i.exec(text)?.[1]?.toLowerCase()

/** OFPP_MAX (OpenFlow 1.3.5 §7.2.1): what is above it is a reserved port, where nothing is attached. */
const maxPort = 0xffffff00

/** Decimal digits, or a number: 1 to 0xffffff00. `01` is no spelling of a port. */
export const parsePort = (text: string | number): PortNo | undefined => {
  const port = typeof text === 'number' ? text : /^[1-9][0-9]{0,9}$/.test(text) ? Number(text) : Number.NaN
  return Number.isInteger(port) && port >= 1 && port <= maxPort ? port : undefined
}

/** `of:<16 hex digits>/<port>`, with or without `of:`. */
export const parseEndpoint = (text: string): Endpoint | undefined => {
  const slash = text.indexOf('/')
  if (slash < 0) return undefined
  const dpid = parseDpid(text.slice(0, slash))
  const port = parsePort(text.slice(slash + 1))
  return dpid !== undefined && port !== undefined ? { dpid, port } : undefined
}

/**
 * The MAC address of one interface, with `:` or `-` between its bytes and of any case, to `aa:bb:cc:dd:ee:ff`. A group
 * address (the lowest bit of the first byte is 1, IEEE 802 §8.2) or all zeros is none: no frame has it as its source.
 */
export const parseMac = (text: string): string | undefined => {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$|^[0-9a-f]{2}(-[0-9a-f]{2}){5}$/i.test(text)) return undefined
  const mac = text.toLowerCase().replaceAll('-', ':')
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1 || mac === '00:00:00:00:00:00' ? undefined : mac
}
