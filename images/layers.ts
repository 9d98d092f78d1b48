/** Layers that were made before, by what they are made of: a test builds images often, and Debian's part of them changes rarely. */

import { createHash } from 'node:crypto'
import { link, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Layer } from './oci.ts'

/** Answers the layer that was made of `parts`, or makes it. */
export type Layers = (parts: readonly unknown[], make: () => Promise<Layer>) => Promise<Layer>

/** Each layer is made: what is published has today's packages. */
export const madeAnew: Layers = (_parts, make) => make()

/** Keeps layers in `folder`; nothing is ever removed there. Layers of it and of archives must be on one file system. */
export const keptIn =
  (folder: string): Layers =>
  async (parts, make) => {
    const key = createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32)
    const [tar, row] = [join(folder, `${key}.tar`), join(folder, `${key}.json`)]
    const known = await readFile(row, 'utf8').catch(() => undefined)
    if (known !== undefined && (await stat(tar).catch(() => undefined))) return { ...JSON.parse(known), path: tar }
    const layer = await make()
    await mkdir(folder, { recursive: true })
    // Two builds at once must not leave half a file under the name.
    const half = `${tar}.${process.pid}`
    await rm(half, { force: true })
    await link(layer.path, half)
    await rename(half, tar)
    await writeFile(`${row}.${process.pid}`, JSON.stringify(layer))
    await rename(`${row}.${process.pid}`, row)
    return { ...layer, path: tar }
  }
