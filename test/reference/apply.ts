// A switch's side of the OpenFlow channel: what it does with a message, and what it answers.
import { decode, encode, type Message, noBuffer, type PortDesc, portConfig } from '../../openflow/index.ts'
import { add as addToBundle, control } from './bundle.ts'
import { badRequest, type Failure, isFailure, portModFailed, roleRequestFailed } from './errors.ts'
import { applyFlowMod, expireFlows } from './flow-mod.ts'
import { applyGroupMod, applyMeterMod } from './group-mod.ts'
import { multipart } from './multipart.ts'
import { packetOut } from './process.ts'
import { errorReply } from './reply.ts'
import type { Port, Switch } from './switch.ts'

/**
 * Takes one message, as bytes or decoded, changes the switch, and returns what it sends back, in order: replies, errors
 * (§7.4.4), FLOW_REMOVED, PACKET_IN. Frames that leave because of a PACKET_OUT are in `sw.sent`.
 */
export function apply(sw: Switch, given: Buffer | Message): Message[] {
  const bytes = () => (Buffer.isBuffer(given) ? given : encode(given))
  const message = Buffer.isBuffer(given) ? read(given) : given
  const outcome = isFailure(message) ? message : answer(sw, message)
  if (!isFailure(outcome)) return outcome
  return [errorReply(bytes().readUInt32BE(4), outcome, bytes())]
}

/** As `apply`, from bytes to bytes. */
export const receive = (sw: Switch, bytes: Buffer): Buffer[] => apply(sw, bytes).map(encode)

function read(bytes: Buffer): Message | Failure {
  try {
    return decode(bytes)
  } catch {
    if (bytes[0] !== 4) return badRequest('BAD_VERSION')
    return badRequest(bytes[1]! > 29 ? 'BAD_TYPE' : 'BAD_LEN')
  }
}

/** §6.3.4: what a slave may not ask. */
const writes = [
  'flow_mod',
  'group_mod',
  'meter_mod',
  'port_mod',
  'table_mod',
  'packet_out',
  'bundle_control',
  'bundle_add',
]

function answer(sw: Switch, message: Message): Failure | Message[] {
  const { xid, type } = message
  if (sw.role === 'slave' && writes.includes(type)) return badRequest('IS_SLAVE')
  switch (message.type) {
    case 'hello':
    case 'echo_reply':
    case 'error':
      return []
    case 'echo_request':
      return [{ type: 'echo_reply', xid, payload: Buffer.from(message.payload) }]
    case 'features_request':
      return [features(sw, xid)]
    case 'get_config_request':
      return [{ type: 'get_config_reply', xid, flags: 0, missSendLen: sw.missSendLen }]
    case 'set_config':
      sw.missSendLen = message.missSendLen
      return []
    case 'barrier_request':
      return [{ type: 'barrier_reply', xid }]
    case 'flow_mod':
      return message.bufferId === noBuffer ? applyFlowMod(sw, message) : badRequest('BUFFER_UNKNOWN')
    case 'group_mod':
      return applyGroupMod(sw, message)
    case 'meter_mod':
      return applyMeterMod(sw, message)
    case 'port_mod':
      return modifyPort(sw, message)
    case 'packet_out':
      return sendOut(sw, message)
    case 'multipart_request':
      return multipart(sw, message)
    case 'role_request':
      return takeRole(sw, message)
    case 'bundle_control':
      return sw.kind.bundles ? control(sw, message) : badRequest('BAD_EXPERIMENTER')
    case 'bundle_add':
      return sw.kind.bundles ? addToBundle(sw, message) : badRequest('BAD_EXPERIMENTER')
    case 'experimenter':
      return badRequest('BAD_EXPERIMENTER')
    default:
      return badRequest('BAD_TYPE')
  }
}

const features = (sw: Switch, xid: number): Message => ({
  type: 'features_reply',
  xid,
  datapathId: sw.dpid,
  nBuffers: 0,
  nTables: sw.kind.nTables,
  auxiliaryId: 0,
  capabilities: 0b1111,
})

function sendOut(sw: Switch, message: Extract<Message, { type: 'packet_out' }>): Failure | Message[] {
  if (message.bufferId !== noBuffer) return badRequest('BUFFER_UNKNOWN')
  const { outputs, packetIns } = packetOut(sw, message)
  sw.sent.push(...outputs)
  return packetIns
}

/** §6.3.4: an older generation than one seen is stale, counted as signed 64-bit distance. */
function takeRole(sw: Switch, message: Extract<Message, { type: 'role_request' }>): Failure | Message[] {
  const { role, generationId } = message
  if (role === 'master' || role === 'slave') {
    if (sw.generationId !== undefined && BigInt.asIntN(64, generationId - sw.generationId) < 0n)
      return roleRequestFailed('STALE')
    sw.generationId = generationId
  }
  if (role !== 'nochange') sw.role = role
  return [{ ...message, type: 'role_reply', role: sw.role, generationId: sw.generationId ?? 0xffff_ffff_ffff_ffffn }]
}

/** §7.3.4.3. */
function modifyPort(
  sw: Switch,
  { portNo, hwAddr, config, mask }: Extract<Message, { type: 'port_mod' }>,
): Failure | Message[] {
  const port = sw.ports.get(portNo)
  if (!port) return portModFailed('BAD_PORT')
  if (port.desc.hwAddr !== hwAddr) return portModFailed('BAD_HW_ADDR')
  const known = portConfig.portDown | portConfig.noRecv | portConfig.noFwd | portConfig.noPacketIn
  const desc = { ...port.desc, config: (port.desc.config & ~(mask & known)) | (config & mask & known) }
  return putPort(sw, portNo, { ...port, desc })
}

/** Adds or changes a port, or with `undefined` deletes it; returns the PORT_STATUS (§7.4.3). */
export function putPort(sw: Switch, portNo: number, port: Port | undefined): Message[] {
  const before = sw.ports.get(portNo)
  const status = (reason: 'add' | 'delete' | 'modify', desc: PortDesc): Message[] => [
    { type: 'port_status', xid: 0, reason, port: desc },
  ]
  if (!port) {
    sw.ports.delete(portNo)
    return before ? status('delete', before.desc) : []
  }
  sw.ports.set(portNo, port)
  return status(before ? 'modify' : 'add', port.desc)
}

/** Lets time pass, in seconds: what it removes is reported (§5.5). */
export function advance(sw: Switch, seconds: number): Message[] {
  sw.now += seconds
  return expireFlows(sw)
}
