#!/usr/bin/env node
import { enableCompileCache } from 'node:module'
import packageJson from '../package.json' with { type: 'json' }

/** The commands, and what each is for. To add one: a row, and its import. */
const commands = {
  controller: {
    text: 'speaks OpenFlow to the switches and makes networks of them',
    help: async () => (await import('./options.ts')).help(),
    run: async (argv: readonly string[]): Promise<number> => {
      const { runController } = await import('./controller.ts')
      const complain = (line: string) => console.error(line)
      const onHangup = (listener: () => void) => void process.on('SIGHUP', listener)
      const stop = stopSignal()
      return runController({ argv, env: process.env, version: packageJson.version, stop, onHangup, complain })
    },
  },
  agent: {
    text: "makes a node's Open vSwitch, its links and the interfaces of its pods",
    help: async () => (await import('./agent-options.ts')).agentHelp(),
    run: async (argv: readonly string[]): Promise<number> => {
      const { runAgent } = await import('./agent.ts')
      const complain = (line: string) => console.error(line)
      const stop = stopSignal()
      return runAgent({ argv, env: process.env, version: packageJson.version, stop, onHangup: () => {}, complain })
    },
  },
  pki: {
    text: 'makes a CA and certificates, for OpenFlow over TLS',
    help: async () => (await import('./pki.ts')).help,
    run: async (argv: readonly string[]): Promise<number> => {
      const { runPki } = await import('./pki.ts')
      return runPki({ argv, say: line => console.log(line), complain: line => console.error(line) })
    },
  },
} as const

const usage = `usage: l2sm COMMAND [options]

Isolated layer-2 networks over a mesh of OpenFlow 1.3 switches.

${Object.entries(commands)
  .map(([name, { text }]) => `  ${name.padEnd(12)}${text}`)
  .join('\n')}

l2sm COMMAND --help tells more; l2sm --version tells the version.
`

/** Aborted by the first SIGTERM or SIGINT; a second one ends the program at once. */
const stopSignal = (): AbortSignal => {
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort())
  return stop.signal
}

const main = async ([name = '', ...argv]: readonly string[]): Promise<number> => {
  if (name === '--version' || argv.includes('--version')) return say(`${packageJson.version}\n`)
  if (name === '--help' || name === '-h') return say(usage)
  if (!Object.hasOwn(commands, name)) {
    console.error(name === '' ? usage : `l2sm: there is no command ${JSON.stringify(name)}\n\n${usage}`)
    return 2
  }
  const command = commands[name as keyof typeof commands]
  return argv.includes('--help') || argv.includes('-h') ? say(await command.help()) : command.run(argv)
}

const say = (text: string): number => {
  process.stdout.write(text)
  return 0
}

// Halves the time to start: code that was compiled once (types stripped, too) is read back from the system's temporary folder.
const { directory } = enableCompileCache()
// The store's thread finds it by this variable.
if (directory) process.env['NODE_COMPILE_CACHE'] ??= directory
// What was asked is over and what was opened is closed: nothing that is left may keep the process.
process.exit(await main(process.argv.slice(2)))
