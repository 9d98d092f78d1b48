import { type Message, type MessageOf, wireVersion } from '../index.ts'
import { askCapabilities, describe } from './capabilities.ts'
import { ask, type Connection, close, send, write } from './connection.ts'
import { dpidOf, liveSession } from './live.ts'
import { readPorts } from './port-watch.ts'
import { claimMaster } from './role.ts'

type Hello = MessageOf<'hello'>

/** OpenFlow 1.3: the only version that we speak. */
const version = wireVersion

const hello = (): Hello => ({ type: 'hello', xid: 0, elements: [{ type: 'versionbitmap', versions: [version] }] })

/**
 * The version that both sides speak, or undefined (OpenFlow 1.3.5 §6.3.1, where both sides' bitmaps decide if both sent
 * one, and else the lower of the two versions in the headers). Elements that we do not know count for nothing.
 */
export function commonVersion(theirs: Hello): typeof version | undefined {
  const bitmap = theirs.elements.find(element => element.type === 'versionbitmap')
  if (bitmap !== undefined) return bitmap.versions.includes(version) ? version : undefined
  return (theirs.version ?? version) >= version ? version : undefined
}

/** We send our HELLO at once: some switches hang up when it takes us a second. */
export const sendHello = (c: Connection): void => write(c, hello())

/** Takes the first message. */
export function takeHello(c: Connection, message: Message): void {
  if (message.type === 'error') close(c, 'version', `refuses our HELLO: ${message.payload.toString('latin1')}`)
  else if (message.type !== 'hello') incompatible(c, `expected HELLO first, got ${message.type}`)
  else if (commonVersion(message) === undefined)
    incompatible(c, `speaks OpenFlow ${spoken(message)}, we speak 1.3 only`)
  else {
    c.state = { is: 'features' }
    handshake(c).catch(error => close(c, 'handshake', `handshake failed: ${error.message}`))
  }
}

function spoken(theirs: Hello): string {
  const names = ['none', '1.0', '1.1', '1.2', '1.3', '1.4', '1.5']
  const bitmap = theirs.elements.find(element => element.type === 'versionbitmap')
  const versions = bitmap === undefined ? [theirs.version ?? version] : bitmap.versions
  return versions.map(code => names[code] ?? `of wire version ${code}`).join(', ')
}

/** HELLO_FAILED/INCOMPATIBLE with the reason in words (§7.4.4.1), and the end. */
export function incompatible(c: Connection, reason: string): void {
  write(c, { type: 'error', xid: 0, errorType: 0, errorCode: 0, payload: Buffer.from(reason, 'latin1') })
  close(c, 'version', reason)
}

/** What a switch must answer is asked until the handshake's time is over: some lose the first question. */
async function handshake(c: Connection): Promise<void> {
  const { handshake: timeout, again } = c.limits
  const { type: _type, xid: _xid, ...features } = await ask(c, { type: 'features_request' }, timeout, again)
  if (features.auxiliaryId !== 0)
    return close(c, 'auxiliary', `is an auxiliary connection (id ${features.auxiliaryId}); we take main ones only`)
  const dpid = dpidOf(features)
  const { scope } = c.transport
  if (scope !== 'any' && !scope.has(dpid))
    return close(c, 'wrong_dpid', `says that it is datapath ${dpid}; its certificate is for ${[...scope].join(', ')}`)
  c.state = { is: 'describing', features }
  if (c.generation !== undefined && !(await claimMaster(c, c.generation()))) return
  // 0xffff is OFPCML_NO_BUFFER: frames arrive whole, and none waits in the switch for a packet-out (§7.3.2).
  send(c, { type: 'set_config', flags: 0, missSendLen: 0xffff })
  const [description] = await Promise.all([describe(c), askCapabilities(c), readPorts(c, timeout, again)])
  const session = liveSession(c, { features, description })
  c.state = { is: 'claiming', session }
  c.hooks.claim(c, session)
}
