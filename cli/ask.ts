/** Commands that ask a controller one thing, and print its answer for people or as JSON. */

import type { Command } from 'commander'
import type { Client } from '../api/contract/client.ts'
import { type ClientGiven, clientOf, controllerFault, withClientOptions, withVariables } from './client-options.ts'
import { faultOf, quiet } from './command-line/flags.ts'

export type Surroundings = {
  readonly argv: readonly string[]
  readonly env: NodeJS.ProcessEnv
  readonly say: (text: string) => void
  readonly complain: (line: string) => void
}

export const outputHelp = `  -o FORMAT             text, or json: the whole answer of the controller [default text]`

/** An answer: as the controller gave it, as text, and whether it is a yes. */
export type Answered = { readonly json: object; readonly text: string; readonly yes: boolean }

/** Milliseconds: switches are read for an answer. */
const patience = 60_000

/**
 * Answers the exit code: 0 yes, 1 no, 2 it was asked for wrongly, or there is no answer.
 * @param arrange Adds the command's own arguments and options.
 * @param ask A text is what is wrong with what was given.
 */
export const runAsking =
  <Given extends object>(
    name: string,
    arrange: (program: Command) => Command,
    ask: (client: Client, args: readonly string[], given: Given) => Promise<Answered | string>,
  ) =>
  async ({ argv, env, say, complain }: Surroundings): Promise<0 | 1 | 2> => {
    const program = withClientOptions(arrange(quiet(name))).option('-o, --output <FORMAT>', '', 'text')
    const wrong = (fault: string): 2 => {
      complain(`l2sm: ${fault}`)
      complain(`l2sm ${name} --help tells more`)
      return 2
    }
    const fault = faultOf(program, argv)
    if (fault !== undefined) return wrong(fault)
    const { output, controller, tokenFile, controllerCa, ...given } = program.opts<ClientGiven & { output: string }>()
    const place = withVariables(
      { ...(controller && { controller }), ...(tokenFile && { tokenFile }), ...(controllerCa && { controllerCa }) },
      env,
    )
    if (output !== 'text' && output !== 'json') return wrong(`-o ${output}: expected text or json`)
    const misplaced = controllerFault(place)
    if (misplaced !== undefined) return wrong(misplaced)
    try {
      const client = await clientOf(place, patience)
      try {
        const answered = await ask(client, program.args, given as Given)
        if (typeof answered === 'string') return wrong(answered)
        say(output === 'json' ? JSON.stringify(answered.json, null, 2) : answered.text)
        return answered.yes ? 0 : 1
      } finally {
        client.close()
      }
    } catch (error) {
      complain(`l2sm: ${(error as Error).message}`)
      return 2
    }
  }
