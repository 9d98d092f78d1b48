import { existsSync, readFileSync } from 'node:fs'
import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { ensureInstalled, type Find, needs, requirements } from '../../lab/install.ts'

const root = process.platform === 'linux' && process.getuid?.() === 0
const allBut =
  (...absent: string[]): Find =>
  command =>
    absent.includes(command) ? undefined : `/usr/bin/${command}`

t.test('a missing command is named with its reason and its package', { skip: !root && 'needs root' }, async t => {
  t.match(
    requirements(allBut('ethtool', 'ping')).filter(({ package: name }) => name !== undefined),
    [
      { need: 'ping', package: 'iputils-ping', why: 'pods ping each other' },
      { need: 'ethtool', package: 'ethtool', why: 'a pod must fill in its checksums itself' },
    ],
  )
})

t.test(root ? 'who is root is not told to be' : 'who is not root is told so', async t => {
  const needs = requirements().map(({ need }) => need)
  t.equal(
    needs.some(need => /root|Linux/.test(need)),
    !root,
  )
})

t.test(
  'what is missing is installed, after saying so, with package lists read anew if need be',
  {
    skip: (!root || requirements(allBut()).length > 0) && 'needs root and network namespaces',
  },
  async t => {
    // An apt-get of our own, first in PATH: it writes down how it was called, and knows no package before `update`.
    const folder = t.testdir({
      'apt-get': `#!/bin/sh
      cd "$(dirname "$0")"
      echo "$@" >> calls
      case "$2" in
        update) touch lists ;;
        install) [ -e lists ] && touch installed || exit 100 ;;
      esac`,
    })
    await chmod(join(folder, 'apt-get'), 0o755)
    const path = process.env['PATH']
    process.env['PATH'] = `${folder}:${path}`
    t.teardown(() => {
      process.env['PATH'] = path
    })
    const find: Find = command =>
      existsSync(join(folder, 'installed')) ? command : allBut('ovs-vswitchd', 'ovsdb-server')(command)
    const said: string[] = []
    await ensureInstalled({ say: line => said.push(line), find })
    t.match(said, [/^installing openvswitch-switch with apt-get/, /package lists/])
    const install = '-q install -y --no-install-recommends openvswitch-switch'
    t.same(readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n'), [install, '-q update', install])

    said.length = 0
    await ensureInstalled({ say: line => said.push(line), find })
    t.same(said, [], 'the second time there is nothing to do')
    const noApt = ensureInstalled({ say: () => {}, find: allBut('apt-get', 'tc') })
    await t.rejects(noApt, /needs tc .*there is no apt-get here: install iproute2/)
    const useless = ensureInstalled({ say: () => {}, find: allBut('tc') })
    await t.rejects(useless, /apt-get installed iproute2, and yet the lab needs tc/)
  },
)

t.test('a test whose needs are missing is skipped aloud, and fails in CI', async t => {
  const calls: unknown[] = []
  const asked = {
    plan: (...args: unknown[]) => calls.push(['plan', ...args]),
    fail: (why: string) => calls.push(['fail', why]),
  }
  const ci = process.env['CI']
  t.teardown(() => (ci === undefined ? delete process.env['CI'] : (process.env['CI'] = ci)))
  delete process.env['CI']
  t.equal(needs(asked, allBut('tc')), false)
  t.match(calls.splice(0), [['plan', 0, /^not run: the lab needs /]])
  process.env['CI'] = '1'
  t.equal(needs(asked, allBut('tc')), false)
  t.match(calls.splice(0), [['fail', /a skipped test is a failure in CI/]])
  if (requirements(allBut()).length === 0) t.equal(needs(asked, allBut()), true)
  t.same(calls, [])
})
