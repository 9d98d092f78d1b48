/** A token bucket for a switch's asynchronous messages: each message takes one token and its bytes. It holds one second's worth. */
export type TokenBucket = {
  messages: number
  bytes: number
  /** When it was last refilled; session time, ms. */
  at: number
  /** How often the switch emptied it. */
  throttled: number
  /** The bucket is empty: the switch is not read. */
  resting: boolean
}

export type Rate = {
  /** Asynchronous messages (not replies) a second. */
  readonly messages: number
  /** Their bytes. */
  readonly bytes: number
}

export const newTokenBucket = ({ messages, bytes }: Rate, now: number): TokenBucket => ({
  ...{ messages, bytes, at: now, throttled: 0, resting: false },
})

export function spend(pace: TokenBucket, bytes: number): void {
  pace.messages--
  pace.bytes -= bytes
}

/**
 * Refills the bucket and returns whether the switch may be read. An empty bucket must first hold a tenth of a second's
 * worth again, so that a flooding switch is not woken for each single message.
 */
export function refill(pace: TokenBucket, limits: Rate, now: number): boolean {
  const seconds = (now - pace.at) / 1000
  pace.at = now
  pace.messages = Math.min(limits.messages, pace.messages + limits.messages * seconds)
  pace.bytes = Math.min(limits.bytes, pace.bytes + limits.bytes * seconds)
  const enough = pace.resting ? 0.1 : 0
  const may = pace.messages > limits.messages * enough && pace.bytes > limits.bytes * enough
  if (!may && !pace.resting) pace.throttled++
  pace.resting = !may
  return may
}
