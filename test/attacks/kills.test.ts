// `L2SM_KILLS=200 npm run test:attacks` is the long form: the controller is killed at random moments while ports come and go.
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { needs } from '../../lab/install.ts'
import type { Pod } from '../../lab/pod.ts'
import { randomOf } from '../chaos/random.ts'
import { startController } from '../cli/command.ts'
import { until } from '../controller/watching.ts'
import { apart, hearing, holdings, makeStage, openflowPort, streamTo } from '../ovs/stage.ts'
import { attack } from './table.ts'

const kills = Number(process.env['L2SM_KILLS'] ?? 8)

if (needs(t)) {
  const stage = await makeStage(t, { nodes: 3, podsPerNode: 3, start: false })
  t.setTimeout(120_000 + kills * 20_000)
  const { mesh } = stage
  const pods = mesh.pods()
  const on = (port: number) => pods.filter(pod => pod.port === port) as Pod[] as [Pod, Pod, Pod]
  const [red, churn] = [on(1), [...on(2), ...on(3)]]
  let running: Awaited<ReturnType<typeof startController>> | undefined

  const ask = async (method: string, path: string, body?: object) => {
    const json = { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
    const answer = await fetch(`${running!.base}${path}`, { method, ...(body ? json : {}) })
    return { status: answer.status, body: (await answer.json()) as any }
  }
  const start = async () => {
    running = await startController(t, [
      ...['--openflow', `tcp:${mesh.ctl.address}:${openflowPort}`, '--http', '127.0.0.1:0'],
      ...['--store', `sqlite:${join(mesh.directory, 'l2sm.db')}`],
    ])
    await Promise.all(mesh.nodes.map(node => node.reconnect()))
  }
  const compared = () =>
    until(
      'all switches are compared',
      async () => {
        const { switches } = (await ask('GET', '/v1/switches')).body
        return switches.filter((sw: any) => sw.state === 'live').length === mesh.nodes.length
      },
      { ms: 60_000 },
    )
  const placeOf = (pod: Pod) => `${mesh.node(pod.node).dpid}/${pod.port}`
  const members = async (): Promise<ReadonlySet<string>> => {
    const { attachments } = (await ask('GET', '/v1/networks/churn/attachments')).body
    return new Set(attachments.map(({ dpid, port }: any) => `${dpid}/${port}`))
  }
  const settled = (network: string) =>
    until(
      `${network} is programmed`,
      async () => (await ask('GET', `/v1/networks/${network}`)).body.state === 'programmed',
      { ms: 60_000 },
    )
  const held = async () => (await Promise.all(mesh.nodes.map(holdings))).flat().sort()

  attack(
    t,
    {
      id: 'F04',
      attack: `${kills} kill -9 of the controller at random moments, while ports come and go`,
      criterion: 'a network that is not touched loses 0; what was answered is so; 0 orphans',
    },
    async t => {
      const random = randomOf(4)
      await start()
      await compared()
      await until('the links are known', async () => (await ask('GET', '/v1/links')).body.links.length === 6)
      await ask('PUT', '/v1/networks/red', {})
      for (const pod of red) await ask('PUT', `/v1/networks/red/attachments/${placeOf(pod)}`, { mac: pod.mac })
      await settled('red')
      await sleep(300)
      const before = await held()
      /** By place, what the last answer said; of what was not answered nothing is known. */
      const answered = new Map<string, boolean>()
      let [lost, sent] = [0, 0]
      for (let kill = 0; kill < kills; kill++) {
        const talk = await streamTo(stage, red[0], red[2], 60, 500)
        await ask('PUT', '/v1/networks/churn', {})
        const changes = random.shuffled(churn).map(async pod => {
          const place = placeOf(pod)
          const isIn = random.fraction() < 0.6
          answered.delete(place)
          await sleep(random.between(0, 60))
          const { status } = await ask(
            isIn ? 'PUT' : 'DELETE',
            `/v1/networks/churn/attachments/${place}`,
            isIn ? { mac: pod.mac } : undefined,
          )
          if (status < 300) answered.set(place, isIn)
        })
        // Those that the kill catches fail.
        const all = Promise.allSettled(changes)
        await sleep(random.between(0, 150))
        await running!.stop('SIGKILL')
        await all
        await start()
        await compared()
        await talk.stop()
        const counted = await talk.finish()
        lost += counted.at(red[2]).lost - counted.at(red[2]).overflow
        sent += counted.sent
        const attached = await members()
        for (const [place, wanted] of answered) t.equal(attached.has(place), wanted, `${place} after kill ${kill + 1}`)
      }
      t.equal(lost, 0)
      await settled('churn')
      await sleep(300)
      const attached = await members()
      const together = churn.filter(pod => attached.has(placeOf(pod)))
      t.same(await hearing(stage, pods), apart(pods, red, together))
      await ask('DELETE', '/v1/networks/churn?wait=10s')
      const left = async () => (await held()).filter(line => !before.includes(line))
      await until('nothing of churn is left', async () => (await left()).length === 0, { ms: 30_000 })
      t.same(await held(), before)
      return `${lost} of ${sent} frames lost, ${(await left()).length} orphans`
    },
  )
}
