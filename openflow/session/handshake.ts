import { bundleFlags, type Message, type MessageOf, wireVersion } from '../index.ts'
import { ask, type Connection, close, send, write } from './connection.ts'
import { dpidOf, liveSession } from './live.ts'
import { readPorts } from './port-watch.ts'
import { RequestError } from './requests.ts'
import { claimMaster } from './role.ts'
import type { Capabilities, Description } from './session.ts'

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

/** The first word is ours, whatever the switch does: some hang up when it takes us a second. */
export const greet = (c: Connection): void => write(c, hello())

/** Takes what the switch says first. */
export function meet(c: Connection, message: Message): void {
  if (message.type === 'error') close(c, 'version', `refuses our HELLO: ${message.payload.toString('latin1')}`)
  else if (message.type !== 'hello') incompatible(c, `expected HELLO first, got ${message.type}`)
  else if (commonVersion(message) === undefined)
    incompatible(c, `speaks OpenFlow ${spoken(message)}, we speak 1.3 only`)
  else {
    c.state = { is: 'features' }
    introduce(c).catch(error => close(c, 'handshake', `handshake failed: ${error.message}`))
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

async function introduce(c: Connection): Promise<void> {
  const { type: _type, xid: _xid, ...features } = await ask(c, { type: 'features_request' }, c.limits.handshake)
  if (features.auxiliaryId !== 0)
    return close(c, 'auxiliary', `is an auxiliary connection (id ${features.auxiliaryId}); we take main ones only`)
  const dpid = dpidOf(features)
  const { scope } = c.transport
  if (scope !== 'any' && !scope.has(dpid))
    return close(
      c,
      'wrong_dpid',
      `says that it is datapath ${dpid}; its certificate stands for ${[...scope].join(', ')}`,
    )
  c.state = { is: 'describing', features }
  if (c.generation !== undefined && !(await claimMaster(c, c.generation()))) return
  // 0xffff is OFPCML_NO_BUFFER: frames arrive whole, and none waits in the switch for a packet-out (§7.3.2).
  send(c, { type: 'set_config', flags: 0, missSendLen: 0xffff })
  const [description, can] = await Promise.all([describe(c), abilities(c), readPorts(c)])
  const session = liveSession(c, { features, description, can })
  c.state = { is: 'claiming', session }
  c.hooks.claim(c, session)
}

const undescribed: Description = { mfrDesc: '', hwDesc: '', swDesc: '', serialNum: '', dpDesc: '' }

/** Names for people to read: a switch without them is a switch. */
async function describe(c: Connection): Promise<Description> {
  const reply = await optional(ask(c, { type: 'multipart_request', flags: 0, body: { type: 'desc' } }, c.limits.probe))
  if (reply?.body.type !== 'desc') return undescribed
  const { type: _type, ...description } = reply.body
  return description
}

async function abilities(c: Connection): Promise<Capabilities> {
  const [bundles, nicira, maxMeter] = await Promise.all([hasBundles(c), hasNicira(c), countMeters(c)])
  if (nicira) return { bundles, nicira, maxMeter }
  const [tables, groups] = await Promise.all([tableFeatures(c), groupFeatures(c)])
  return { bundles, nicira, maxMeter, tables, groups }
}

async function tableFeatures(c: Connection): Promise<Capabilities['tables']> {
  const body = { type: 'table_features' as const, tables: [] }
  const reply = await optional(ask(c, { type: 'multipart_request', flags: 0, body }, c.limits.probe))
  return reply?.body.type === 'table_features' ? reply.body.tables : undefined
}

async function groupFeatures(c: Connection): Promise<Capabilities['groups']> {
  const reply = await optional(
    ask(c, { type: 'multipart_request', flags: 0, body: { type: 'group_features' } }, c.limits.probe),
  )
  if (reply?.body.type !== 'group_features') return undefined
  const { type: _type, ...groups } = reply.body
  return groups
}

/** An empty bundle, opened and thrown away again. */
async function hasBundles(c: Connection): Promise<boolean> {
  const bundle = {
    type: 'bundle_control',
    bundleId: c.nextBundleId++,
    flags: bundleFlags.atomic | bundleFlags.ordered,
  } as const
  const opened = await optional(ask(c, { ...bundle, ctrlType: 'open_request' }, c.limits.probe))
  if (opened === undefined) return false
  return (await optional(ask(c, { ...bundle, ctrlType: 'discard_request' }, c.limits.probe))) !== undefined
}

/** NXT_TLV_TABLE_REQUEST changes nothing, and only a switch that knows Nicira's messages has an answer. */
async function hasNicira(c: Connection): Promise<boolean> {
  return (await optional(ask(c, { type: 'tlv_table_request' }, c.limits.probe))) !== undefined
}

async function countMeters(c: Connection): Promise<number> {
  const reply = await optional(
    ask(c, { type: 'multipart_request', flags: 0, body: { type: 'meter_features' } }, c.limits.probe),
  )
  return reply?.body.type === 'meter_features' ? reply.body.maxMeter : 0
}

/** The answer to a question that a switch need not know; undefined if it has none. */
async function optional<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer
  } catch (error) {
    if (error instanceof RequestError && error.why !== 'closed') return undefined
    throw error
  }
}
