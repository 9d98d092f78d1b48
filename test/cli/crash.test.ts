import { join } from 'node:path'
import t from 'tap'
import { startController } from './command.ts'

// Only for a machine that is busy with something else; the runner gives up after 30 s.
t.setTimeout(180_000)

const dpid = '00000000000000a1'
const json = { 'content-type': 'application/json' }

/** What a client knows of its writes when the controller dies: answered with success, or never answered. */
type Fates = { readonly answered: Set<number>; readonly unanswered: Set<number> }

/** Networks n0, n1, ... each with three ports in the one call, 16 calls at a time, until `enough` were answered. */
const writeUntil = async (base: string, first: number, enough: number, die: () => void): Promise<Fates> => {
  const answered = new Set<number>()
  const unanswered = new Set<number>()
  let next = first
  const client = async () => {
    for (;;) {
      const n = next++
      const ports = [3 * n + 1, 3 * n + 2, 3 * n + 3].map(port => `of:${dpid}/${port}`)
      const body = JSON.stringify({ networkId: `n${n}`, networkEndpoints: ports })
      unanswered.add(n)
      try {
        const { status } = await fetch(`${base}/onos/vnets/api`, { method: 'POST', headers: json, body })
        if (status !== 204) throw new Error(`network n${n} was answered ${status}`)
      } catch {
        return
      }
      unanswered.delete(n)
      answered.add(n)
      // In the middle of the others' calls, and at once after this answer.
      if (answered.size === enough) die()
    }
  }
  await Promise.all(Array.from({ length: 16 }, client))
  return { answered, unanswered }
}

t.test(
  'killed -9 at any moment, it has every write that it answered, and each of the others whole or not at all',
  async t => {
    const store = ['--store', `sqlite:${join(t.testdir(), 'l2sm.db')}`]
    const args = ['--http', '127.0.0.1:0', '--openflow', 'tcp:127.0.0.1:0', '--log-level', 'info', ...store]
    const answered = new Set<number>()
    let first = 0
    for (const enough of [1, 37, 250, 712, 0]) {
      const { base, stop } = await startController(t, args)
      const { networks } = JSON.parse(await (await fetch(`${base}/v1/networks`)).text())
      const ports = new Map<number, number>(
        networks.map(({ id, attachments }: { id: string; attachments: number }) => [Number(id.slice(1)), attachments]),
      )
      const lost = [...answered].filter(n => ports.get(n) !== 3)
      t.same(lost, [], `of ${answered.size} networks that were answered none is lost`)
      t.same(
        [...ports].filter(([, count]) => count !== 3),
        [],
        `none of ${ports.size} is there in part`,
      )
      const numbers = new Set(networks.map(({ number }: { number: number }) => number))
      t.equal(numbers.size, networks.length, 'and no number was given twice')
      if (enough === 0) break
      const dead = Promise.withResolvers<unknown>()
      const fates = await writeUntil(base, first, enough, () => dead.resolve(stop('SIGKILL')))
      t.equal(await dead.promise, 'SIGKILL')
      for (const n of fates.answered) answered.add(n)
      first += fates.answered.size + fates.unanswered.size
    }
    t.ok(answered.size >= 1000, `${answered.size} writes were answered`)
  },
)
