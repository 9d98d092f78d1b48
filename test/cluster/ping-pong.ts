// The examples of today's L2S-M, unchanged.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { Installed } from './installed.ts'

const examples = new URL('../k8s/upstream-examples', import.meta.url).pathname

export const pingPong = async (t: Test, cluster: Installed): Promise<void> => {
  const { kubectl, patient, reaches, running } = cluster
  const apply = async (example: string, its: string) => {
    await kubectl(['create', 'namespace', its])
    for (const file of readdirSync(join(examples, example)).sort())
      await kubectl(['-n', its, 'apply', '-f', join(examples, example, file)])
    await running(its)
  }

  await t.test(
    'ping-pong: pods of one network reach each other, and those of another network with the same addresses do not',
    async t => {
      await apply('ping-pong', 'one')
      await apply('adding-ips', 'two')
      t.ok(await reaches('two', 'ping-intra', '10.0.0.2'), 'as declared in its annotation')
      t.ok(await reaches('two', 'pong-intra', '10.0.0.1'))
      // Of ping-pong only one pod has an address; the other gets it by hand, as its users do.
      await cluster.exec('pong-intra', 'ip addr add 10.0.0.7/24 dev net1', 'one')
      t.ok(await reaches('one', 'ping-intra', '10.0.0.7'))
      t.notOk(await reaches('two', 'ping-intra', '10.0.0.7'), 'the same address range, and another network')
      t.notOk(await reaches('one', 'ping-intra', '10.0.0.2'))
    },
  )

  await t.test('when the pods are gone, so are their addresses and interfaces', async t => {
    await patient(['delete', 'namespace', 'one', 'two', '--wait=true', '--timeout=4m'])
    await patient(['wait', '--for=delete', 'claims', '--all', '-A', '--timeout=4m'])
    t.equal(await kubectl(['get', 'claims', '-A', '-o', 'name']), '')
    t.equal(await kubectl(['get', 'l2networks', '-A', '-o', 'name']), '')
  })
}
