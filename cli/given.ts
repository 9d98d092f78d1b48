import { nearest } from '../api/contract/nearest.ts'
import { type Row as Flag, type Given, type Givens, variableOf } from './command-line/flags.ts'
import type { Parsed } from './options.ts'

/** A command of ours and its options: what stands after `l2sm`, and a row for each. */
export type Command = {
  readonly name: string
  readonly options: { readonly [name: string]: Row }
}
type Row = Flag & {
  readonly standard: unknown
  readonly parse: (text: string) => Parsed<unknown>
}

const isOption = ({ options }: Command, name: string): boolean => Object.hasOwn(options, name)
const isRepeatable = ({ options }: Command, name: string): boolean => options[name]!.many === true

/** `did you mean --http?`, or what there is. */
const suggestion = (wrong: string, known: readonly string[]): string => {
  const near = nearest(wrong, known)
  return near ? `did you mean ${near}?` : `there are ${known.join(', ')}`
}

const takes = ({ options }: Command, name: string): string => options[name]!.takes ?? ''

/** Several values of a repeatable option stand apart by spaces or commas. An empty variable is not set. */
export const fromVariables = (command: Command, env: { readonly [name: string]: string | undefined }): Given[] =>
  Object.keys(command.options).flatMap(name => {
    const variable = variableOf(name)
    const text = env[variable]
    if (!text) return []
    const texts = isRepeatable(command, name) ? text.split(/[\s,]+/).filter(part => part !== '') : [text]
    return texts.map(part => ({ name, text: part, from: `variable ${variable}` }))
  })

/**
 * Variables that look like a slip of the pen. Warned of, not refused: Kubernetes names variables after Services, and
 * those of a Service `l2sm-...` begin like ours.
 */
export const misspeltVariables = (command: Command, env: { readonly [name: string]: string | undefined }): string[] => {
  const prefix = 'L2SM_'
  const known = Object.keys(command.options).map(name => variableOf(name).slice(prefix.length))
  return Object.keys(env)
    .filter(name => name.startsWith(prefix) && !known.includes(name.slice(prefix.length)))
    .flatMap(name => {
      const near = nearest(name.slice(prefix.length), known)
      return near ? [`variable ${name} is not read: did you mean ${prefix}${near}?`] : []
    })
}

/** A YAML mapping of option names to values; a repeatable option may have a list. `path` is only for what is said. */
export const fromFile = async (command: Command, path: string, text: string): Promise<Givens> => {
  const { isMap, isScalar, isSeq, LineCounter, parseDocument } = await import('yaml')
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const at = (node: unknown): string =>
    `${path}:${lines.linePos((node as { range?: readonly number[] | null } | null)?.range?.[0] ?? 0).line}`
  const [error] = document.errors
  if (error) return { given: [], faults: [`${path}:${lines.linePos(error.pos[0]).line}: not YAML: ${error.message}`] }
  const { contents } = document
  if (contents === null) return { given: [], faults: [] }
  if (!isMap(contents))
    return { given: [], faults: [`${at(contents)}: expected options as keys, such as http: 127.0.0.1:8181`] }

  const given: Given[] = []
  const faults: string[] = []
  const names = Object.keys(command.options).filter(name => name !== 'config')
  for (const { key, value } of contents.items) {
    const name = String(key)
    if (!isOption(command, name) || name === 'config') {
      faults.push(`${at(key)}: ${JSON.stringify(name)} is no key of this file: ${suggestion(name, names)}`)
      continue
    }
    const values: readonly unknown[] = isSeq(value) && isRepeatable(command, name) ? value.items : [value]
    for (const item of values) {
      const place = `${at(item ?? key)} ${name}`
      // As it is written, so that `http: 8181` is told of as 8181, and not as what YAML makes of it.
      if (isScalar(item) && item.value !== null)
        given.push({ name, text: item.source ?? String(item.value), from: place })
      else
        faults.push(
          `${place}: expected ${takes(command, name) || 'true or false'}, got ${JSON.stringify(item ?? null)}`,
        )
    }
  }
  return { given, faults }
}
