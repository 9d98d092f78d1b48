// Many connections of somebody who has nothing to lose.
import { connect, type Socket } from 'node:net'

export type Stranger = {
  readonly socket: Socket
  /** What it was answered, as far as it is kept. */
  text(): string
  isClosed(): boolean
}

/** Milliseconds after which a connection that nobody took counts as refused. */
const patience = 5_000

/** Opens so many connections, 200 at a time; one that is refused is closed from the start. */
export async function strangers(count: number, port: number, localAddress = '127.0.0.1'): Promise<Stranger[]> {
  const all: Stranger[] = []
  while (all.length < count) {
    const some = Array.from({ length: Math.min(200, count - all.length) }, () => stranger(port, localAddress))
    all.push(...(await Promise.all(some)))
  }
  return all
}

async function stranger(port: number, localAddress: string): Promise<Stranger> {
  const socket = connect({ host: '127.0.0.1', port, localAddress, noDelay: true })
  let text = ''
  let isClosed = false
  socket.setEncoding('latin1').on('data', more => {
    if (text.length < 4096) text += more
  })
  socket.on('error', () => {})
  socket.on('close', () => {
    isClosed = true
  })
  await new Promise<void>(resolve => {
    const late = setTimeout(resolve, patience)
    const done = () => {
      clearTimeout(late)
      resolve()
    }
    socket.once('connect', done).once('close', done)
  })
  return { socket, text: () => text, isClosed: () => isClosed }
}
