// All messages that tests may take as examples of real bytes.
import { existsSync, readdirSync, readFileSync } from 'node:fs'

/** Test data of the Ryu project, beside the repository where there are any. */
export const foreign = new URL('../../../shared/vectors/of13/', import.meta.url)

export type Vector = { readonly name: string; readonly bytes: Buffer }

const ofRyu = (): Vector[] =>
  existsSync(foreign)
    ? readdirSync(foreign)
        .filter(name => name.endsWith('.packet'))
        .map(name => ({ name, bytes: readFileSync(new URL(name, foreign)) }))
    : []

export const allVectors = (): Vector[] => [...ofRyu()]
