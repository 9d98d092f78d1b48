/** What the proof came to, as text. Pure. */

export type Fault = { readonly what: string; readonly expected: string; readonly got: string }

/** `proved`: what was seen, with numbers. It holds only if there is no fault. */
export type Outcome = { readonly proved: string; readonly faults: readonly Fault[] }

export type Result = Outcome & { readonly name: string }

/** Characters; what switches print may be longer. */
const width = 100

/** So many faults of one check are told one by one. */
const told = 10

export const resultLine = ({ name, proved, faults }: Result): string => {
  const [first = '', ...more] = (faults.length === 0 ? proved : `${faults.length} wrong:`).split('\n')
  const head = `  ${faults.length === 0 ? 'ok  ' : 'FAIL'}  ${name.padEnd(17)}  ${first}`
  return [head.trimEnd(), ...more.map(line => `${' '.repeat(27)}${line}`)].join('\n')
}

export const failureLines = ({ faults }: Result): string[] => [
  ...faults.slice(0, told).flatMap(({ what, expected, got }) => {
    const line = `          ${what}: expected ${expected}, got ${got}`
    return line.length <= width ? [line] : [`          ${what}:`, `            expected ${expected}, got ${got}`]
  }),
  ...(faults.length > told ? [`          and ${faults.length - told} more`] : []),
]

export function verdictLine(results: readonly Result[], seconds: number): string {
  const failed = results.filter(({ faults }) => faults.length > 0).map(({ name }) => name)
  const time = `in ${seconds.toFixed(0)} s`
  if (failed.length === 0) return `  PROVED: all ${results.length} checks hold, ${time}`
  return `  NOT PROVED: ${failed.length} of ${results.length} checks failed (${failed.join(', ')}), ${time}`
}
