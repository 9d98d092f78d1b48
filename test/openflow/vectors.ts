// All messages that tests take as examples of real bytes.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { extensions } from './vectors/extensions.ts'
import { messages, type Written } from './vectors/messages.ts'
import { multiparts } from './vectors/multiparts.ts'
import { openVswitch, openVswitchFlows } from './vectors/open-vswitch.ts'

/** Test data of the Ryu project, beside the repository where there are any. */
export const foreign = new URL('../../../shared/vectors/of13/', import.meta.url)

export type Vector = { readonly name: string; readonly bytes: Buffer }

/** The bytes of annotated hex. */
export const bytesOf = (wire: string): Buffer => Buffer.from(wire.replace(/\/\/.*$/gm, '').replace(/\s+/g, ''), 'hex')

/** Written by hand from the specifications. */
export const written: readonly Written[] = [...messages, ...multiparts, ...extensions]

const ofRyu = (): Vector[] =>
  existsSync(foreign)
    ? readdirSync(foreign)
        .filter(name => name.endsWith('.packet'))
        .map(name => ({ name, bytes: readFileSync(new URL(name, foreign)) }))
    : []

export const allVectors = (): Vector[] => [
  ...openVswitch.map(([name, hex]) => ({ name: `Open vSwitch: ${name}`, bytes: Buffer.from(hex, 'hex') })),
  ...openVswitchFlows.map(([hex, name]) => ({ name, bytes: Buffer.from(hex, 'hex') })),
  ...written.map(([name, wire]) => ({ name, bytes: bytesOf(wire) })),
  ...ofRyu(),
]
