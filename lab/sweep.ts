/** `node lab/sweep.ts`: removes what labs left behind whose process was killed, and says what it was. */

import { sweep } from './leftovers.ts'

const removed = sweep()
const found = Object.entries(removed).filter(([, names]) => names.length > 0)
for (const [kind, names] of found) console.log(`${kind}: ${names.join(' ')}`)
if (found.length === 0) console.log('nothing was left behind')
