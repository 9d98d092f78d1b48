// A controller that knows nothing: it writes bytes that were prepared, and waits for the barrier behind them. What it reaches on
// the same connection as ours is what a controller could reach at best.
import { createServer, type Socket } from 'node:net'
import { bundleFlags, encode, encodeAll, framing, type Message, multipartMore } from '../openflow/index.ts'

export type RawController = {
  /** `tcp:127.0.0.1:PORT`, for a bridge's controllers. */
  readonly target: string
  /** Resolves when a switch has said HELLO. */
  readonly ready: Promise<void>
  /** Resolves when the switch has done all of it. */
  write(bytes: Buffer): Promise<void>
  /** Asks for all flows and throws the answer away; resolves with its length in bytes. */
  dump(): Promise<number>
  close(): Promise<void>
}

const types = { hello: 0, error: 1, echoRequest: 2, multipartReply: 19, barrierReply: 21 }

export async function rawController(): Promise<RawController> {
  const connected = Promise.withResolvers<Socket>()
  let take: (type: number, message: Buffer) => void = () => {}
  let fail: (error: Error) => void = () => {}
  const server = createServer({ noDelay: true }, socket => {
    const { push } = framing()
    socket.on('data', chunk =>
      push(chunk, message => {
        const type = message[1]!
        if (type === types.echoRequest) socket.write(Buffer.concat([Buffer.from([4, 3]), message.subarray(2)]))
        else if (type === types.hello) connected.resolve(socket)
        else take(type, message)
      }),
    )
    socket.on('error', () => socket.destroy())
    socket.on('close', () => fail(new Error('the switch has hung up')))
    socket.write(encode({ type: 'hello', xid: 0, elements: [{ type: 'versionbitmap', versions: [4] }] }))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }

  const ask = async <T>(bytes: readonly Buffer[], answer: (type: number, message: Buffer) => T | undefined) => {
    const socket = await connected.promise
    return new Promise<T>((resolve, reject) => {
      fail = reject
      take = (type, message) => {
        if (type === types.error) reject(new Error(`the switch refuses it: ${message.toString('hex', 0, 24)}`))
        const found = answer(type, message)
        if (found !== undefined) resolve(found)
      }
      for (const piece of bytes) socket.write(piece)
    })
  }
  const barrier = encode({ type: 'barrier_request', xid: 1 })
  return {
    target: `tcp:127.0.0.1:${port}`,
    ready: connected.promise.then(() => undefined),
    write: async bytes => void (await ask([bytes, barrier], type => type === types.barrierReply || undefined)),
    dump() {
      let length = 0
      return ask([encode(allFlows)], (type, message) => {
        if (type !== types.multipartReply) return undefined
        length += message.length
        return message.readUInt16BE(10) & multipartMore ? undefined : length
      })
    },
    async close() {
      ;(await connected.promise).destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

/** One atomic bundle, as bytes that nobody waits in between of. */
export const bundled = (changes: readonly Message[]): Buffer => {
  const header = { xid: 9, bundleId: 1, flags: bundleFlags.atomic | bundleFlags.ordered }
  const control = (ctrlType: 'open_request' | 'close_request' | 'commit_request'): Message => ({
    type: 'bundle_control',
    ...header,
    ctrlType,
  })
  const adds = changes.map((message): Message => ({ type: 'bundle_add', ...header, message: { ...message, xid: 9 } }))
  return encodeAll([control('open_request'), ...adds, control('close_request'), control('commit_request')])
}

const allFlows: Message = {
  type: 'multipart_request',
  xid: 2,
  flags: 0,
  body: {
    type: 'flow',
    tableId: 0xff,
    outPort: 0xffff_ffff,
    outGroup: 0xffff_ffff,
    cookie: 0n,
    cookieMask: 0n,
    match: {},
  },
}
