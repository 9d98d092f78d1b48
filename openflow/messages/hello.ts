import { tlv } from '../wire/tlv.ts'
import { type Codec, u32, type ValueOf, writePadding, wrong } from '../wire/wire.ts'

/** Bit n of the bitmaps says: version n. `words`: how many bitmaps, where there are more than the versions need. */
type VersionBitmap = { readonly versions: readonly number[]; readonly words?: number }

const wordsFor = (versions: readonly number[]): number => (Math.max(-1, ...versions) >> 5) + 1

/** §7.5.1, struct ofp_hello_elem_versionbitmap. */
const versionBitmap: Codec<VersionBitmap> = {
  read(c) {
    const versions: number[] = []
    let words = 0
    for (; c.at < c.end; words++) {
      const bits = u32.read(c)
      for (let i = 0; i < 32; i++) if ((bits >>> i) & 1) versions.push(words * 32 + i)
    }
    return words === wordsFor(versions) ? { versions } : { versions, words }
  },
  write(c, { versions, words }) {
    // No version has more than 8 bits, but a bitmap that says so is read, and written back, all the same.
    if (!versions.every(v => (v & 0x7ffff) === v)) wrong('versions below 524288', versions.join(', '))
    const bitmaps = new Array<number>(words ?? wordsFor(versions)).fill(0)
    for (const v of versions) bitmaps[v >> 5]! |= 1 << (v & 31)
    for (const bits of bitmaps) u32.write(c, bits >>> 0)
  },
}

/** Elements that we do not know are ignored by a receiver (§7.5.1), so they are kept as bytes. */
const element = tlv('a hello element', {}, { versionbitmap: [1, versionBitmap] })
type Element = ValueOf<typeof element> & {
  /** There are no zeros up to a multiple of 8 behind it, though there should be: so loxigen writes them, and reads them. */
  readonly unpadded?: true
}

export const HelloElement: Codec<Element> = {
  read(c) {
    const start = c.at
    const value = element.read(c)
    const end = start + ((c.at - start + 7) & ~7)
    if (end > c.end || c.bytes.subarray(c.at, end).some(byte => byte !== 0)) return { ...value, unpadded: true }
    c.at = end
    return value
  },
  write(c, value) {
    const start = c.at
    element.write(c, value)
    if (!value.unpadded) writePadding(c, start)
  },
}
