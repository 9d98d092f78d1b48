// Between a controller and a real bridge of Open vSwitch, and to the controller no Open vSwitch: a plain OpenFlow 1.3 switch
// with the habits of those that we have seen. The frames are forwarded by the real thing; what it may be told is less.
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { decode, encode, framing, type Message, type MessageOf } from '../../openflow/index.ts'
import { extensionIn } from './extension.ts'

/** What it is. Defaults: eight tables, 34 bits of metadata and more, 4,096 groups, a controller meter, no bad habits. */
export type Model = {
  readonly tables?: number
  /** What its tables match and write of metadata. */
  readonly metadata?: bigint
  /** More are OUT_OF_GROUPS. */
  readonly groups?: number
  /** False: METER_MODs and meter questions are BAD_TYPE and BAD_MULTIPART. */
  readonly meters?: boolean
  /** A PORT_STATUS comes in two, the first with what was true before. */
  readonly staleStatus?: boolean
}

export type Plain = {
  readonly port: number
  /** Everything that the controller told it, in all connections, by type; a multipart request with what it asks for. */
  readonly told: readonly string[]
  /** Extensions that it was told although it had said, in this connection, that it has none. Must stay empty. */
  readonly violations: readonly string[]
  /** Group ids that it holds. */
  readonly groups: ReadonlySet<number>
  /** The next so many answers to barriers are lost. */
  loseBarriers(count: number): void
  /** Changed by a test while it runs. */
  model: Model
  close(): Promise<void>
}

type Link = { readonly toController: Socket; readonly toBridge: Socket; readonly asked: Map<string, number> }

/** Errors (§7.4.4): type and code. */
const outOfGroups = [6, 3] as const
const badType = [1, 1] as const
const badMultipart = [1, 2] as const

/** Listens on `host` for one bridge, and connects to the controller at `host`:`controllerPort` in its place. */
export async function openPlain(host: string, controllerPort: number, first: Model = {}): Promise<Plain> {
  const told: string[] = []
  const violations: string[] = []
  const groups = new Set<number>()
  const links = new Set<Link>()
  let lost = 0
  const plain = { model: first }

  /** What goes on to the bridge; undefined: it was answered here. */
  const fromController = (link: Link, bytes: Buffer): Buffer | undefined => {
    const refuse = (type: number, code: number) => {
      const xid = bytes.readUInt32BE(4)
      const payload = Buffer.from(bytes.subarray(0, 64))
      link.toController.write(encode({ type: 'error', xid, errorType: type, errorCode: code, payload }))
      return undefined
    }
    const extension = extensionIn(bytes)
    if (extension) {
      const times = (link.asked.get(extension.words) ?? 0) + 1
      link.asked.set(extension.words, times)
      // Whether it knows an experimenter's messages it may be asked once.
      if (times > 1 || !extension.words.startsWith('experimenter')) violations.push(extension.words)
      return refuse(extension.errorType, extension.errorCode)
    }
    const message = decode(bytes)
    told.push(message.type === 'multipart_request' ? `${message.type} ${message.body.type}` : message.type)
    const { tables = 8, meters = true, groups: most = 4096 } = plain.model
    if (message.type === 'multipart_request') return multipart(link, message, bytes, refuse)
    if (message.type === 'meter_mod' && !meters) return refuse(...badType)
    if (message.type === 'flow_mod' && message.tableId >= tables && message.tableId < 0xff) return refuse(5, 2)
    if (message.type === 'group_mod') {
      if (message.command === 'add' && groups.size >= most && !groups.has(message.groupId))
        return refuse(...outOfGroups)
      if (message.command === 'add') groups.add(message.groupId)
      if (message.command === 'delete') groups.delete(message.groupId)
    }
    return bytes
  }
  const multipart = (
    link: Link,
    { xid, body }: MessageOf<'multipart_request'>,
    bytes: Buffer,
    refuse: (type: number, code: number) => undefined,
  ): Buffer | undefined => {
    const { tables = 8, metadata = 0xffff_ffff_ffff_ffffn, meters = true } = plain.model
    const reply = (answer: MessageOf<'multipart_reply'>['body']): undefined =>
      void link.toController.write(encode({ type: 'multipart_reply', xid, flags: 0, body: answer }))
    if (/^meter/.test(body.type) && !meters) return refuse(...badMultipart)
    if (body.type === 'desc')
      return reply({ type: 'desc', mfrDesc: 'Plain', hwDesc: 'OpenFlow 1.3', swDesc: '1', serialNum: '7', dpDesc: '' })
    if (body.type === 'table_features')
      return reply({ type: 'table_features', tables: Array.from({ length: tables }, (_, id) => table(id, metadata)) })
    if (body.type === 'group_features') {
      const most = plain.model.groups ?? 4096
      return reply({
        type: 'group_features',
        ...{ types: 0b1111, capabilities: 0, maxGroups: [most, most, most, most], actions: [0, 0, 0, 0] },
      })
    }
    return bytes
  }

  /** What goes on to the controller. */
  const fromBridge = (bytes: Buffer): readonly Buffer[] => {
    const message = decode(bytes)
    switch (message.type) {
      case 'hello':
        return [encode({ type: 'hello', xid: message.xid, elements: [] })]
      case 'features_reply':
        return [encode({ ...message, nTables: plain.model.tables ?? 8 })]
      case 'barrier_reply':
        if (lost === 0) return [bytes]
        lost -= 1
        return []
      case 'packet_in':
        return [encode(withoutExtensions(message))]
      case 'port_status':
        return plain.model.staleStatus ? [encode(stale(message)), bytes] : [bytes]
      case 'multipart_reply':
        if (message.body.type !== 'table') return [bytes]
        return [encode({ ...message, body: onlyTables(message.body, plain.model.tables ?? 8) })]
      default:
        return [bytes]
    }
  }

  const server = createServer({ noDelay: true }, toBridge => {
    const toController = connect({ host, port: controllerPort, noDelay: true })
    const link: Link = { toController, toBridge, asked: new Map() }
    links.add(link)
    const end = () => {
      links.delete(link)
      toBridge.destroy()
      toController.destroy()
    }
    for (const socket of [toBridge, toController]) socket.on('close', end).on('error', end)
    const [down, up] = [framing(), framing()]
    toController.on('data', chunk =>
      down.push(chunk, bytes => {
        const passed = fromController(link, bytes)
        if (passed) toBridge.write(passed)
      }),
    )
    toBridge.on('data', chunk =>
      up.push(chunk, bytes => fromBridge(bytes).forEach(each => void toController.write(each))),
    )
  })
  server.listen({ host, port: 0 })
  await once(server, 'listening')
  return Object.assign(plain, {
    port: (server.address() as { port: number }).port,
    told,
    violations,
    groups,
    loseBarriers(count: number) {
      lost = count
    },
    async close() {
      const closed = once(server, 'close')
      server.close()
      for (const { toBridge } of links) toBridge.destroy()
      await closed
    },
  })
}

/** Seen: a name, a size, and properties without a word in them. */
const table = (tableId: number, metadata: bigint) => ({
  tableId,
  name: `table ${tableId}`,
  metadataMatch: metadata,
  metadataWrite: metadata,
  config: 0,
  maxEntries: 4096,
  properties: [{ type: 'instructions' as const, instructions: [] }],
})

type TableBody = Extract<MessageOf<'multipart_reply'>['body'], { type: 'table' }>
const onlyTables = (body: TableBody, tables: number): TableBody => ({ ...body, tables: body.tables.slice(0, tables) })

/** Open vSwitch adds fields of its own to what it says of a tunnel. */
function withoutExtensions(message: MessageOf<'packet_in'>): Message {
  const { in_port, metadata, tunnel_id } = message.match
  const match = { in_port, ...(metadata !== undefined && { metadata }), ...(tunnel_id !== undefined && { tunnel_id }) }
  return { ...message, match: match as typeof message.match }
}

/** As it was before the link came or went. */
const stale = (message: MessageOf<'port_status'>): Message => ({
  ...message,
  port: { ...message.port, state: message.port.state ^ 1 },
})
