/** Makes what is asked for; `key` says what. */
export type Shared = <T>(key: string, make: () => Promise<T>) => Promise<T>

/**
 * Work that several ask for at once is done once. Whoever asks while it is being done gets the next result, not this one:
 * this one may have begun before a write of which the asker was already told. So of one kind two are on their way at most.
 */
export const createShared = (): Shared => {
  const running = new Map<string, Promise<unknown>>()
  const next = new Map<string, Promise<unknown>>()
  const start = <T>(key: string, make: () => Promise<T>): Promise<T> => {
    const made = make().finally(() => running.delete(key))
    running.set(key, made)
    return made
  }
  return <T>(key: string, make: () => Promise<T>): Promise<T> => {
    const now = running.get(key)
    if (now === undefined) return start(key, make)
    const waiting = next.get(key)
    if (waiting !== undefined) return waiting as Promise<T>
    const later = now
      .catch(() => {})
      .then(() => {
        next.delete(key)
        return start(key, make)
      })
    next.set(key, later)
    return later
  }
}
