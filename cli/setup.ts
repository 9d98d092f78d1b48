/** `npm run setup`: installs what the demo and the tests on real switches need, if it is missing. Needs root. */

import { ensureInstalled } from '../lab/install.ts'

try {
  await ensureInstalled({ say: line => console.log(line) })
} catch (error) {
  console.error(`setup: ${(error as Error).message}`)
  process.exitCode = 1
}
