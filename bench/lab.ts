// A mesh with our controller, as the tests on Open vSwitch have it, inside of the benches' sandbox.
import { mkdir } from 'node:fs/promises'
import { run } from '../lab/command.ts'
import { makeStage, type Stage, type StageOptions } from '../test/ovs/stage.ts'
import { folder as sandbox } from './sandbox.ts'

const netns = '/run/netns'

/** Everything of it is gone afterwards. `folder` is the bench's own. */
export async function onStage<T>(
  folder: string,
  options: StageOptions,
  work: (stage: Stage) => Promise<T>,
): Promise<T> {
  const leave = await confine(folder)
  const ends: (() => unknown)[] = []
  const scope = { setTimeout: () => {}, teardown: (end: () => unknown) => ends.unshift(end) }
  try {
    return await work(await makeStage(scope, options))
  } finally {
    for (const end of ends) await end()
    await leave()
  }
}

/**
 * A lab knows by process ids what others have left, and removes that. In here process ids are our own, so it must not see the
 * machine's named namespaces and its folder for temporary files; nor must others see ours.
 */
async function confine(folder: string): Promise<() => Promise<void>> {
  if (sandbox() === undefined) throw new Error('a lab of benches is made in the sandbox: npm run bench')
  await mkdir(netns, { recursive: true })
  await run('mount', ['-t', 'tmpfs', 'l2sm-bench', netns])
  const before = process.env['TMPDIR']
  process.env['TMPDIR'] = folder
  return async () => {
    if (before === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = before
    await run('umount', ['--lazy', netns])
  }
}
