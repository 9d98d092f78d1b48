/**
 * In userspace, Open vSwitch reads each device through a packet socket of the system's usual size, some 270 small
 * frames: at 2,000 a second, a switch that gets no processor for 140 ms loses frames, and nobody else would have. On
 * machines that are busy with other things, what is measured would be these. Linux hands us copies of another
 * process's sockets (pidfd_getfd(2), since 5.6), and a buffer belongs to the socket.
 */

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { run } from './command.ts'
import type { Node } from './node.ts'

/** Some 10,000 small frames. */
const bytes = 8 << 20

/** For the ports that are there now; with the kernel's datapath there is nothing to do. Resolves with how many. */
export async function enlargeBuffers(nodes: readonly Node[]): Promise<number> {
  const inUserspace = nodes.filter(({ ovs }) => ovs.datapath === 'userspace')
  if (inUserspace.length === 0) return 0
  const pids = await Promise.all(inUserspace.map(({ ovs }) => ovs.pid()))
  const program = fileURLToPath(new URL('buffers.py', import.meta.url))
  const python = existsSync('/usr/bin/python3') ? '/usr/bin/python3' : 'python3'
  return Number(await run(python, ['-S', '-E', program, String(bytes), ...pids.map(String)]))
}
