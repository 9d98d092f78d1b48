/**
 * A controller that is back is not left to wait for: Open vSwitch tries again after up to 8 s, whatever `max_backoff` says.
 * While the switch is not connected, the agent knocks at its controllers; where one opens, the target is spelled anew.
 */

import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Row } from './ovsdb/schema.ts'
import { established, placeOf } from './switch/target.ts'

type Controllers = readonly Row<'Controller'>[]

export type Reconnect = {
  /** Call after each change: `controllers` are those of the bridge now. */
  look(controllers: Controllers): void
  /** Somebody saw a controller come back: looks at once, whatever Open vSwitch believes yet. */
  hurry(): void
  close(): void
}

/** Milliseconds between two knocks. */
const pace = 500
/** Open vSwitch tells up to 5 s late that it is connected: so long nothing is done again, and longer each time. */
const rest = { first: 6_000, most: 60_000 }

/** Milliseconds of a hurry: in all, between two knocks, and from a new spelling until a connection should stand. */
const haste = { most: 5_000, pace: 100, renewed: 700 }

/** @param renew Spells the targets of these anew. */
export function watchControllers(renew: (controllers: Controllers) => Promise<void>): Reconnect {
  const now = () => performance.now()
  let controllers: Controllers = []
  let timer: NodeJS.Timeout | undefined
  let closed = false
  let patience = rest.first
  let quietUntil = 0
  let isHurrying = false
  const knock = async (): Promise<'closed' | 'stands' | 'renewed'> => {
    const open = await Promise.all(controllers.map(each => opens(each.target)))
    const there = controllers.filter((_, i) => open[i])
    if (there.length === 0) return controllers.length === 0 ? 'stands' : 'closed'
    // What the system knows is newer than what Open vSwitch has told.
    const sockets = await Promise.all(
      ['/proc/net/tcp', '/proc/net/tcp6'].map(path => readFile(path, 'utf8').catch(() => '')),
    )
    const cut = there.filter(({ target }) => !established(sockets.join('\n'), placeOf(target)!))
    if (cut.length === 0 || closed) return 'stands'
    quietUntil = now() + patience
    patience = Math.min(2 * patience, rest.most)
    await renew(cut)
    return 'renewed'
  }
  /** A device that has just come up may lose what is sent first: so not once only. */
  const hurry = async () => {
    for (const end = now() + haste.most; now() < end && !closed; ) {
      const found = await knock().catch(() => 'closed' as const)
      if (found === 'stands') return
      await sleep(found === 'renewed' ? haste.renewed : haste.pace)
    }
  }
  const again = (delay: number) => {
    clearTimeout(timer)
    if (closed || controllers.length === 0 || controllers.some(({ is_connected }) => is_connected)) return
    timer = setTimeout(
      () =>
        knock()
          .catch(() => {})
          .finally(() => again(pace)),
      Math.max(delay, quietUntil - now()),
    )
  }
  return {
    look(next) {
      const was = controllers
      controllers = next
      if (controllers.some(({ is_connected }) => is_connected)) patience = rest.first
      if (was.length !== next.length || was.some((one, i) => one.is_connected !== next[i]?.is_connected)) again(pace)
    },
    hurry() {
      if (isHurrying) return
      isHurrying = true
      void hurry().finally(() => {
        isHurrying = false
      })
    },
    close() {
      closed = true
      clearTimeout(timer)
    },
  }
}

const opens = (target: string): Promise<boolean> =>
  new Promise(resolve => {
    const place = placeOf(target)
    if (!place) return resolve(false)
    const socket = connect({ ...place, timeout: 400 })
    const answer = (yes: boolean) => () => {
      socket.destroy()
      resolve(yes)
    }
    socket.on('connect', answer(true)).on('error', answer(false)).on('timeout', answer(false))
  })
