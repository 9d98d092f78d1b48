// Headers that are put on and taken off: `encap(...)`, `decap(...)`, and packet types (ovs-actions(7)).
import type { Action } from '../messages/action.ts'
import { parseNumber, splitList, unexpected } from './value.ts'

type Encap = Extract<Action, { type: 'encap' }>

/** By name, where there is one: namespace and type. */
const packetTypes: Readonly<Record<string, number>> = { ethernet: 0, nsh: 0x1894f, mpls: 0x18847, mpls_mc: 0x18848 }
const nameOf = (packetType: number): string | undefined =>
  Object.keys(packetTypes).find(name => packetTypes[name] === packetType)

const hex = (value: number): string => `0x${value.toString(16)}`

// Properties of NSH (Open vSwitch's ofp_ed_prop_header): class, type, length with these 4 bytes, value, zeros up to 8.
// That length has the zeros of a tlv, but not those of an md_type (seen).
const nshClass = 4
const mdType = 1
const tlvType = 2

function property(type: number, value: Buffer): Buffer {
  const length = 4 + value.length
  const bytes = Buffer.alloc((length + 7) & ~7)
  bytes.writeUInt16BE(nshClass)
  bytes[2] = type
  bytes[3] = length
  value.copy(bytes, 4)
  return bytes
}

function parseTlv(text: string): Buffer {
  const [optionClass, type, digits] = splitList(text)
  const value = /^0x([0-9a-f]{1,496})$/i.exec(digits ?? '')?.[1] ?? unexpected('tlv(class,type,0xvalue)', text)
  const data = Buffer.from(value.length % 2 === 1 ? `0${value}` : value, 'hex')
  const head = Buffer.alloc(4 + ((data.length + 7) & ~7))
  head.writeUInt16BE(parseNumber(optionClass ?? '', 0xffff, 'a class'))
  head[2] = parseNumber(type ?? '', 0xff, 'a type')
  head[3] = data.length
  data.copy(head, 4)
  return property(tlvType, head)
}

function parseNsh(text: string): Buffer {
  const properties = splitList(text).map(part => {
    const md = /^md_type\s*=\s*(\w+)$/.exec(part)?.[1]
    if (md !== undefined) return property(mdType, Buffer.from([parseNumber(md, 2, 'md_type')]))
    return parseTlv(/^tlv\((.*)\)$/.exec(part)?.[1] ?? unexpected('md_type= or tlv(...)', part))
  })
  return Buffer.concat(properties)
}

export function encap(text: string): Encap {
  const [, name, inner] = /^(\w+)(?:\((.*)\))?$/s.exec(text) ?? unexpected('a header', text)
  const newPktType = packetTypes[name!] ?? parseNumber(name!, 0xffffffff, 'a packet type')
  if (inner !== undefined && name !== 'nsh') unexpected('no properties, since only nsh has some', text)
  return { type: 'encap', hdrSize: 0, newPktType, payload: inner === undefined ? Buffer.alloc(0) : parseNsh(inner) }
}

export function formatEncap({ newPktType, payload }: Encap): string {
  const name = nameOf(newPktType) ?? hex(newPktType)
  const properties = newPktType === packetTypes['nsh'] ? formatNsh(payload) : undefined
  return properties === undefined ? `encap(${name})` : `encap(${name}(${properties}))`
}

/** undefined: there are none, or they are none that we know. */
function formatNsh(bytes: Buffer): string | undefined {
  const parts: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const length = bytes[at + 3] ?? 0
    if (at + 4 > bytes.length || length < 4 || at + length > bytes.length) return undefined
    const value = bytes.subarray(at + 4, at + length)
    if (bytes.readUInt16BE(at) !== nshClass) return undefined
    if (bytes[at + 2] === mdType && value.length === 1) parts.push(`md_type=${value[0]}`)
    else if (bytes[at + 2] === tlvType && value.length > 4 && ((value[3]! + 7) & ~7) === value.length - 4)
      parts.push(`tlv(${hex(value.readUInt16BE())},${value[2]},0x${value.subarray(4, 4 + value[3]!).toString('hex')})`)
    else return undefined
    at += (length + 7) & ~7
  }
  return parts.length === 0 ? undefined : parts.join(',')
}
