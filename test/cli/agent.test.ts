import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { run } from './command.ts'

t.test('what is asked for wrongly is told at once, with what to do', async t => {
  const refuses = async (args: readonly string[], words: RegExp) => {
    const { code, stderr } = await run(['agent', ...args])
    t.equal(code, 2, args.join(' '))
    t.match(stderr, words)
    t.match(stderr, /l2sm agent --help lists the options/)
  }
  await Promise.all([
    refuses([], /there is no plan: give --controller URL and --node NAME, or --plan FILE/),
    refuses(['--controller', 'http://192.0.2.1:8181'], /controller needs --node NAME/),
    refuses(
      ['--controller', '192.0.2.1:8181', '--node', 'a'],
      /controller can not be "192.0.2.1:8181".*expected http:/,
    ),
    refuses(['--controller', 'http://me:secret@192.0.2.1', '--node', 'a'], /goes into --token-file/),
    refuses(['--plan', '/nowhere', '--controller', 'http://192.0.2.1'], /both say where the plan comes from/),
    refuses(['--plan', '/nowhere/plan'], /can not be read/),
    refuses(['--plan', 'x', '--token-file', '/nowhere'], /token-file is for --controller only/),
    refuses(['--remove'], /remove needs --node NAME/),
    refuses(['--remove', '--restart', 'true', '--node', 'a'], /give one of them/),
    refuses(['--nod', 'a'], /unknown option '--nod' \(Did you mean --node\?\)/),
    refuses(['--node', '../a', '--remove'], /node can not be/),
  ])
})

t.test('options come from variables and a file as well', async t => {
  const folder = t.testdir()
  writeFileSync(join(folder, 'agent.yaml'), 'remove: true\novs: /nowhere/db.sock\n')
  const { code, stderr } = await run(['agent', '--config', join(folder, 'agent.yaml')], { L2SM_NODE: 'a' })
  t.equal(code, 1, stderr)
  t.match(
    stderr,
    /^l2sm agent: the database of Open vSwitch at \/nowhere\/db\.sock can not be reached: does ovsdb-server run\?/,
  )
})

t.test('the help names every option', async t => {
  const { code, stdout } = await run(['agent', '--help'])
  t.equal(code, 0)
  for (const option of ['--node NAME', '--controller URL', '--plan FILE', '--remove', '--restart COMMAND'])
    t.match(stdout, option)
})
