/** A pod with two interfaces, and a bridge of Linux between them: a loop if they are in one network, and a way if in two. */

import { run } from './command.ts'
import type { Pod } from './pod.ts'

/** Joins the interfaces of two pods by a bridge, as one pod with both would; answers what takes it away. */
export async function bridge(one: Pod, other: Pod): Promise<() => Promise<unknown>> {
  const ip = (netns: string, ...args: string[]) => run('ip', args, { netns })
  await ip(other.netns, 'link', 'set', 'eth0', 'down', 'name', 'eth9')
  await ip(other.netns, 'link', 'set', 'eth9', 'netns', `/run/netns/${one.netns}`)
  await ip(one.netns, 'link', 'add', 'loop', 'type', 'bridge', 'stp_state', '0', 'forward_delay', '0')
  for (const device of ['eth0', 'eth9']) {
    await ip(one.netns, 'link', 'set', device, 'master', 'loop')
    await ip(one.netns, 'link', 'set', device, 'up')
  }
  await ip(one.netns, 'link', 'set', 'loop', 'up')
  return async () => {
    await ip(one.netns, 'link', 'del', 'loop')
    await ip(one.netns, 'link', 'set', 'eth9', 'down')
  }
}
