import { meters } from '../index.ts'
import { apply, bundle } from './bundle.ts'
import { askCapabilities } from './capabilities.ts'
import { ask, type Connection, close, send } from './connection.ts'
import { decodeFlows, readFlows } from './flow-reading.ts'
import { rereadSoon } from './port-watch.ts'
import type { Features, Session } from './session.ts'

/** A datapath id as we write it: 16 lower-case hex digits. */
export const dpidOf = ({ datapathId }: Features): string => datapathId.toString(16).padStart(16, '0')

/** The session of a connection whose handshake is done. */
export function liveSession(c: Connection, known: Pick<Session, 'features' | 'description'>): Session {
  const dpid = dpidOf(known.features)
  const of = { dpid, swDesc: known.description.swDesc, nTables: known.features.nTables }
  return {
    dpid,
    remote: c.transport.remote,
    ...known,
    get can() {
      return c.can
    },
    role: () => c.role,
    ports: () => c.ports,
    send: message => send(c, message),
    request: message => ask(c, message),
    readFlows: filter => readFlows(c, of, filter ?? {}),
    flows: async filter => decodeFlows(c, await readFlows(c, of, filter ?? {})),
    groups: () => readGroups(c),
    meters: async () => (c.can.maxMeter === 0 ? [] : readMeters(c)),
    bundle: changes => bundle(c, changes),
    apply: changes => apply(c, changes),
    refresh: what => refresh(c, what),
    counts: () => ({
      packetInsDropped: c.packetIns.dropped,
      strayReplies: c.strayReplies,
      throttled: c.asyncBudget.throttled,
      unreadable: c.unreadable,
    }),
    close: reason => close(c, 'stopped', reason),
  }
}

function refresh(c: Connection, what: 'ports' | 'capabilities'): void {
  if (what === 'ports') rereadSoon(c)
  else {
    // While it is asked it keeps the capabilities that it had.
    c.can = { ...c.can, unknown: [] }
    // It rejects when the connection ends, which is notified otherwise.
    askCapabilities(c).catch(() => undefined)
  }
}

async function readGroups(c: Connection): ReturnType<Session['groups']> {
  const reply = await ask(c, { type: 'multipart_request', flags: 0, body: { type: 'group_desc' } })
  return reply.body.type === 'group_desc' ? [...reply.body.groups] : []
}

async function readMeters(c: Connection): ReturnType<Session['meters']> {
  const body = { type: 'meter_config', meterId: meters.all } as const
  const reply = await ask(c, { type: 'multipart_request', flags: 0, body })
  return reply.body.type === 'meter_config' ? [...reply.body.meters] : []
}
