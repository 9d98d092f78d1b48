// Reads TAP version 14 as tap writes it: one subtest a file, in it one a test.

/** What became of one file of tests. */
export type FileResult = {
  readonly file: string
  readonly passed: number
  /** Names of its tests; `the file as a whole` when it ended badly and no test says why. */
  readonly failed: readonly string[]
  readonly skipped: readonly string[]
  readonly seconds: number
  /** What TAP says of the tests that failed. */
  readonly said: readonly string[]
  /** Rows for the table at the end of a run (attacks/table.ts). */
  readonly rows: readonly Row[]
}

export type Row = readonly [id: string, attack: string, criterion: string, figure: string, pass: string]
/** A comment of TAP that is a row: the cells as JSON. */
export const rowMark = '# row '

export const wholeFile = 'the file as a whole'

const point = /^( {4})?(not )?ok \d+ - (.*?)(?: # (SKIP|TODO|time=([\d.]+)(ms|s)?).*)?$/i
const plain = (name: string): string => name.replaceAll('\\#', '#').replaceAll('\\\\', '\\')
const isLeft = (directive: string | undefined): boolean => /^(SKIP|TODO)/i.test(directive ?? '')

/** Without what follows the last block of details: the plan and the time of the file. */
const upToEnd = (lines: readonly string[]): readonly string[] => {
  const end = lines.findLastIndex(line => line.trim() === '...')
  return (end < 0 ? lines : lines.slice(0, end + 1)).map(line => line.replace(/^ {4}/, ''))
}

/** Takes TAP line by line; `done` is called with each file as soon as all is known of it. */
export function tapReader(done: (result: FileResult) => void): { line(text: string): void; end(): void } {
  let passed = 0
  let failed: string[] = []
  let skipped: string[] = []
  let said: string[] = []
  let rows: Row[] = []
  /** Lines since the last test ended: what is said of a test comes before and after its own line. */
  let recent: string[] = []
  let badTest = false
  let bailed = false
  let badFile: { file: string; seconds: number } | undefined

  const tell = (file: string, seconds: number) => {
    if (badFile && failed.length === 0) failed.push(wholeFile)
    done({ file, passed, failed, skipped, seconds, said, rows })
    ;[passed, failed, skipped, said, rows, recent, badTest, badFile] = [0, [], [], [], [], [], false, undefined]
  }
  const closeTest = () => {
    if (badTest) said.push(...upToEnd(recent))
    badTest = false
    recent = []
  }
  return {
    line(text) {
      const [, indent, not, name, directive, time, unit] = point.exec(text) ?? []
      if (name === undefined) {
        if (text.trimStart().startsWith(rowMark)) return void rows.push(JSON.parse(text.trim().slice(rowMark.length)))
        // With --bail a file that fails has no line of its own, and of several at once it is not said which.
        const why = /^Bail out! *(.*)$/.exec(text)
        if (why && !bailed) {
          bailed = true
          failed.push(why[1]!)
          said.push(...recent.map(line => line.replace(/^ {4}/, '')))
          tell('--bail', 0)
        }
        if (/^(# Subtest| {4}# Subtest)/.test(text)) closeTest()
        recent.push(text)
        if (badFile && text === '  ...') {
          if (failed.length === 0) said.push(...recent)
          tell(badFile.file, badFile.seconds)
        }
        return
      }
      if (badFile) tell(badFile.file, badFile.seconds)
      if (badTest) closeTest()
      recent.push(text)
      if (indent) {
        if (isLeft(directive)) skipped.push(plain(name))
        else if (not) failed.push(plain(name))
        else passed++
        badTest = not !== undefined && !isLeft(directive)
        if (!badTest) recent = []
        return
      }
      if (isLeft(directive)) skipped.push('all of it')
      const file = plain(name)
      const seconds = Number(time ?? 0) / (unit === 's' ? 1 : 1000)
      if (not && !isLeft(directive)) badFile = { file, seconds }
      else tell(file, seconds)
    },
    end() {
      if (badFile) tell(badFile.file, badFile.seconds)
    },
  }
}
