import { type FlowStats, groups, meters, ports, tables } from '../index.ts'
import { apply, bundle } from './bundle.ts'
import { ask, type Connection, close, send } from './connection.ts'
import { RequestError } from './requests.ts'
import type { Features, FlowFilter, Session } from './session.ts'

/** A datapath id as we write it: 16 lower-case hex digits. */
export const dpidOf = ({ datapathId }: Features): string => datapathId.toString(16).padStart(16, '0')

/** The session of a connection whose handshake is done. */
export function liveSession(c: Connection, known: Pick<Session, 'features' | 'description' | 'can'>): Session {
  return {
    dpid: dpidOf(known.features),
    remote: c.transport.remote,
    ...known,
    role: () => c.role,
    ports: () => c.ports,
    send: message => send(c, message),
    request: message => ask(c, message),
    flows: filter => readFlows(c, known.features.nTables, filter ?? {}),
    groups: () => readGroups(c),
    meters: async () => (known.can.maxMeter === 0 ? [] : readMeters(c)),
    bundle: changes => bundle(c, changes),
    apply: changes => apply(c, changes),
    counts: () => ({
      packetInsDropped: c.packetIns.dropped,
      strayReplies: c.strayReplies,
      throttled: c.asyncBudget.throttled,
    }),
    close: reason => close(c, 'stopped', reason),
  }
}

async function readFlows(c: Connection, nTables: number, filter: FlowFilter): Promise<FlowStats[]> {
  try {
    return await readSome(c, filter)
  } catch (error) {
    if (!(error instanceof RequestError) || error.why !== 'unreadable') throw error
  }
  const found: FlowStats[] = []
  for (let tableId = 0; tableId < nTables; tableId++)
    for (const flow of await readSome(c, { ...filter, tableId })) found.push(flow)
  return found
}

async function readSome(c: Connection, filter: FlowFilter): Promise<FlowStats[]> {
  const body = {
    type: 'flow' as const,
    tableId: tables.all,
    outPort: ports.any,
    outGroup: groups.any,
    cookie: 0n,
    cookieMask: 0n,
    match: {},
    ...filter,
  }
  const reply = await ask(c, { type: 'multipart_request', flags: 0, body })
  return reply.body.type === 'flow' ? (reply.body.flows as FlowStats[]) : []
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
