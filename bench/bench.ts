export type Setting = {
  /** The bench's own: empty, and removed afterwards. */
  readonly folder: string
  /** A tenth of everything. */
  readonly small: boolean
  /** Also what takes minutes. */
  readonly long: boolean
}
export type Bench = {
  readonly about: string
  /** Prints its figures. */
  run(setting: Setting): Promise<void>
}
