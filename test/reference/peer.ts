// A reference switch at the other end of a real connection: it connects to a controller's OpenFlow port and does what
// that switch does, and on demand what a switch should not.
import { connect, type Socket } from 'node:net'
import { decode, encode, framing, type Message } from '../../openflow/index.ts'
import { advance, apply, putPort } from './apply.ts'
import type { Failure } from './errors.ts'
import { process } from './process.ts'
import { errorReply } from './reply.ts'
import { type Output, type Port, portDesc, type Switch } from './switch.ts'

/** How it misbehaves; may be changed at any time. A switch without bundles or with small tables is a `Kind`. */
export type Knobs = {
  /** Milliseconds between a barrier request and its reply. What comes after the request waits as well, but for echoes. */
  barrierDelay?: number
  /** Takes so many FLOW_MODs, in bundles or not, and answers all further ones with this. */
  refuseAfter?: { readonly flowMods: number; readonly failure: Failure }
  /** Hangs up when it has got so many messages. */
  hangUpAfter?: number
  /** Answers nothing at all, echoes included. */
  mute?: boolean
}

export type Peer = {
  readonly sw: Switch
  readonly knobs: Knobs
  /** Every message that came, in all connections. */
  readonly received: readonly Message[]
  /** Connects, in place of an earlier connection. Rejects when nobody listens. */
  connect(): Promise<void>
  /** Ends the connection, as a switch that loses its power does. The switch keeps its flows. */
  hangUp(): void
  /** Sends to the controller; lost when there is no connection. */
  say(messages: readonly Message[]): void
  /** A frame comes in by a port. PACKET_INs go to the controller; what leaves is returned. */
  arrive(inPort: number, frame: Buffer, tunnelId?: bigint): readonly Output[]
  /** A port comes, changes, or with `undefined` goes; the controller is told. */
  setPort(number: number, port: Partial<Port> | undefined): void
  /** Lets seconds pass for the switch: flows time out. */
  wait(seconds: number): void
}

export type PeerOptions = {
  readonly sw: Switch
  readonly host: string
  readonly port: number
  readonly knobs?: Knobs
  /** Gets what PACKET_OUTs make leave. */
  readonly onSent?: (outputs: readonly Output[]) => void
}

export function newPeer({ sw, host, port, knobs = {}, onSent = () => {} }: PeerOptions): Peer {
  const received: Message[] = []
  let socket: Socket | undefined
  let flowMods = 0

  const say = (messages: readonly Message[]): void => {
    if (socket?.writable) for (const message of messages) socket.write(encode(message))
  }

  const refused = (message: Message): boolean => {
    const change = message.type === 'bundle_add' ? message.message : message
    return change.type === 'flow_mod' && knobs.refuseAfter !== undefined && ++flowMods > knobs.refuseAfter.flowMods
  }

  const answer = (bytes: Buffer, message: Message): Message[] => {
    if (refused(message)) return [errorReply(message.xid, knobs.refuseAfter!.failure, bytes)]
    const replies = apply(sw, bytes)
    if (sw.sent.length > 0) onSent(sw.sent.splice(0))
    return replies
  }

  /** Messages are handled one after the other, so that a late barrier holds up what follows it (§7.3.8). */
  const serve = (to: Socket): void => {
    let turn: Promise<void> = Promise.resolve()
    const frames = framing()
    const take = async (bytes: Buffer, message: Message): Promise<void> => {
      if (message.type === 'barrier_request' && knobs.barrierDelay)
        await new Promise(resolve => setTimeout(resolve, knobs.barrierDelay))
      if (socket === to) say(answer(bytes, message))
    }
    to.on('data', chunk =>
      frames.push(chunk, view => {
        const bytes = Buffer.from(view)
        const message = decode(bytes)
        received.push(message)
        if (knobs.hangUpAfter !== undefined && received.length >= knobs.hangUpAfter) to.destroy()
        else if (knobs.mute) return
        else if (message.type === 'echo_request') say(apply(sw, bytes))
        else turn = turn.then(() => take(bytes, message))
      }),
    )
  }

  const hangUp = (): void => {
    socket?.destroy()
    socket = undefined
    // What belongs to a connection goes with it (§6.3.4; ONF extension 230).
    sw.bundles.clear()
    sw.role = 'equal'
  }

  return {
    sw,
    knobs,
    received,
    hangUp,
    say,
    connect: () =>
      new Promise((resolve, reject) => {
        hangUp()
        const made = connect({ host, port })
        socket = made
        made.on('error', reject)
        made.on('connect', () => {
          serve(made)
          say([{ type: 'hello', xid: 0, elements: [{ type: 'versionbitmap', versions: [4] }] }])
          resolve()
        })
      }),
    arrive: (inPort, frame, tunnelId) => {
      const { outputs, packetIns } = process(sw, inPort, frame, tunnelId)
      say(packetIns)
      return outputs
    },
    setPort: (number, given) =>
      say(putPort(sw, number, given && { desc: portDesc(number), ...sw.ports.get(number), ...given })),
    wait: seconds => say(advance(sw, seconds)),
  }
}
