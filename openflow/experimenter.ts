// §7.5.4: messages of experimenters. To add one: a line in `known`.
import { experimenters } from './constants.ts'
import { compile, type StructCodec, struct } from './struct.ts'
import {
  type Codec,
  type Cursor,
  located,
  nested,
  oneOf,
  pad,
  rest,
  take,
  u16,
  u32,
  type ValueOf,
  wrong,
} from './wire.ts'

const controlType = oneOf(u16, {
  open_request: 0,
  open_reply: 1,
  close_request: 2,
  close_reply: 3,
  commit_request: 4,
  commit_reply: 5,
  discard_request: 6,
  discard_reply: 7,
})

/** ONF extension EXT-230: bundles, as OpenFlow 1.4 §7.3.9 has them. */
const bundleControl = struct({ bundleId: u32, ctrlType: controlType, flags: u16 })

/** `message` is a whole OpenFlow message of its own, with the xid of the message around it. */
const bundleAdd = <T>(message: Codec<T>) => struct({ bundleId: u32, _: pad(2), flags: u16, message: nested(message) })

export const experimenterMessages = <T>(message: Codec<T>) =>
  ({
    bundle_control: [experimenters.onf, 2300, bundleControl],
    bundle_add: [experimenters.onf, 2301, bundleAdd(message)],
  }) as const

type Known = Record<string, readonly [experimenter: number, expType: number, body: StructCodec<any>]>

type Header<N extends string> = { readonly type: N; readonly xid: number }
export type BundleControl = Header<'bundle_control'> & ValueOf<typeof bundleControl>
/** Asks to apply `message` when the bundle is committed. */
export type BundleAdd<T> = Header<'bundle_add'> & {
  readonly bundleId: number
  readonly flags: number
  readonly message: T
}
/** A message that we have no words for; `payload` is all behind the two numbers. */
export type UnknownExperimenter = Header<'experimenter'> & {
  readonly experimenter: number
  readonly expType: number
  readonly payload: Buffer
}

type Body = { read(c: Cursor, xid: number): any; write(c: Cursor, value: any): void }

/** Reads and writes what is behind the header of an experimenter message; names all types that it writes. */
export function experimenterCodec(known: Known): Body & { readonly types: readonly string[] } {
  const entries = Object.entries(known).map(([name, [experimenter, expType, body]]) => ({
    name,
    experimenter,
    expType,
    ...compile(body.fields, { type: name, xid: true }),
  }))
  const byName = new Map(entries.map(entry => [entry.name, entry]))
  return {
    types: ['experimenter', ...byName.keys()],
    read(c, xid) {
      const at = take(c, 8)
      const experimenter = c.view.getUint32(at)
      const expType = c.view.getUint32(at + 4)
      const entry = entries.find(e => e.expType === expType && e.experimenter === experimenter)
      if (entry === undefined) return { type: 'experimenter', xid, experimenter, expType, payload: rest.read(c) }
      try {
        return entry.read(c, xid)
      } catch (error) {
        throw located(error, entry.name)
      }
    },
    write(c, value) {
      const entry = byName.get(value.type)
      u32.write(c, entry?.experimenter ?? value.experimenter)
      u32.write(c, entry?.expType ?? value.expType)
      if (entry) {
        entry.write(c, value)
        return
      }
      if (entries.some(e => e.expType === value.expType && e.experimenter === value.experimenter))
        wrong('the message by its name, not as bytes', value.expType)
      rest.write(c, value.payload)
    },
  }
}
