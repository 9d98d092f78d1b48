/** `l2sm token`: a new credential for the file of --credentials-file. */

import { keptPassword, newToken } from '../api/http/credentials.ts'
import { faultOf, quiet } from './command-line/flags.ts'

export const help = `usage: l2sm token NAME [options]

Makes a credential for the controller's --credentials-file, and prints the row to add there. What it prints of the secret is of no use to
who reads that file: the secret itself is printed once, to standard error, or goes into a file.

  --role ROLE   read: every GET; write: also networks, ports, links and nodes; admin: also switches and the store as a whole;
                node:NODE: the agent of that node, which reads its plan and reports for it, and nothing else [default read]
  --out FILE    the secret goes there (mode 0600; a file that is there is left alone), as --token-file of agent, operator and
                backup take it
  --password    a password that is read from standard input, for the adapter at /onos, in place of a token
  --help        this text

The controller reads the file again when it changes:

  credentials:
    - {name: worker-1, role: node:worker-1, token: sha256:...}
`

type Surroundings = {
  readonly argv: readonly string[]
  readonly say: (line: string) => void
  readonly complain: (line: string) => void
  readonly readInput: () => Promise<string>
}

/** Answers the exit code: 0 done, 1 it could not be done, 2 it was asked for wrongly. */
export const runToken = async ({ argv, say, complain, readInput }: Surroundings): Promise<0 | 1 | 2> => {
  const program = quiet('token')
    .argument('<NAME>')
    .option('--role <ROLE>', '', 'read')
    .option('--out <FILE>')
    .option('--password', '', false)
  const fault = faultOf(program, argv) ?? faultIn(program.args[0]!, program.opts())
  if (fault !== undefined) {
    complain(`l2sm: ${fault}`)
    complain('l2sm token --help tells more')
    return 2
  }
  const { role, out, password } = program.opts<Asked>()
  const [name] = program.args
  try {
    const kept = password ? `password: ${await ownPassword(await readInput())}` : `token: ${await fresh(out, complain)}`
    say(`- {name: ${name}, role: '${role}', ${kept}}`)
    return 0
  } catch (error) {
    complain(`l2sm: ${(error as Error).message}`)
    return 1
  }
}

type Asked = { readonly role: string; readonly out?: string; readonly password: boolean }

const faultIn = (name: string, { role, out, password }: Asked): string | undefined => {
  if (!/^[A-Za-z0-9._@-]{1,128}$/.test(name))
    return `${JSON.stringify(name)} is no name of a credential: expected 1 to 128 characters of A-Z a-z 0-9 . _ @ -`
  if (!/^(read|write|admin|node:[A-Za-z0-9._-]{1,253})$/.test(role))
    return `--role ${JSON.stringify(role)}: expected read, write, admin or node:NODE`
  return password && out !== undefined ? '--out is for a token: a password is yours already' : undefined
}

const ownPassword = (text: string): Promise<string> => {
  const password = text.replace(/\r?\n$/, '')
  if (!/^[^\r\n]{12,}$/.test(password)) throw new Error('expected a password of 12 characters or more, in one line')
  return keptPassword(password)
}

const fresh = async (out: string | undefined, complain: (line: string) => void): Promise<string> => {
  const { secret, kept } = newToken()
  if (out === undefined) complain(secret)
  else {
    const { writeFile } = await import('node:fs/promises')
    await writeFile(out, `${secret}\n`, { mode: 0o600, flag: 'wx' })
  }
  return kept
}
