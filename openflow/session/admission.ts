/**
 * Who may stay while it is not known yet who they are: connections before the end of their handshake. There are at most so
 * many, in all and from one address. Who comes when it is full pushes out an idle one: of the address that has most, the
 * one that connected first and has not said a word; else the one that connected first.
 */
export type Admission<T> = {
  /** Takes a newcomer, and returns who has to go for it. */
  enter(item: T, address: string): T | undefined
  /** It has said something. */
  heard(item: T): void
  /** It is known now, or gone. */
  leave(item: T): void
  /** Who would go next; undefined: nobody is here. */
  idlest(): T | undefined
}

type Crowd<T> = { readonly silent: Set<T>; readonly heard: Set<T> }

export function admission<T>(limits: {
  readonly handshakes: number
  readonly handshakesPerAddress: number
}): Admission<T> {
  const crowds = new Map<string, Crowd<T>>()
  const addresses = new Map<T, string>()
  const sizeOf = ({ silent, heard }: Crowd<T>) => silent.size + heard.size

  function leave(item: T): void {
    const address = addresses.get(item)
    if (address === undefined) return
    addresses.delete(item)
    const crowd = crowds.get(address)!
    crowd.silent.delete(item)
    crowd.heard.delete(item)
    if (sizeOf(crowd) === 0) crowds.delete(address)
  }

  /** The first of a crowd. A Set keeps the order in which its members came. */
  const first = ({ silent, heard }: Crowd<T>): T | undefined =>
    (silent.size > 0 ? silent : heard).values().next().value as T | undefined

  const largest = (): Crowd<T> | undefined => {
    let found: Crowd<T> | undefined
    for (const crowd of crowds.values()) if (found === undefined || sizeOf(crowd) > sizeOf(found)) found = crowd
    return found
  }

  return {
    enter(item, address) {
      const crowd = crowds.get(address)
      const full =
        crowd !== undefined && sizeOf(crowd) >= limits.handshakesPerAddress
          ? crowd
          : addresses.size >= limits.handshakes
            ? largest()
            : undefined
      const out = full && first(full)
      if (out !== undefined) leave(out)
      const mine = crowds.get(address) ?? { silent: new Set(), heard: new Set() }
      crowds.set(address, mine)
      mine.silent.add(item)
      addresses.set(item, address)
      return out
    },
    heard(item) {
      const crowd = crowds.get(addresses.get(item) ?? '')
      if (crowd?.silent.delete(item)) crowd.heard.add(item)
    },
    leave,
    idlest() {
      const crowd = largest()
      return crowd && first(crowd)
    },
  }
}
