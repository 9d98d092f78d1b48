/** What the demo is asked for on its command line. Pure. */

import { faultOf, quiet } from '../command-line/flags.ts'

export type Asked =
  | { readonly is: 'show' | 'check'; readonly nodes: number }
  | { readonly is: 'help' }
  | { readonly is: 'wrong'; readonly fault: string }

const nodes = { least: 2, most: 10, usual: 3 } as const

export const help = `usage: npm run demo [-- options]

Makes a mesh of real Open vSwitches in network namespaces, two isolated networks on it, and shows who hears whom.
It stays until Ctrl-C, and takes away everything it made. Needs root on Linux; installs Open vSwitch if it is missing.

  --check     proves isolation, exactly-once delivery and a restart without loss; exits with 0 if all of it holds, else 1
  --nodes N   how many nodes, ${nodes.least} to ${nodes.most} (default ${nodes.usual})
  --help      this text
`

export function readFlags(argv: readonly string[]): Asked {
  const wrong = (fault: string): Asked => ({ is: 'wrong', fault })
  const program = quiet('demo')
    .option('--check', '', false)
    .option('--nodes <N>', '', (text: string, before: readonly string[]) => [...before, text], [])
    .option('-h, --help', '', false)
  const fault = faultOf(program, argv)
  if (fault !== undefined) return wrong(fault)
  const given = program.opts<{ check: boolean; nodes: string[]; help: boolean }>()
  if (given.help) return { is: 'help' }
  const [text = String(nodes.usual), second] = given.nodes
  if (second !== undefined) return wrong('--nodes is given twice: give it once')
  const count = /^\d{1,3}$/.test(text) ? Number(text) : 0
  if (count < nodes.least || count > nodes.most)
    return wrong(`--nodes can not be ${JSON.stringify(text)}: expected a number from ${nodes.least} to ${nodes.most}`)
  return { is: given.check ? 'check' : 'show', nodes: count }
}
