/** An entry with this value, or none. */
export const put = <K, V>(map: Map<K, V>, key: K, value: V | undefined): void => {
  value === undefined ? map.delete(key) : map.set(key, value)
}
