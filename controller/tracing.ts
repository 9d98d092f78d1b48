// A trace as it is asked for: on what switches are to hold, on what they hold now, or both.
import type { DatapathId, PortNo } from '../topology/topology.ts'
import { type DataPlanes, dataPlane } from './data-planes.ts'
import type { DataPlane, PlaneSwitch } from './proof/data-plane.ts'
import { frameOf } from './proof/frame.ts'
import { openVSwitch, packetOf } from './proof/packet.ts'
import { type Arrival, type End, type Trace, traceSteps, type Visit } from './proof/trace.ts'
import { flowWords, groupWords, ownerWords, packetWords, purposeOf, tableName } from './proof/words.ts'
import { readBack } from './read-back.ts'
import { slices } from './switch/slices.ts'
import type {
  BadQuestion,
  CopyView,
  EndView,
  StepView,
  TraceAnswer,
  TraceQuestion,
  TraceView,
  VisitView,
} from './view/trace.ts'

export async function answerTrace(parts: DataPlanes, asked: TraceQuestion): Promise<TraceAnswer | BadQuestion> {
  const frame = typeof asked.frame === 'string' ? hexFrame(asked.frame) : frameOf(asked.frame)
  if (!Buffer.isBuffer(frame)) return frame
  const { dpid, port, vni } = asked
  const start: Arrival = { dpid, port, frame, ...(vni !== undefined && { tunnelId: BigInt(vni) }) }
  const kinds = asked.tables === 'both' ? (['held', 'desired'] as const) : [asked.tables]
  const traces: TraceView[] = []
  for (const tables of kinds) {
    const { plane, trace, unread } = await traceOn(parts, tables, start)
    traces.push(traceView(plane, trace, unread))
  }
  const packet = packetOf(frame, openVSwitch, new Map([['in_port', BigInt(port)]]))
  const [one, other] = traces.map(trace => [...trace.ends].sort().join('\n'))
  return {
    revision: parts.store.state().revision,
    ...{ frame: frame.toString('hex'), words: packet ? packetWords(packet) : 'no Ethernet frame', traces },
    ...(traces.length > 1 && { differ: one !== other }),
  }
}

const hexFrame = (text: string): Buffer | BadQuestion =>
  /^([0-9a-fA-F]{2}){14,9216}$/.test(text)
    ? Buffer.from(text, 'hex')
    : { where: 'frame', got: text.slice(0, 40), expected: 'an Ethernet frame of 14 to 9,216 bytes, in hex' }

export type Followed = { readonly plane: DataPlane; readonly trace: Trace; readonly unread: readonly DatapathId[] }

/** Follows a frame. Of `held`, each switch that it comes to is read when it comes there. */
export async function traceOn(parts: DataPlanes, tables: DataPlane['tables'], start: Arrival): Promise<Followed> {
  const known = dataPlane(parts, tables)
  const switches = new Map<DatapathId, PlaneSwitch>(known.switches)
  const plane: DataPlane = { ...known, switches }
  const unread: DatapathId[] = []
  const slice = slices()
  const steps = traceSteps(plane, start)
  for (;;) {
    const step = steps.next()
    if (step.done) return { plane, trace: step.value, unread }
    const sw = step.value === undefined ? undefined : parts.switches.get(step.value)
    if (!sw || tables === 'desired') {
      await slice()
      continue
    }
    const items = await readBack(sw)
    if (items)
      switches.set(sw.dpid, {
        ...switches.get(sw.dpid)!,
        items: (owner?: number) => items.filter(i => owner === undefined || i.owner === owner),
      })
    else unread.push(sw.dpid)
  }
}

function traceView(plane: DataPlane, { visits, isWhole }: Trace, unread: readonly DatapathId[]): TraceView {
  const doubts = visits.some(
    ({ steps, unknown }) => unknown !== undefined || steps.some(step => step.doubts.length > 0),
  )
  return {
    ...{ tables: plane.tables, unread },
    visits: visits.map(visit => visitView(plane, visit)),
    ends: visits.flatMap(visit => endsOf(plane, visit)),
    certain: isWhole && !doubts,
  }
}

const nameOf = (plane: DataPlane, dpid: DatapathId, port: PortNo) => plane.switches.get(dpid)?.ports.get(port)?.name
const named = (name: string | undefined) => (name === undefined ? {} : { portName: name })

function visitView(plane: DataPlane, visit: Visit): VisitView {
  const { dpid, port, tunnelId, frame, from, steps, copies, unknown } = visit
  const dropped = droppedWords(visit)
  const groups = new Set(copies.flatMap(copy => copy.groups.map(({ group }) => group)))
  return {
    ...{ dpid, port, ...named(nameOf(plane, dpid, port)) },
    ...(tunnelId !== undefined && { vni: Number(tunnelId) }),
    frame: frame.toString('hex'),
    ...(from && { from }),
    steps: steps.map(step => stepView(plane, step)),
    groups: [...(plane.switches.get(dpid)?.items() ?? [])].flatMap(item =>
      item.kind === 'group' && groups.has(item.id) ? [groupWords(item)] : [],
    ),
    copies: copies.map((copy): CopyView => {
      const { step, groups, port, packet, meter, end } = copy
      const vni = packet.pipeline.get('tunnel_id') ?? 0n
      return {
        ...{ step, groups },
        ...(end.is !== 'controller' && { port, ...named(nameOf(plane, dpid, port)) }),
        ...(end.is === 'link' && vni > 0n && { vni: Number(vni) }),
        frame: packet.bytes.toString('hex'),
        ...(meter !== undefined && { meter }),
        end: endView(end),
      }
    }),
    ...(dropped !== undefined && { dropped }),
    ...(unknown !== undefined && { unknown }),
  }
}

function stepView(plane: DataPlane, { table, flow, packet, notes, doubts }: Visit['steps'][number]): StepView {
  const name = tableName(table)
  const common = { table, ...(name !== undefined && { tableName: name }), frame: packetWords(packet), notes, doubts }
  if (!flow) return { ...common, why: 'no entry of this table takes the frame: it is dropped' }
  const purpose = purposeOf(flow)
  const network = flow.owner > 0 ? plane.network(flow.owner)?.id : undefined
  return {
    ...{ ...common, entry: flowWords(flow), owner: ownerWords(plane, flow.owner) },
    ...(network !== undefined && { network }),
    ...(purpose && { rule: purpose.rule }),
    why:
      purpose?.why ??
      (flow.owner < 0
        ? 'Not ours: another controller, or somebody by hand, has put it there.'
        : 'An entry of ours that this version does not know.'),
  }
}

function endView(end: End): EndView {
  if (end.is !== 'port') return end
  const uses = end.uses.map(({ network, is, member }) => ({
    network,
    is,
    ...(member?.name !== undefined && { name: member.name }),
  }))
  return { is: 'port', uses }
}

/** Where no copy left a switch: what dropped the frame. */
function droppedWords({ dpid, steps, copies, unknown }: Visit): string | undefined {
  if (copies.length > 0 || unknown !== undefined) return undefined
  const last = steps.at(-1)
  if (!last) return `dropped by switch ${dpid}: it is no Ethernet frame`
  const table = `table ${last.table}${tableName(last.table) ? ` (${tableName(last.table)})` : ''}`
  if (!last.flow) return `dropped by switch ${dpid}: no entry of ${table} takes it`
  return `dropped by switch ${dpid} in ${table}: ${flowWords(last.flow)}`
}

/** A sentence for each copy that ended at this switch, and for what it dropped. */
function endsOf(plane: DataPlane, visit: Visit): readonly string[] {
  const { dpid, copies, unknown } = visit
  const dropped = droppedWords(visit)
  const own = [...(dropped === undefined ? [] : [dropped]), ...(unknown === undefined ? [] : [unknown])]
  return [...own, ...copies.flatMap(({ port, end }) => endWords(plane, dpid, port, end))]
}

function endWords(plane: DataPlane, dpid: DatapathId, port: PortNo, end: End): readonly string[] {
  const name = nameOf(plane, dpid, port)
  const where = `port ${port}${name === undefined ? '' : ` (${name})`} of switch ${dpid}`
  switch (end.is) {
    case 'link':
      return []
    case 'port': {
      const uses = end.uses.map(
        ({ network, is, member }) =>
          `${is === 'member' ? '' : `${is} of `}network ${network}${member?.name === undefined ? '' : `, ${member.name}`}`,
      )
      return [`out of ${where}: ${uses.join('; ') || 'of no network'}`]
    }
    case 'controller':
      return [`a copy to the controller, from switch ${dpid}`]
    case 'local':
      return [`to the machine of switch ${dpid} (LOCAL)`]
    case 'lost':
      return [`lost: ${end.why}`]
    case 'loop':
      return [`a loop: out of ${where} it comes where it has been before`]
  }
}
