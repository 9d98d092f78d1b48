// Whether both switches of a link hear us and are heard is asked by the sessions that they have now.
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { newReachability } from '../../../controller/links/reachability.ts'
import type { Session } from '../../../openflow/session/session.ts'

/** As much of a session as is asked: it answers echoes until it has ended. */
function session(): { readonly session: Session; end(): void } {
  let ended = false
  const it = {
    request: () => (ended ? Promise.reject(new Error('closed')) : Promise.resolve()),
    counts: () => ({ packetInsDropped: 0, strayReplies: 0, throttled: 0, unreadable: 0 }),
  }
  return {
    session: it as unknown as Session,
    end() {
      ended = true
    },
  }
}

t.test('a doubt that began before a switch came back is carried on with its new connection', async t => {
  let now = 0
  const doubts = newReachability<string>(() => now)
  const [first, second, far] = [session(), session(), session()]
  first.end()
  const until = async (ms: number) => {
    const silent: string[] = []
    for (const end = now + ms; now < end; now += 20) {
      silent.push(...doubts.tick())
      await turn()
    }
    return silent
  }
  doubts.doubt('link', first.session, far.session, 0)
  t.strictSame(await until(2000), [], 'a connection that has ended proves nothing')
  doubts.doubt('link', second.session, far.session, 0)
  doubts.doubt('link', second.session, far.session, 0)
  t.strictSame(await until(2000), ['link'])
})
