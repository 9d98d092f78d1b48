/**
 * Writes to a store until it is killed, and says on its standard output what was acknowledged.
 *
 *     node writer.ts PATH FIRST COUNT ABREAST
 *
 * Write i makes network n<i> with ports i/1 and i/2, all in one. So a network that is there has both its ports, or
 * something is broken. ABREAST writes are asked at once. Lines: `open I,I,...` with the writes that are there, `ack I`,
 * `nack I CODE`, `end`.
 */
import { writeSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { attach, putNetwork } from '../../store/desired.ts'
import { openSqlite } from '../../store/sqlite/sqlite.ts'
import { dpid } from './backends.ts'
import { writesIn } from './child.ts'

const [path, first, count, abreast] = process.argv.slice(2)
// Not console.log: what is said must be in the pipe before the next write is asked, for a kill can come at any moment.
const say = (line: string): void => void writeSync(1, `${line}\n`)

const store = await openSqlite(path!)
// It is written at exit, to which no writer comes.
flushCompileCache()
say(`open ${[...writesIn(store)].join()}`)
const end = Number(first) + Number(count)
for (let i = Number(first); i < end; i += Number(abreast)) {
  const round = Array.from({ length: Math.min(Number(abreast), end - i) }, (_, k) => i + k)
  await Promise.all(
    round.map(n =>
      store
        .write(draft => {
          putNetwork(draft, `n${n}`)
          for (const port of [1, 2]) attach(draft, { network: `n${n}`, dpid: dpid(n), port })
        })
        .then(
          () => say(`ack ${n}`),
          error => say(`nack ${n} ${error.code}`),
        ),
    ),
  )
}
say('end')
// As it would go when killed: nothing is closed.
process.kill(process.pid, 'SIGKILL')
