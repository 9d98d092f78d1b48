// The items of an address, from a pattern: they differ from those of another address at the same place in the address alone. So the
// rule is asked once for a place, and its bytes are filled in for each address.
import { made, ofAddress } from './compile.ts'
import { flowOf, type Item, keyOfForm } from './item.ts'
import type { Address, LocalNetwork } from './local-network.ts'

/** What a network holds of an address on one switch: what `ofAddress` makes. */
export type AddressItems = (local: LocalNetwork, address: Address) => readonly Item[]

/** A form in two parts, between which the address goes. */
type Pattern = {
  readonly owner: number
  readonly before: string
  readonly after: string
  /** Length of the key, which has the address in it. */
  readonly key: number
}
/** `undefined`: the items are more than patterns, so the rule is asked for each. */
type Patterns = readonly Pattern[] | undefined

/** An address as six letters of one byte each, as it stands in a form. */
const macBytes = (mac: string): string =>
  String.fromCharCode(byteAt(mac, 0), byteAt(mac, 3), byteAt(mac, 6), byteAt(mac, 9), byteAt(mac, 12), byteAt(mac, 15))
const byteAt = (text: string, at: number): number => (digit(text.charCodeAt(at)) << 4) | digit(text.charCodeAt(at + 1))
/** Of a hex digit: 0-9, a-f or A-F. */
const digit = (code: number): number => (code & 15) + (code >> 6) * 9

/** Stands for any address: no other part of an entry has these bytes. */
const example = '02:c7:1d:9a:e3:56'
const exampleBytes = macBytes(example)

/** So many patterns are kept, of all networks together. */
const most = 10_000

export function addressItems(): AddressItems {
  let kept = new WeakMap<LocalNetwork, Map<string, Patterns>>()
  let count = 0
  const patternsOf = (local: LocalNetwork, address: Address): Patterns => {
    let here = kept.get(local)
    const place = placeOf(local, address)
    const known = here?.get(place)
    if (known || here?.has(place)) return known
    if (++count > most) {
      kept = new WeakMap()
      here = undefined
      count = 1
    }
    if (!here) kept.set(local, (here = new Map()))
    const found = patterns(made(ofAddress(local, { ...address, mac: example })))
    here.set(place, found)
    return found
  }
  return (local, address) => {
    const found = patternsOf(local, address)
    if (!found) return made(ofAddress(local, address))
    const bytes = macBytes(address.mac)
    return found.map(({ owner, before, after, key }) => {
      const form = before + bytes + after
      return flowOf(owner, form, form.slice(0, key))
    })
  }
}

/** What beside the address itself its items are made from. */
const placeOf = (local: LocalNetwork, { dpid, port, learned, watched }: Address): string => {
  const kind = learned ? 'learned ' : 'pinned '
  return dpid === local.dpid ? `${kind}${port}${watched ? ' watched' : ''}` : kind + dpid
}

function patterns(items: readonly Item[]): Patterns {
  const found: Pattern[] = []
  for (const { kind, form, owner } of items) {
    const at = form.indexOf(exampleBytes)
    if (kind !== 'flow' || at === -1 || at !== form.lastIndexOf(exampleBytes)) return undefined
    const key = keyOfForm(form).length
    if (at >= key) return undefined
    found.push({ owner, before: form.slice(0, at), after: form.slice(at + exampleBytes.length), key })
  }
  return found
}
