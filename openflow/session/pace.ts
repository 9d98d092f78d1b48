/** What a switch may still say unasked: messages and bytes. Both grow with time up to what it may say in a second, and shrink as it speaks. */
export type Pace = {
  messages: number
  bytes: number
  /** When they last grew; session time, ms. */
  at: number
  /** How often the switch had used them up. */
  throttled: number
  /** It has, and is not listened to. */
  resting: boolean
}

export type PaceLimits = {
  /** Messages a second that are not answers to us. */
  readonly messages: number
  /** Their bytes. */
  readonly bytes: number
}

export const newPace = ({ messages, bytes }: PaceLimits, now: number): Pace => ({
  ...{ messages, bytes, at: now, throttled: 0, resting: false },
})

export function spend(pace: Pace, bytes: number): void {
  pace.messages--
  pace.bytes -= bytes
}

/**
 * Whether the switch may be listened to. One that has used up its share rests until a tenth of a second's is there
 * again, so that it is not looked at for each single message.
 */
export function mayGoOn(pace: Pace, limits: PaceLimits, now: number): boolean {
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
