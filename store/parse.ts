/** Text from outside to what the store keeps; undefined when it is none. */

/** 1 to 317 characters of `A-Z a-z 0-9 . _ : -`, but not `.` or `..`, which a URL's path would swallow. */
export const parseNetworkId = (text: string): string | undefined =>
  /^[A-Za-z0-9._:-]{1,317}$/.test(text) && text !== '.' && text !== '..' ? text : undefined

/** 1 to 253 characters of `A-Z a-z 0-9 . _ -`, but not `.` or `..`: what Kubernetes calls a node, and more. */
export const parseNodeName = (text: string): string | undefined =>
  /^[A-Za-z0-9._-]{1,253}$/.test(text) && text !== '.' && text !== '..' ? text : undefined

/** The address of one machine, IPv4 or IPv6, without a prefix length: in its one spelling (RFC 5952). */
export const parseAddress = (text: string): string | undefined => {
  if (isIpv4(text)) return /^(0|22[4-9]|23[0-9]|2[45][0-9])\./.test(text) ? undefined : text
  if (!isIpv6(text)) return undefined
  const address = new URL(`http://[${text}]/`).hostname.slice(1, -1)
  return address === '::' || address.startsWith('ff') ? undefined : address
}

/** Digits, so not the name of a port; which numbers there are, parsePort says. */
export const isPortNumber = (text: string): boolean => /^[0-9]+$/.test(text)

/** IPv4 or IPv6 (RFC 4291 §2.2), with or without a prefix length; as given. Zones (`%eth0`) are refused. */
export const parseIp = (text: string): string | undefined => {
  const parts = /^([^/]{1,45})(?:\/(0|[1-9][0-9]{0,2}))?$/.exec(text)
  if (!parts) return undefined
  const bits = isIpv4(parts[1]!) ? 32 : isIpv6(parts[1]!) ? 128 : -1
  return Number(parts[2] ?? 0) <= bits ? text : undefined
}

// What is longer than an address can be is not taken apart: it may be as long as a body.
const longestIpv4 = '255.255.255.255'.length
const longestIpv6 = 'ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255'.length

const isIpv4 = (text: string): boolean => {
  if (text.length > longestIpv4) return false
  const bytes = text.split('.')
  return bytes.length === 4 && bytes.every(byte => /^(0|[1-9][0-9]{0,2})$/.test(byte) && Number(byte) <= 255)
}

const isIpv6 = (text: string): boolean => {
  if (text.length > longestIpv6) return false
  const halves = text.split('::')
  if (halves.length > 2) return false
  const groups = halves.flatMap(half => (half === '' ? [] : half.split(':')))
  const last = groups.at(-1) ?? ''
  // An IPv4 address may stand for the last two groups.
  const embedded = last.includes('.') && text.endsWith(last) && isIpv4(last)
  const plain = embedded ? groups.slice(0, -1) : groups
  const count = plain.length + (embedded ? 2 : 0)
  return plain.every(group => /^[0-9a-f]{1,4}$/i.test(group)) && (halves.length === 2 ? count <= 7 : count === 8)
}

/** A VLAN that frames may be in: 0 says that there is none, and 4095 is reserved (IEEE 802.1Q §9.6). */
export const isVlan = (vlan: number): boolean => Number.isInteger(vlan) && vlan >= 1 && vlan <= 4094
