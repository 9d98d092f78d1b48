/** Which controller a command asks, and as whom: the same options for every command that asks one. */

import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import type { Client } from '../api/contract/client.ts'
import { variableOf } from './command-line/flags.ts'
import { readSecret } from './secret-file.ts'

export type ClientGiven = { readonly controller?: string; readonly tokenFile?: string; readonly controllerCa?: string }

export const clientHelp = `  --controller URL      the controller [L2SM_CONTROLLER; default http://127.0.0.1:8181]
  --token-file FILE     a token for it; role read is enough [L2SM_TOKEN_FILE]
  --controller-ca FILE  for https: the CA that signs the controller's certificate, in PEM [L2SM_CONTROLLER_CA]`

export const withClientOptions = (program: Command): Command =>
  program.option('--controller <URL>').option('--token-file <FILE>').option('--controller-ca <FILE>')

/** What the variables say where no flag does. */
export const withVariables = (given: ClientGiven, env: NodeJS.ProcessEnv): ClientGiven => {
  const or = (flag: string | undefined, name: string) => flag ?? env[variableOf(name)]
  const controller = or(given.controller, 'controller')
  const tokenFile = or(given.tokenFile, 'token-file')
  const controllerCa = or(given.controllerCa, 'controller-ca')
  return {
    ...(controller !== undefined && { controller }),
    ...(tokenFile !== undefined && { tokenFile }),
    ...(controllerCa !== undefined && { controllerCa }),
  }
}

/** What is wrong with the address; undefined if nothing is. */
export const controllerFault = ({ controller }: ClientGiven): string | undefined =>
  controller !== undefined && !/^https?:/.test(URL.canParse(controller) ? controller : '')
    ? `--controller ${JSON.stringify(controller)}: expected http://HOST:PORT or https://HOST:PORT`
    : undefined

/** @param timeout Milliseconds that an answer may take. */
export const clientOf = async (
  { controller, tokenFile, controllerCa }: ClientGiven,
  timeout: number,
): Promise<Client> => {
  const { createClient } = await import('../api/contract/client.ts')
  const token = tokenFile === undefined ? undefined : (await readSecret(tokenFile)).trim()
  const ca = controllerCa === undefined ? undefined : readFileSync(controllerCa, 'utf8')
  return createClient({ url: new URL(controller ?? 'http://127.0.0.1:8181'), token, ca, timeout })
}
