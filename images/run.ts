import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** Resolves with what a command wrote to its standard output; rejects with what it complained of. */
export const run = async (command: string, args: readonly string[], cwd?: string): Promise<string> => {
  const options = { maxBuffer: 64 << 20, ...(cwd !== undefined && { cwd }) }
  return (await promisify(execFile)(command, [...args], options)).stdout
}
