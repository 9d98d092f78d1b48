import { CommanderError, Option as Flag, Command as Program } from 'commander'

/** Command lines are read by commander, and help is spelled by it; what the words mean is each command's business. */

export type Row = {
  /** What stands after the flag; a switch takes nothing, or `=false`. */
  readonly takes?: string
  readonly many?: true
  readonly text: string
}

/** A value as somebody wrote it, and where: `flag --http`, `variable L2SM_HTTP`, `l2sm.yaml:3 http`. */
export type Given = { readonly name: string; readonly text: string; readonly from: string }

/** What one source gives, and what is wrong with it, in sentences. */
export type Givens = { readonly given: readonly Given[]; readonly faults: readonly string[] }

/** A program that ends nothing and prints nothing: what is wrong is thrown. */
export const quiet = (name: string): Program =>
  new Program(name)
    .exitOverride()
    .configureOutput({ writeErr: () => {}, writeOut: () => {} })
    .helpOption(false)

/** What is wrong with these words, in commander's sentence; or undefined. */
export const faultOf = (program: Program, argv: readonly string[]): string | undefined => {
  try {
    program.parse([...argv], { from: 'user' })
    return undefined
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    return error.message.replace(/^error: /, '').replace(/\s+/g, ' ')
  }
}

const flagOf = (name: string, { takes, text }: Row): Flag =>
  takes === undefined ? new Flag(`--${name} [YES]`, text).preset('true') : new Flag(`--${name} <${takes}>`, text)

/** `--http HOST:PORT`, `--http=HOST:PORT`; a switch is `--takeover`, or `--takeover=false` against a variable. */
export const fromFlags = (name: string, options: { readonly [name: string]: Row }, argv: readonly string[]): Givens => {
  const given: Given[] = []
  const twice = new Set<string>()
  const program = quiet(name)
  for (const [option, row] of Object.entries(options))
    program.addOption(
      flagOf(option, row).argParser(text => {
        if (!row.many && given.some(other => other.name === option)) twice.add(option)
        else given.push({ name: option, text, from: `flag --${option}` })
      }),
    )
  const fault = faultOf(program, argv)
  const faults = [...twice].map(option => `--${option} is given twice: give it once`)
  return { given, faults: fault === undefined ? faults : [fault, ...faults] }
}

type Shown = { readonly name: string; readonly row: Row; readonly standard: string }

/** A line for each option: the flag, what it is for, its variable and its standard. */
export const optionLines = (shown: readonly Shown[]): string => {
  const program = new Program().helpOption('--help', 'this text')
  program.configureHelp({
    helpWidth: 120,
    optionTerm: ({ flags }) => flags.replace(' [YES]', '').replace(/<(.*)>$/, '$1'),
  })
  for (const { name, row, standard } of shown) {
    const origin = `[${variableOf(name)}${standard && `; default ${standard}`}]`
    program.addOption(flagOf(name, { ...row, text: `${row.text} ${origin}` }).preset(undefined))
  }
  program.version('', '--version', 'the version')
  return program.helpInformation().split('Options:\n')[1]!.trimEnd()
}

export const variableOf = (name: string): string => `L2SM_${name.toUpperCase().replaceAll('-', '_')}`
