// Describes a wire format once: reading, writing and the static type all follow from it.
//
// A struct is turned into two plain JavaScript functions when it is declared (`new Function`, from our own
// declarations only): one bounds check for each run of fields of fixed size, and values of one hidden class.
// Closures over a list of fields do the same at a third of the speed (bench/codec.ts).

/** Where reading or writing stands. Offsets are absolute in `bytes`; a message starts at `base`. */
export type Cursor = {
  readonly bytes: Buffer
  readonly view: DataView
  base: number
  at: number
  /** Nothing at or beyond this offset belongs to the structure being read (or fits the one being written). */
  end: number
  /** How many lists of actions, or messages, enclose this one. */
  depth: number
  /** Refuse padding that is not zero; without, it is skipped and lost. */
  strict: boolean
  /** Not strict: what could not be read of items that say their length (see `sized`), in words; undefined: nothing. */
  skipped: string[] | undefined
}

/** A cursor over all of `bytes`. */
export const cursorOf = (bytes: Buffer): Cursor => ({
  bytes,
  view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  base: 0,
  at: 0,
  end: bytes.length,
  depth: 0,
  strict: true,
  skipped: undefined,
})

export type Codec<T> = {
  read(c: Cursor): T
  write(c: Cursor, value: T): void
}

/** A format that always takes `size` bytes, so that a struct can check bounds for many at once. */
export type Fixed<T> = Codec<T> & {
  readonly size: number
  get(c: Cursor, at: number): T
  set(c: Cursor, at: number, value: T): void
  /** The same as JavaScript, for the function that a struct is compiled to. */
  readonly inline?: Inline
}

/** Expressions in which `view` and the checks of this file are known; `self` is the Fixed, for what is rare. */
export type Inline = {
  get(at: string, self: string): string
  set(at: string, value: string, self: string): string
}

export type ValueOf<C> = C extends { read(c: Cursor): infer T } ? T : never

/**
 * Bytes that are not OpenFlow 1.3, or a value that cannot be written as such.
 * `message` says in which field, at which byte of the message, what was expected and what was there.
 */
export class WireError extends Error {
  override name = 'WireError'
  readonly problem: string
  /** Offset in the message in bytes; undefined where a value (not bytes) is at fault. */
  readonly offset: number | undefined
  path = ''

  constructor(problem: string, offset?: number) {
    super(offset === undefined ? problem : `at byte ${offset}: ${problem}`)
    this.problem = problem
    this.offset = offset
  }

  within(part: string): this {
    this.path = this.path === '' || this.path.startsWith('[') ? part + this.path : `${part}.${this.path}`
    const where = this.offset === undefined ? this.path : `${this.path} at byte ${this.offset}`
    this.message = `${where}: ${this.problem}`
    return this
  }
}

/** Names the part that an error came from, while the error passes outwards. */
export const located = (error: unknown, part: string): unknown =>
  error instanceof WireError && part !== '' ? error.within(part) : error

export const refuse = (c: Cursor, at: number, problem: string): never => {
  throw new WireError(problem, at - c.base)
}

const short = (c: Cursor, n: number): never =>
  refuse(c, c.at, `needs ${n} bytes, but ${Math.max(0, c.end - c.at)} are left`)

/** Moves past `n` bytes and returns the offset of the first. */
export const take = (c: Cursor, n: number): number => {
  const at = c.at
  if (at + n > c.end) short(c, n)
  c.at = at + n
  return at
}

const leftover = (c: Cursor): never => refuse(c, c.at, `${c.end - c.at} bytes more than the structure has`)

/** Call when a structure should have used all of its bytes. */
export const finished = (c: Cursor): void => {
  if (c.at !== c.end) leftover(c)
}

/** The end of a structure that starts at `start` and says that it is `length` bytes long, of which some were read. */
export const bounded = (c: Cursor, start: number, length: number): number => {
  const end = start + length
  if (end < c.at || end > c.end)
    refuse(c, start, `says that it is ${length} bytes long; expected ${c.at - start} to ${c.end - start}`)
  return end
}

const print = (value: unknown): string =>
  typeof value === 'bigint' ? `${value}n` : typeof value === 'string' ? `'${value}'` : String(value)

export const wrong = (expected: string, value: unknown): never => {
  throw new WireError(`expected ${expected}, got ${print(value)}`)
}

export const fixed = <T>(
  size: number,
  get: (c: Cursor, at: number) => T,
  set: (c: Cursor, at: number, value: T) => void,
): Fixed<T> => ({ size, get, set, read: c => get(c, take(c, size)), write: (c, value) => set(c, take(c, size), value) })

const check8 = (v: number): number => ((v & 0xff) === v ? v : wrong('a whole number from 0 to 255', v))
const check16 = (v: number): number => ((v & 0xffff) === v ? v : wrong('a whole number from 0 to 65535', v))
const check32 = (v: number): number => (v >>> 0 === v ? v : wrong('a whole number from 0 to 4294967295', v))
const check64 = (v: bigint): bigint =>
  typeof v === 'bigint' && BigInt.asUintN(64, v) === v ? v : wrong('a bigint from 0n to 2n ** 64n - 1n', v)

const accessors = (type: string, check: string): Inline => ({
  get: at => `view.get${type}(${at})`,
  set: (at, value) => `view.set${type}(${at}, ${check}(${value}))`,
})

export const u8: Fixed<number> = {
  ...fixed(
    1,
    (c, at) => c.view.getUint8(at),
    (c, at, v: number) => c.view.setUint8(at, check8(v)),
  ),
  inline: accessors('Uint8', 'check8'),
}
export const u16: Fixed<number> = {
  ...fixed(
    2,
    (c, at) => c.view.getUint16(at),
    (c, at, v: number) => c.view.setUint16(at, check16(v)),
  ),
  inline: accessors('Uint16', 'check16'),
}
export const u24: Fixed<number> = fixed(
  3,
  (c, at) => (c.view.getUint8(at) << 16) | c.view.getUint16(at + 1),
  (c, at, v: number) => {
    if ((v & 0xffffff) !== v) wrong('a whole number from 0 to 16777215', v)
    c.view.setUint8(at, v >>> 16)
    c.view.setUint16(at + 1, v & 0xffff)
  },
)
export const u32: Fixed<number> = {
  ...fixed(
    4,
    (c, at) => c.view.getUint32(at),
    (c, at, v: number) => c.view.setUint32(at, check32(v)),
  ),
  inline: accessors('Uint32', 'check32'),
}
export const u64: Fixed<bigint> = {
  ...fixed(
    8,
    (c, at) => c.view.getBigUint64(at),
    (c, at, v: bigint) => c.view.setBigUint64(at, check64(v)),
  ),
  inline: accessors('BigUint64', 'check64'),
}
export const u128: Fixed<bigint> = fixed(
  16,
  (c, at) => (c.view.getBigUint64(at) << 64n) | c.view.getBigUint64(at + 8),
  (c, at, v: bigint) => {
    if (typeof v !== 'bigint' || v < 0n || v >> 128n !== 0n) wrong('a bigint from 0n to 2n ** 128n - 1n', v)
    c.view.setBigUint64(at, v >> 64n)
    c.view.setBigUint64(at + 8, v & 0xffffffffffffffffn)
  },
)

/** 32 bits that whoever reads them has looked at before. */
export const constant = (value: number): Fixed<void> => ({
  ...fixed(
    4,
    () => undefined,
    (c, at) => c.view.setUint32(at, value),
  ),
  inline: { get: () => '0', set: at => `view.setUint32(${at}, ${value})` },
})

/** `n` bytes of zero. */
export const pad = (n: number): Fixed<void> => ({
  ...fixed(
    n,
    (c, at) => checkZero(c, at, n),
    (c, at) => {
      for (let i = 0; i < n; i++) c.view.setUint8(at + i, 0)
    },
  ),
  inline: {
    get: (at, self) =>
      `(${words(n, at, (type, where) => `view.get${type}(${where})`).join(' | ')}) && ${self}.get(c, ${at})`,
    set: at => words(n, at, (type, where) => `view.set${type}(${where}, 0)`).join('; '),
  },
})

/** `n` bytes in as few numbers as there are in them. */
function words(n: number, at: string, say: (type: string, where: string) => string): string[] {
  const said: string[] = []
  for (let i = 0; i < n; ) {
    const size = n - i >= 4 ? 4 : n - i >= 2 ? 2 : 1
    said.push(say(`Uint${size * 8}`, `${at} + ${i}`))
    i += size
  }
  return said
}

export const checkZero = (c: Cursor, at: number, n: number): void => {
  if (!c.strict) return
  for (let i = 0; i < n; i++)
    if (c.view.getUint8(at + i) !== 0)
      refuse(c, at + i, `expected padding of zero, got 0x${c.view.getUint8(at + i).toString(16)}`)
}

/** Zero bytes up to the next multiple of 8, counted from `start`. */
export const readPadding = (c: Cursor, start: number): void => {
  const n = (8 - ((c.at - start) & 7)) & 7
  if (n !== 0) checkZero(c, take(c, n), n)
}
export const writePadding = (c: Cursor, start: number): void => {
  const n = (8 - ((c.at - start) & 7)) & 7
  if (n === 0) return
  const at = take(c, n)
  for (let i = 0; i < n; i++) c.view.setUint8(at + i, 0)
}
/** Zero bytes up to a multiple of 8 from the start of the message. */
export const align8: Codec<void> = {
  read: c => readPadding(c, c.base),
  write: c => writePadding(c, c.base),
}

/** A closed enumeration: a name in the value, a number on the wire. */
export function oneOf<const N extends Record<string, number>>(width: Fixed<number>, names: N): Fixed<keyof N & string> {
  const byCode = new Map(Object.entries(names).map(([name, code]) => [code, name]))
  const known = Object.entries(names).map(([name, code]) => `${code} ${name}`)
  const plain = fixed<keyof N & string>(
    width.size,
    (c, at) => {
      const code = width.get(c, at)
      return byCode.get(code) ?? refuse(c, at, `expected one of ${known.join(', ')}; got ${code}`)
    },
    (c, at, name) => width.set(c, at, names[name] ?? wrong(`one of ${Object.keys(names).join(', ')}`, name)),
  )
  if (width.inline === undefined || byCode.size > mostInlined) return plain
  const { inline } = width
  const choose = (value: string, of: readonly (readonly [string | number, string | number])[], otherwise: string) =>
    `${of.map(([from, to]) => `${value} === ${JSON.stringify(from)} ? ${JSON.stringify(to)} : `).join('')}${otherwise}`
  return {
    ...plain,
    inline: {
      get: (at, self) => `(k = ${inline.get(at, self)}, ${choose('k', [...byCode], `${self}.get(c, ${at})`)})`,
      set: (at, value, self) => {
        const code = choose('k', Object.entries(names), '-1')
        return `if ((n = (k = ${value}, ${code})) < 0) ${self}.set(c, ${at}, k); else ${inline.set(at, 'n', self)}`
      },
    },
  }
}
const mostInlined = 8

/** A text of at most `n` bytes of UTF-8, filled up with zeros. */
export const text = (n: number): Fixed<string> =>
  fixed(
    n,
    (c, at) => {
      const bytes = c.bytes.subarray(at, at + n)
      const zero = bytes.indexOf(0)
      const length = zero === -1 ? n : zero
      const value = bytes.toString('utf8', 0, length)
      checkZero(c, at + length, n - length)
      // A replacement character is where the decoder lost bytes, unless the bytes spell that character themselves.
      if (!value.includes('\ufffd') || Buffer.from(value).equals(bytes.subarray(0, length))) return value
      if (c.strict) refuse(c, at, `expected a text in UTF-8, got ${bytes.subarray(0, length).toString('hex')}`)
      // Not longer than it was, so that it can be written again.
      return bytes.toString('latin1', 0, length).replace(/[\x80-\xff]/g, '?')
    },
    (c, at, value) => {
      if (typeof value !== 'string' || value.includes('\0') || Buffer.byteLength(value) > n)
        wrong(`a text of at most ${n} bytes without NUL`, value)
      c.bytes.fill(0, at, at + n)
      c.bytes.write(value, at, n)
    },
  )

/** All bytes up to the end of the enclosing structure; a view of the message's own memory, not a copy. */
export const rest: Codec<Buffer> = {
  read(c) {
    const from = c.at
    c.at = c.end
    return c.bytes.subarray(from, c.end)
  },
  write: (c, value) => {
    if (!(value instanceof Uint8Array)) wrong('a Buffer', value)
    c.bytes.set(value, take(c, value.length))
  },
}

/** Items up to the end of the enclosing structure. */
export const list = <T>(item: Codec<T>): Codec<readonly T[]> => ({
  read(c) {
    if (c.at === c.end) return []
    const values: T[] = []
    try {
      while (c.at < c.end) values.push(item.read(c))
    } catch (error) {
      throw located(error, `[${values.length}]`)
    }
    return values
  },
  write(c, values) {
    if (!Array.isArray(values)) wrong('an array', values)
    let i = 0
    try {
      for (; i < values.length; i++) item.write(c, values[i] as T)
    } catch (error) {
      throw located(error, `[${i}]`)
    }
  },
})

/**
 * As `list`, of items that say their length in the 16 bits at `lengthAt`. Without `strict`, an item that cannot be read is
 * skipped and its fault noted, so that it costs itself and not the message around it.
 */
export const sized = <T>(item: Codec<T>, lengthAt = 0): Codec<readonly T[]> => {
  const all = list(item)
  return {
    read(c) {
      if (c.strict) return all.read(c)
      const values: T[] = []
      while (c.at < c.end) {
        const { at, end, depth } = c
        try {
          values.push(item.read(c))
        } catch (error) {
          c.end = end
          c.depth = depth
          c.at = skipSized(c, at, lengthAt, located(error, `[${values.length}]`))
        }
      }
      return values
    },
    write: all.write,
  }
}

/** Where the item behind the one at `at` begins; throws `error` if that cannot be told. */
function skipSized(c: Cursor, at: number, lengthAt: number, error: unknown): number {
  if (!(error instanceof WireError) || at + lengthAt + 2 > c.end) throw error
  const length = c.view.getUint16(at + lengthAt)
  if (length < lengthAt + 2 || at + length > c.end) throw error
  ;(c.skipped ??= []).push(error.message)
  return at + length
}

/** Exactly `n` items of fixed size. */
export const array = <T>(item: Fixed<T>, n: number): Fixed<readonly T[]> =>
  fixed(
    item.size * n,
    (c, at) => Array.from({ length: n }, (_, i) => item.get(c, at + i * item.size)),
    (c, at, values) => {
      if (!Array.isArray(values) || values.length !== n) wrong(`an array of ${n}`, values)
      for (let i = 0; i < n; i++) item.set(c, at + i * item.size, values[i] as T)
    },
  )

/** Limits how deep actions may stand in actions, and messages in messages. */
export const maxDepth = 8
export const nested = <T>(inner: Codec<T>): Codec<T> => ({
  read(c) {
    if (++c.depth > maxDepth) refuse(c, c.at, `nested more than ${maxDepth} deep`)
    const value = inner.read(c)
    c.depth--
    return value
  },
  write(c, value) {
    if (++c.depth > maxDepth) wrong(`at most ${maxDepth} levels of nesting`, c.depth)
    inner.write(c, value)
    c.depth--
  },
})

export { check8, check16, check32, check64 }
