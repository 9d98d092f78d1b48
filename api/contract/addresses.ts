/** Addresses of nodes: one spelling for each, and which ones can not be reached by other nodes. Pure. */

/** One spelling for each address. */
export const canonicalAddress = (address: string): string => {
  if (!address.includes(':')) return address
  const text = `http://[${address}]/`
  return URL.canParse(text) ? new URL(text).hostname.slice(1, -1) : address
}

/** Why no other node can reach this one at an address, and what to do; undefined if it may. */
export const unusableAddress = (address: string): string | undefined => {
  const plain = canonicalAddress(address)
  const declare = 'declare the node with the address at which other nodes reach it'
  if (/^127\./.test(plain) || plain === '::1')
    return `${address} is a loopback address, which no other node reaches: ${declare}`
  if (/^fe[89ab]/.test(plain) || /^169\.254\./.test(plain))
    return `${address} is a link-local address, which means another machine on each link: ${declare}`
  if (/^(0\.|22[4-9]\.|23\d\.|24\d\.|25\d\.|ff)/.test(plain) || plain === '::')
    return `${address} is not the address of one machine: ${declare}`
  return undefined
}
