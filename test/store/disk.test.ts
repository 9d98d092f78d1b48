import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import t from 'tap'

/**
 * disk-inside.ts mounts small file systems: in a mount namespace of its own, so that nothing of it is left,
 * however it ends.
 */
const unshare = ['--mount', '--propagation', 'private']
t.setTimeout(120_000)
const may = spawnSync('unshare', [...unshare, 'true']).status === 0
const inside = fileURLToPath(new URL('./disk-inside.ts', import.meta.url))

if (may) t.spawn('unshare', [...unshare, process.execPath, inside], { timeout: 100_000 }, 'in a mount namespace')
else if (process.env['CI']) t.fail('full and read-only disks were not tried: the CI must run as root, with unshare(1)')
else t.test('full and read-only disks', { skip: 'NOT TRIED: needs root and unshare(1)' }, async () => {})
