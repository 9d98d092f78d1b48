#!/usr/bin/env node
import packageJson from '../package.json' with { type: 'json' }
import { cacheCode } from './code-cache.ts'

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
  operator: {
    text: 'turns L2Networks and pods of a Kubernetes cluster into networks of the controller',
    help: async () => (await import('./operator-options.ts')).operatorHelp(),
    run: async (argv: readonly string[]): Promise<number> => {
      const { runOperator } = await import('./operator.ts')
      const complain = (line: string) => console.error(line)
      const stop = stopSignal()
      return runOperator({ argv, env: process.env, version: packageJson.version, stop, onHangup: () => {}, complain })
    },
  },
  'node-certificate': {
    text: "keeps a node's certificate, which the cluster signs",
    help: async () => (await import('./node-certificate-options.ts')).nodeCertificateHelp(),
    run: async (argv: readonly string[]): Promise<number> => {
      const { runNodeCertificate } = await import('./node-certificate.ts')
      const complain = (line: string) => console.error(line)
      const stop = stopSignal()
      return runNodeCertificate({
        ...{ argv, env: process.env, version: packageJson.version, stop, onHangup: () => {}, complain },
      })
    },
  },
  import: {
    text: "takes over a living cluster of today's L2S-M operator",
    help: async () => (await import('./operator-import.ts')).importHelp,
    run: async (argv: readonly string[]): Promise<number> => {
      const { runImport } = await import('./operator-import.ts')
      return runImport({ argv, say: line => console.log(line), complain: line => console.error(line) })
    },
  },
  names: {
    text: 'keeps a hosts file with the names of pods in their networks, for CoreDNS',
    help: async () => (await import('./names.ts')).namesHelp,
    run: async (argv: readonly string[]): Promise<number> => {
      const { runNames } = await import('./names.ts')
      return runNames({ argv, stop: stopSignal(), complain: line => console.error(line) })
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
  backup: {
    text: 'writes a checked copy of a store, while its controller runs',
    help: async () => (await import('./backup.ts')).backupHelp,
    run: async (argv: readonly string[]): Promise<number> =>
      (await import('./backup.ts')).runBackup({
        argv,
        say: line => console.log(line),
        complain: line => console.error(line),
      }),
  },
  restore: {
    text: 'puts a backup back',
    help: async () => (await import('./backup.ts')).restoreHelp,
    run: async (argv: readonly string[]): Promise<number> =>
      (await import('./backup.ts')).runRestore({
        argv,
        say: line => console.log(line),
        complain: line => console.error(line),
      }),
  },
  explain: {
    text: 'says whether one port reaches another, and if not, why',
    help: async () => (await import('./explain.ts')).explainHelp,
    run: async (argv: readonly string[]): Promise<number> => (await import('./explain.ts')).runExplain(asking(argv)),
  },
  trace: {
    text: 'follows a frame through the switches, entry by entry',
    help: async () => (await import('./trace.ts')).traceHelp,
    run: async (argv: readonly string[]): Promise<number> => (await import('./trace.ts')).runTrace(asking(argv)),
  },
  prove: {
    text: 'proves that networks are apart, or shows a frame for which they are not',
    help: async () => (await import('./prove.ts')).proveHelp,
    run: async (argv: readonly string[]): Promise<number> => (await import('./prove.ts')).runProve(asking(argv)),
  },
  token: {
    text: 'makes a credential for the file of --credentials-file',
    help: async () => (await import('./token.ts')).help,
    run: async (argv: readonly string[]): Promise<number> => {
      const { runToken } = await import('./token.ts')
      const { text } = await import('node:stream/consumers')
      const readInput = () => text(process.stdin)
      return runToken({ argv, say: line => console.log(line), complain: line => console.error(line), readInput })
    },
  },
} as const

/** What a command has that asks a controller. */
const asking = (argv: readonly string[]) => ({
  ...{ argv, env: process.env },
  say: (text: string) => console.log(text),
  complain: (line: string) => console.error(line),
})

/** Aborted by the first SIGTERM or SIGINT; a second one ends the program at once. */
const stopSignal = (): AbortSignal => {
  const stop = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort())
  return stop.signal
}

cacheCode()
const { CommanderError, Command: Program } = await import('commander')

const main = async (words: readonly string[]): Promise<number> => {
  let code = 0
  const program = new Program('l2sm')
    .description('Isolated layer-2 networks over a mesh of OpenFlow 1.3 switches.')
    .usage('COMMAND [options]')
    .version(packageJson.version, '--version', 'the version')
    .helpOption('-h, --help', 'this text; l2sm COMMAND --help tells more')
    .helpCommand(false)
    .enablePositionalOptions()
    .showHelpAfterError()
    .configureHelp({ helpWidth: 120, subcommandTerm: command => command.name() })
    .exitOverride()
  for (const [name, { text, help, run }] of Object.entries(commands))
    program
      .command(name)
      .description(text)
      .usage('')
      // What follows is read by the command itself, which is loaded only when it is asked for.
      .helpOption(false)
      .allowUnknownOption()
      .passThroughOptions()
      .argument('[words...]')
      .action(async (argv: readonly string[]) => {
        if (argv.includes('--version')) console.log(packageJson.version)
        else if (argv.includes('--help') || argv.includes('-h')) process.stdout.write(await help())
        else code = await run(argv)
      })
  try {
    await program.parseAsync([...words], { from: 'user' })
    return code
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    return error.exitCode === 0 ? 0 : 2
  }
}

// What was asked is over and what was opened is closed: nothing that is left may keep the process.
process.exit(await main(process.argv.slice(2)))
