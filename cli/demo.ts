/** `npm run demo`: see `help` in demo/flags.ts. Exit codes: 0 fine, 1 it could not run or the proof failed, 2 wrong flags. */

import { ensureInstalled } from '../lab/install.ts'
import { help, readFlags } from './demo/flags.ts'

const say = (line: string) => console.log(line)

/** Exit codes of a shell for whoever was ended by a signal; Ctrl-C is how the show is meant to end. */
const endOn = (signals: Readonly<Record<string, number>>) => {
  for (const [signal, code] of Object.entries(signals))
    process.on(signal, () => {
      say('\n  taking everything away ...')
      // Whoever makes something removes it on 'exit': this comes after all of them.
      process.on('exit', () => say('  all gone'))
      process.exit(code)
    })
}

const main = async (argv: readonly string[]): Promise<number> => {
  const asked = readFlags(argv)
  if (asked.is === 'help') {
    process.stdout.write(help)
    return 0
  }
  if (asked.is === 'wrong') {
    console.error(`demo: ${asked.fault}\n\n${help}`)
    return 2
  }
  endOn({ SIGINT: asked.is === 'show' ? 0 : 130, SIGTERM: 143, SIGHUP: 129 })
  // Whoever read what we print is gone: then so are we, with all that we made.
  process.stdout.on('error', () => process.exit(1))
  await ensureInstalled({ say })
  const { check, show } = await import('./demo/play.ts')
  return asked.is === 'check' ? check(asked.nodes, say) : show(asked.nodes, say)
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  console.error(`demo: ${(error as Error).message}`)
  process.exitCode = 1
}
