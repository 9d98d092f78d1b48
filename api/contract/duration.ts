const units = { ms: 1, s: 1000 } as const

/** The longest that a request waits, in milliseconds. */
export const longestWait = 60_000

/** What is allowed, in words. */
export const durationWords = 'a time such as 500ms or 5s, up to 60s'

/** `500ms`, `5s`: in milliseconds, up to longestWait. Undefined for anything else. */
export const duration = (text: string): number | undefined => {
  const [, digits, unit] = /^(\d{1,5})(ms|s)$/.exec(text) ?? []
  if (!digits || !unit) return undefined
  const milliseconds = Number(digits) * units[unit as keyof typeof units]
  return milliseconds <= longestWait ? milliseconds : undefined
}
