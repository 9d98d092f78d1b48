// The client of the controller against a server of ours, for what a controller does not do on request.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { followPlan } from '../../agent/client.ts'
import type { NodePlan } from '../../api/contract/node-schemas.ts'
import { until } from '../controller/watching.ts'
import { plan } from './plans.ts'

type Answer = (asked: IncomingMessage, answer: ServerResponse) => void

async function serve(t: Test, first: Answer) {
  let answer = first
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`)
    answer(request, response)
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  return {
    ...{ asked, controller: { url, token: async () => 'a-token-of-16-chars', identity: undefined } },
    become: (next: Answer) => {
      answer = next
    },
  }
}

const say =
  (status: number, value: object): Answer =>
  (_, answer) =>
    void answer.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))

function follow(t: Test, controller: Parameters<typeof followPlan>[0]) {
  const plans: NodePlan[] = []
  const complaints: string[] = []
  let returns = 0
  const source = followPlan(controller, 'n1', {
    take: next => void plans.push(next),
    complain: why => void complaints.push(why),
    returned: () => void returns++,
    well: () => {},
  })
  t.teardown(() => source.close())
  return { plans, complaints, returns: () => returns }
}

t.test('a plan without controllers means the one that it came from', async t => {
  const { controller } = await serve(t, say(200, plan({ controllers: [] })))
  const { plans } = follow(t, controller)
  await until('it is told', () => plans.length === 1)
  t.same(plans[0]?.controllers, ['tcp:127.0.0.1:6653'])
})

t.test(
  'a controller that answers at once is not asked as fast as it answers, and the same plan is told once',
  async t => {
    const { controller, asked } = await serve(t, say(200, plan()))
    const { plans } = follow(t, controller)
    await new Promise(resolve => setTimeout(resolve, 1_000))
    t.ok(asked.length >= 3 && asked.length <= 12, `${asked.length} times`)
    t.match(asked, [/unless=0{16}&wait=0s/, /unless=0123456789abcdef&wait=10s/])
    t.equal(plans.length, 1)
  },
)

t.test(
  'what is no plan, a refusal and a server that is away change nothing, are told once, and it comes back',
  async t => {
    const { controller, become } = await serve(t, say(200, { ...plan(), dpid: 7 }))
    const { plans, complaints, returns } = follow(t, controller)
    await until('it is complained of', () => complaints.some(why => /plan\/dpid: expected a datapath id/.test(why)))
    become(say(401, { detail: 'expected a token' }))
    await until('the refusal is told', () => complaints.some(why => /401 expected a token/.test(why)))
    become((asked, _) => void asked.socket.destroy())
    await until('that it hangs up is told', () => complaints.some(why => /hang up|ECONNRESET/.test(why)))
    t.ok(complaints.length <= 5, complaints.join('\n'))
    become(say(200, plan()))
    await until('the plan is told', () => plans.length === 1)
    t.ok(returns() >= 1)
  },
)
