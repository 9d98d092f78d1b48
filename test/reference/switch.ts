// An OpenFlow 1.3 switch as data: what it holds, and what kind of switch it is.
import { type GroupMod, type Message, type MeterMod, type PortDesc, portState } from '../../openflow/index.ts'
import { type Entry, newTable, put, remove, type Table } from './table.ts'

export type Kind = {
  /** In `desc`, so that a controller can tell. */
  readonly mfrDesc: string
  readonly hwDesc: string
  readonly swDesc: string
  /** ONF bundles (experimenter 0x4f4e4600, extension 230). */
  readonly bundles: boolean
  /** Nicira's fields, actions and messages (experimenter 0x2320). */
  readonly nicira: boolean
  readonly nTables: number
  /** Flows that fit into one table; more are TABLE_FULL. */
  readonly tableSize: number
  readonly maxGroups: number
  readonly maxMeter: number
  /** Meters without a burst size are given, and then say, one of their rate. */
  readonly fillsBurst: boolean
  /** How many VLAN tags it sees; the rest is payload to it. */
  readonly vlanLimit: number
  /** How many tags it can hold; a push beyond them is refused where it is certain, else it costs a tag. */
  readonly mostTags: number
  /** §5.12.1: a pushed tag takes VID and priority from the one below. Open vSwitch starts it at 0. */
  readonly pushInherits: boolean
  /** A bucket's set-field of a VID that is not there (no match forbids it): Open vSwitch pushes a tag, else nothing. */
  readonly vidMakesTag: boolean
  /** A miss drops the frame (§5.4). Open vSwitch still executes the action set that was written before. */
  readonly missExecutesSet: boolean
  /** §6.4 to the letter: an entry overlaps itself. Open vSwitch: CHECK_OVERLAP lets an identical entry be replaced. */
  readonly overlapsItself: boolean
  /** Copies of one frame into tunnels; what is beyond is silently lost (seen on Open vSwitch 3.1). */
  readonly tunnelCopies: number
}

/** Open vSwitch 3.1 with OpenFlow 1.3. */
export const openVSwitch: Kind = {
  mfrDesc: 'Nicira, Inc.',
  hwDesc: 'Open vSwitch',
  swDesc: '3.1.0',
  bundles: true,
  nicira: true,
  nTables: 254,
  tableSize: 1_000_000,
  maxGroups: 0xffffff00,
  maxMeter: 0x40000,
  fillsBurst: true,
  vlanLimit: 1,
  mostTags: 2,
  pushInherits: false,
  vidMakesTag: true,
  missExecutesSet: true,
  overlapsItself: false,
  tunnelCopies: 780,
}
/** What the specification asks for, and no extension. */
export const plainHardware: Kind = {
  mfrDesc: 'Reference',
  hwDesc: 'OpenFlow 1.3.5, no extensions',
  swDesc: '1',
  bundles: false,
  nicira: false,
  nTables: 8,
  tableSize: 4096,
  maxGroups: 4096,
  maxMeter: 256,
  fillsBurst: false,
  vlanLimit: Number.POSITIVE_INFINITY,
  mostTags: Number.POSITIVE_INFINITY,
  pushInherits: true,
  vidMakesTag: false,
  missExecutesSet: false,
  overlapsItself: true,
  tunnelCopies: Number.POSITIVE_INFINITY,
}

export type Port = {
  desc: PortDesc
  /** A tunnel: what it sends carries tunnel_id. The addresses stand in packet-ins as tun_src and tun_dst. */
  readonly tunnel?: { readonly remote?: string; readonly local?: string }
}
export type Group = Pick<GroupMod, 'groupType' | 'groupId' | 'buckets'>
export type Meter = Pick<MeterMod, 'flags' | 'meterId' | 'bands'>
/** Of a meter: frames that passed it, and (set by a test: it lets everything pass) those that it dropped. */
export type Metered = { packets: bigint; dropped: bigint }
export type Bundle = { readonly flags: number; readonly messages: Message[]; closed: boolean }
/** A frame that leaves by a port; `tunnelId` is 0 but for tunnels. */
export type Output = { readonly port: number; readonly tunnelId: bigint; readonly frame: Buffer }

export type Switch = {
  readonly kind: Kind
  readonly dpid: bigint
  readonly ports: Map<number, Port>
  readonly tables: Map<number, Table>
  readonly groups: Map<number, Group>
  readonly meters: Map<number, Meter>
  readonly metered: Map<number, Metered>
  readonly bundles: Map<number, Bundle>
  /** Seconds; moved on by `advance`. */
  now: number
  missSendLen: number
  role: 'equal' | 'master' | 'slave'
  generationId: bigint | undefined
  /** What PACKET_OUTs made leave by ports. Whoever joins switches takes it from here. */
  readonly sent: Output[]
  /** While a bundle is committed: how to take back each change, in order. */
  undo: (() => void)[] | undefined
}

export type Given = {
  readonly dpid: bigint | string
  readonly ports?: readonly number[]
  readonly tunnels?: readonly number[]
  readonly kind?: Partial<Kind>
}

/** A switch with empty tables. `dpid` as a number or 16 hex digits; `ports` and `tunnels` by number, all up. */
export function newSwitch({ dpid, ports = [], tunnels = [], kind = {} }: Given): Switch {
  const made: Switch = {
    kind: { ...openVSwitch, ...kind },
    dpid: typeof dpid === 'bigint' ? dpid : BigInt(`0x${dpid}`),
    ports: new Map(),
    tables: new Map(),
    groups: new Map(),
    meters: new Map(),
    metered: new Map(),
    bundles: new Map(),
    now: 0,
    missSendLen: 128,
    role: 'equal',
    generationId: undefined,
    sent: [],
    undo: undefined,
  }
  for (const portNo of ports) made.ports.set(portNo, { desc: portDesc(portNo) })
  for (const portNo of tunnels) made.ports.set(portNo, { desc: portDesc(portNo), tunnel: {} })
  return made
}

const hex = (n: number, digits: number): string => n.toString(16).padStart(digits, '0')

/** A port that is up, at 10 Gbit/s. */
export const portDesc = (portNo: number, given: Partial<PortDesc> = {}): PortDesc => ({
  portNo,
  hwAddr: `0e:00:${hex(portNo, 8).match(/../g)!.join(':')}`,
  name: `port${portNo}`,
  config: 0,
  state: portState.live,
  curr: 0,
  advertised: 0,
  supported: 0,
  peer: 0,
  currSpeed: 10_000_000,
  maxSpeed: 10_000_000,
  ...given,
})

/** Table `id`, made when it is first written to. */
export function tableOf(sw: Switch, id: number): Table {
  let table = sw.tables.get(id)
  if (!table) sw.tables.set(id, (table = newTable()))
  return table
}

// Every change of what a bundle may change goes through these, so that it can be taken back.

export function putEntry(sw: Switch, entry: Entry, replaced: Entry | undefined): void {
  put(tableOf(sw, entry.tableId), entry)
  sw.undo?.push(() =>
    replaced ? put(tableOf(sw, entry.tableId), replaced) : remove(tableOf(sw, entry.tableId), entry),
  )
}
export function removeEntry(sw: Switch, entry: Entry): void {
  remove(tableOf(sw, entry.tableId), entry)
  sw.undo?.push(() => put(tableOf(sw, entry.tableId), entry))
}
export function putGroup(sw: Switch, group: Group): void {
  const replaced = sw.groups.get(group.groupId)
  sw.groups.set(group.groupId, group)
  sw.undo?.push(() => (replaced ? sw.groups.set(group.groupId, replaced) : sw.groups.delete(group.groupId)))
}
export function removeGroup(sw: Switch, group: Group): void {
  sw.groups.delete(group.groupId)
  sw.undo?.push(() => sw.groups.set(group.groupId, group))
}
