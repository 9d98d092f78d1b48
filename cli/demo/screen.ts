/** A block of lines that is redrawn in place on a terminal; elsewhere it is printed again when it has changed. */

import type { Paint, Verdict } from './matrix.ts'

export type Screen = {
  readonly paint: Paint
  /** Characters in a line. */
  width(): number
  /**
   * `pulse` goes below the lines, and alone is no reason to print them again where they can't be redrawn.
   * Where they can be redrawn, a line ends at `width()`.
   */
  show(lines: readonly string[], pulse: readonly string[]): void
}

/** What is needed of process.stdout. */
export type Output = {
  readonly isTTY: boolean
  readonly columns: number
  readonly rows: number
  write(text: string): unknown
}

/** As wide as these pages are where nobody knows better. */
const usualWidth = 100

export function screenOn(output: Output, env: { readonly [name: string]: string | undefined }): Screen {
  const redraws = output.isTTY && env['TERM'] !== 'dumb'
  // https://no-color.org: present and not empty, whatever its value.
  const coloured = redraws && !env['NO_COLOR']
  let printed = ''
  let height = 0
  const redraw = (lines: readonly string[]) => {
    const fits = lines.length < output.rows
    // A block taller than the terminal can't be reached any more: its end, which says the most, is what stays.
    const shown = fits ? lines : lines.slice(-(output.rows - 1))
    const up = height > 0 ? `\r\x1b[${height}A` : ''
    // A line that wraps would be two, and the next block would start a line too low.
    output.write(`${up}\x1b[J${shown.map(line => cut(line, output.columns)).join('\n')}\n`)
    height = shown.length
  }
  return {
    paint: coloured ? (verdict, text) => `${colours[verdict]}${text}\x1b[0m` : (_, text) => text,
    width: () => (redraws ? output.columns : usualWidth),
    show: (lines, pulse) => {
      if (redraws) return redraw([...lines, ...pulse])
      const text = lines.join('\n')
      if (text === printed) return
      printed = text
      output.write(`${[...lines, ...pulse].join('\n')}\n\n`)
    },
  }
}

/** The first characters of a line, with all of its colours: those take no room. */
function cut(line: string, width: number): string {
  let room = width
  return line
    .split(colour)
    .map(piece => {
      if (colour.test(piece)) return piece
      const kept = piece.slice(0, room)
      room -= kept.length
      return kept
    })
    .join('')
}

const control = '\x1b'
const colour = new RegExp(`(${control}\\[[\\d;]*m)`)
const bold = '\x1b[1m'
const colours: Readonly<Record<Verdict, string>> = {
  once: '\x1b[32m',
  silent: '\x1b[2m',
  self: '\x1b[2m',
  missing: `${bold}\x1b[33m`,
  twice: `${bold}\x1b[35m`,
  leak: `${bold}\x1b[31m`,
  echo: `${bold}\x1b[35m`,
}
