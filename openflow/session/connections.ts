import { type Connection, type Context, close, type Hooks, newConnection } from './connection.ts'
import { tick } from './deadlines.ts'
import { type Entrance, newEntrance, type Wire } from './entrance.ts'
import { work } from './frames.ts'
import { sendHello } from './handshake.ts'
import type { Transport } from './outbox.ts'
import type { Registry } from './registry.ts'
import { roundRobin } from './round-robin.ts'

/** All connections of a server, live or not, worked on in turn. */
export type Connections<W extends Wire> = Pick<Entrance<W>, 'admit'> & {
  /** Takes a switch's connection, of which `wire` is the TCP part, and greets it. */
  accept(transport: Transport, wire: W): Connection
  tick(): void
  close(): void
}

/** `later`: calls back when the event loop has done everything else that waits. */
export function newConnections<W extends Wire>(
  context: Omit<Pick<Connection, Context>, 'hooks'>,
  registry: Registry,
  later: (go: () => void) => void,
): Connections<W> {
  const all = new Map<Connection, W>()
  const entrance = newEntrance<W>(context.limits)
  const turns = roundRobin({ work, exact: context.clock.exact, later, slice: 1, budget: 5 })
  const hooks: Hooks = {
    ...registry.hooks,
    busy: turns.add,
    heard: connection => entrance.heard(all.get(connection)!),
    claim(connection, session) {
      void registry.claim(connection, session).then(() => {
        if (connection.state.is === 'live') entrance.leave(all.get(connection)!)
      })
    },
    ended(connection, was, ending, reason) {
      entrance.leave(all.get(connection)!)
      all.delete(connection)
      turns.remove(connection)
      registry.hooks.ended(connection, was, ending, reason)
    },
  }
  let serial = 0
  return {
    admit: entrance.admit,
    accept(transport, wire) {
      // Multiples of the golden ratio fall evenly between 0 and 1.
      const phase = (serial++ * 0.618034) % 1
      const connection = newConnection(transport, { ...context, hooks }, phase)
      all.set(connection, wire)
      entrance.accepted(wire, words => close(connection, 'too_many', words))
      sendHello(connection)
      return connection
    },
    tick() {
      for (const connection of all.keys()) tick(connection)
    },
    close() {
      for (const connection of [...all.keys()]) close(connection, 'stopped', 'the controller stops')
    },
  }
}
