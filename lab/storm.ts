/** As many frames as the machine can send: the storm of a pod that means harm, or that loops. */

import { fileURLToPath } from 'node:url'
import { run } from './command.ts'
import type { Station } from './frames.ts'

const script = fileURLToPath(new URL('storm.py', import.meta.url))

/** Sends these frames by turns, without a pause; resolves with how many were sent. */
export async function storm(from: Station, frames: readonly Buffer[], seconds: number): Promise<number> {
  const hex = frames.map(frame => frame.toString('hex'))
  const out = await run('python3', [script, from.device, String(seconds), ...hex], { netns: from.netns })
  return Number(out.trim())
}
