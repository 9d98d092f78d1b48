// What a plain OpenFlow 1.3 switch does not know, found in the bytes of a message: whatever the codec makes of them.

/** A message that a plain switch refuses, in words, and the error that it answers (OpenFlow 1.3.5 §7.4.4). */
export type Extension = { readonly words: string; readonly errorType: number; readonly errorCode: number }

const badRequestExperimenter = { errorType: 1, errorCode: 3 }
const badActionExperimenter = { errorType: 2, errorCode: 2 }
const badSetType = { errorType: 2, errorCode: 13 }
const badMatchField = { errorType: 4, errorCode: 6 }
const badInstructionExperimenter = { errorType: 3, errorCode: 5 }

const types = { experimenter: 4, packetOut: 13, flowMod: 14, groupMod: 15, multipartRequest: 18 }
const experimenterCode = 0xffff
/** OFPXMC_OPENFLOW_BASIC; and its last field in 1.3, IPV6_EXTHDR (§7.2.3.7). */
const basicClass = 0x8000
const lastField = 39
const setFieldAction = 25
const actionInstructions = [3, 4]

/** The first thing in this message, from its header on, that is not OpenFlow 1.3.5. */
export function extensionIn(message: Buffer): Extension | undefined {
  switch (message[1]) {
    case types.experimenter:
      return { words: `experimenter 0x${message.readUInt32BE(8).toString(16)}`, ...badRequestExperimenter }
    case types.multipartRequest:
      if (message.readUInt16BE(8) !== experimenterCode) return undefined
      return { words: 'multipart request of an experimenter', ...badRequestExperimenter }
    case types.flowMod:
      return inFlowMod(message)
    case types.groupMod:
      return inBuckets(message.subarray(16))
    case types.packetOut:
      return inActions(message.subarray(24, 24 + message.readUInt16BE(16)))
    default:
      return undefined
  }
}

function inFlowMod(message: Buffer): Extension | undefined {
  const length = message.readUInt16BE(50)
  const match = inMatch(message.subarray(52, 48 + length))
  if (match) return match
  for (const instruction of structures(message.subarray(48 + Math.ceil(length / 8) * 8), 0)) {
    const type = instruction.readUInt16BE(0)
    if (type === experimenterCode) return { words: 'instruction of an experimenter', ...badInstructionExperimenter }
    const found = actionInstructions.includes(type) ? inActions(instruction.subarray(8)) : undefined
    if (found) return found
  }
  return undefined
}

function inMatch(fields: Buffer): Extension | undefined {
  for (let at = 0; at + 4 <= fields.length; at += 4 + fields[at + 3]!) {
    const words = unknownField(fields.subarray(at))
    if (words) return { words: `match on ${words}`, ...badMatchField }
  }
  return undefined
}

function inBuckets(buckets: Buffer): Extension | undefined {
  for (const bucket of structures(buckets, -2)) {
    const found = inActions(bucket.subarray(16))
    if (found) return found
  }
  return undefined
}

function inActions(actions: Buffer): Extension | undefined {
  for (const action of structures(actions, 0)) {
    const type = action.readUInt16BE(0)
    if (type === experimenterCode)
      return { words: `action of experimenter 0x${action.readUInt32BE(4).toString(16)}`, ...badActionExperimenter }
    const words = type === setFieldAction ? unknownField(action.subarray(4)) : undefined
    if (words) return { words: `set-field of ${words}`, ...badSetType }
  }
  return undefined
}

function unknownField(oxm: Buffer): string | undefined {
  const oxmClass = oxm.readUInt16BE(0)
  const field = oxm[2]! >> 1
  return oxmClass === basicClass && field <= lastField ? undefined : `class 0x${oxmClass.toString(16)} field ${field}`
}

/** Structures one after the other, each with its length 2 bytes from its start (or at it, with `before` = -2). */
function* structures(bytes: Buffer, before: 0 | -2): Generator<Buffer> {
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt16BE(at + 2 + before)
    if (length < 4) throw new Error(`a structure of ${length} bytes`)
    yield bytes.subarray(at, at + length)
    at += length
  }
}
