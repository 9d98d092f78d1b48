// Which addresses a port may send from, as its attachment says.
import { contains, linkLocalOf, type Prefix, parsePrefix, parseSource } from '../../store/prefix.ts'
import type { Attachment } from '../../store/state.ts'

/** One MAC of a port, and the addresses that go with it. */
export type Sender = {
  readonly mac: string
  /** Whose ARP and neighbour discovery it may send; none of them holds another. Its own link-local address is always there. */
  readonly owned: readonly Prefix[]
  /**
   * What its IP packets may come from: those, and of another MAC than the attachment's the attachment's own addresses too. (A VRRP router
   * sends its advertisements from the virtual MAC and its own address: RFC 9568 §7.2.)
   */
  readonly sources: readonly Prefix[]
  /** The one of `owned` that holds the link-local address of the MAC. */
  readonly linkLocal: Prefix
}
type Declared = Pick<Attachment, 'mac' | 'ips' | 'allowedAddresses'>

/** The attachment's own MAC first. None without one. */
export function sendersOf({ mac, ips = [], allowedAddresses = [] }: Declared): readonly Sender[] {
  if (mac === undefined) return []
  const own = ips.flatMap(ip => parseSource(ip) ?? [])
  const allowed = (of: string) =>
    allowedAddresses.flatMap(each => ((each.mac ?? mac) === of ? (parsePrefix(each.ip) ?? []) : []))
  return [mac, ...otherMacs({ mac, allowedAddresses })].map(of => {
    const local = linkLocalOf(of)
    const owned = maximal([...(of === mac ? own : []), ...allowed(of), local])
    const sources = of === mac ? owned : maximal([...owned, ...own, linkLocalOf(mac)])
    return { mac: of, owned, sources, linkLocal: owned.find(one => contains(one, local))! }
  })
}

/** MACs that the port may use besides its own. */
export const otherMacs = ({ mac, allowedAddresses = [] }: Declared): readonly string[] => [
  ...new Set(allowedAddresses.flatMap(each => (each.mac === undefined || each.mac === mac ? [] : [each.mac]))),
]

/** Without those that another one holds: two entries of one priority never match one frame. */
const maximal = (all: readonly Prefix[]): readonly Prefix[] =>
  all.filter((one, i) => !all.some((other, j) => i !== j && contains(other, one) && (!contains(one, other) || j < i)))
