// A server on a free port of loopback, with everything that it tells written down.
import type { Test } from 'tap'
import type { Limits } from '../../openflow/session/limits.ts'
import { type Credentials, type Log, listen, type Server } from '../../openflow/session/server.ts'
import type { Events, Metrics, Session } from '../../openflow/session/session.ts'
import { type Behaviour, type FakeSwitch, fakeSwitch } from './fake-switch.ts'

export type Listening = {
  readonly server: Server
  readonly address: { readonly host: string; readonly port: number }
  readonly ups: readonly Session[]
  /** `<dpid>: <reason>` of every session that ended. */
  readonly downs: readonly string[]
  /** What metrics.connection() was told, in order. */
  readonly endings: readonly string[]
  /** OpenFlow errors that switches sent. */
  readonly errors: readonly string[]
  /** Resolves when `condition` holds; it is looked at every 2 ms. */
  until(condition: () => boolean): Promise<void>
  /** Lets go of all sessions in `ups`. */
  forget(): void
  /** Connects a switch. */
  connect(behaviour?: Behaviour): Promise<FakeSwitch>
  /** Connects a switch and waits until it is live. */
  live(behaviour?: Behaviour): Promise<{ readonly fake: FakeSwitch; readonly session: Session }>
}

export async function listening(
  t: Test,
  {
    limits = {},
    events = {},
    metrics = {},
    tls,
    log,
    generation,
    anyDpid,
  }: {
    readonly limits?: Partial<Limits>
    readonly events?: Partial<Events>
    readonly metrics?: Partial<Metrics>
    readonly tls?: Credentials
    readonly log?: Log
    readonly generation?: () => bigint
    readonly anyDpid?: boolean
  } = {},
): Promise<Listening> {
  const ups: Session[] = []
  const downs: string[] = []
  const endings: string[] = []
  const errors: string[] = []
  const server = await listen({
    listeners: [{ host: '127.0.0.1', port: 0, tls, ...(anyDpid && { anyDpid }) }],
    ...(log && { log }),
    ...(generation && { generation }),
    limits: { tick: 5, ...limits },
    events: {
      up(session) {
        ups.push(session)
        events.up?.(session)
      },
      down(session, reason) {
        downs.push(`${session.dpid}: ${reason}`)
        events.down?.(session, reason)
      },
      portStatus: (session, ports) => events.portStatus?.(session, ports),
      conflict: (dpid, conflict) => events.conflict?.(dpid, conflict),
      capabilities: session => events.capabilities?.(session),
      packetIn: (session, packetIn) => events.packetIn?.(session, packetIn),
      flowRemoved: (session, flowRemoved) => events.flowRemoved?.(session, flowRemoved),
    },
    metrics: {
      message: () => undefined,
      error: (type, code) => void errors.push(`${type}/${code}`),
      connection: result => void endings.push(result),
      ...metrics,
    },
  })
  t.teardown(() => server.close())
  const address = server.addresses[0]!
  const fakes: FakeSwitch[] = []
  t.teardown(() => {
    for (const fake of fakes) fake.reset()
  })
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await new Promise(resolve => setTimeout(resolve, 2))
  }
  const connect = async (behaviour: Behaviour = {}): Promise<FakeSwitch> => {
    const fake = await fakeSwitch(address, behaviour)
    fakes.push(fake)
    return fake
  }
  return {
    server,
    address,
    ups,
    downs,
    endings,
    errors,
    until,
    forget: () => void ups.splice(0),
    connect,
    async live(behaviour = {}) {
      const fake = await connect(behaviour)
      const dpid = (behaviour.dpid ?? 1n).toString(16).padStart(16, '0')
      await until(() => server.sessions().has(dpid))
      return { fake, session: server.sessions().get(dpid)! }
    },
  }
}

/** What a promise rejects with. */
export const failure = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    value => {
      throw new Error(`expected a rejection, got ${JSON.stringify(value)}`)
    },
    error => error,
  )
