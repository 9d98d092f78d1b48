// What a switch says of itself and what the agent of its node says of its bridge, in one answer.
import t from 'tap'
import type { NodePlan } from '../../../api/contract/node-schemas.ts'
import type { SwitchView } from '../../../controller/view/view.ts'
import { startApi, stillController, switchView } from '../harness.ts'

t.test(
  'a switch that lost its flows shows since when, and that its fail mode is why, where an agent tells',
  async t => {
    let there: SwitchView[] = []
    const { call } = await startApi(t, { controller: stillController({ switches: () => there }).controller })
    const { plan }: { plan: NodePlan } = (await call('PUT', '/v1/nodes/a', { address: '192.0.2.1' })).body
    const emptied = { found: new Date('2030-01-31T12:00:09Z'), since: new Date('2030-01-31T12:00:00Z'), flows: 12 }
    there = [switchView({ dpid: plan.dpid, emptied }), switchView({ emptied: { ...emptied, since: undefined } })]
    const seen = async (dpid: string) => (await call('GET', `/v1/switches/${dpid}`)).body
    t.match((await seen(plan.dpid)).emptied, {
      ...{ found: '2030-01-31T12:00:09.000Z', since: '2030-01-31T12:00:00.000Z', flows: 12 },
      reason: /restarted, or another controller.*no agent tells/,
    })
    const report = (failMode: 'secure' | 'standalone') => ({
      ...{ node: 'a', time: '2030-01-31T12:00:10.000Z', agent: { version: '0' }, plan: plan.version },
      ...{ bridge: plan.bridge, dpid: plan.dpid, underlay: { address: '192.0.2.1' }, ports: [] },
      openvswitch: { version: '3.1.0', datapath: 'userspace', connected: true, failMode, inBand: true },
      health: { state: 'ok', reasons: [] },
    })
    await call('PUT', '/v1/nodes/a/report', report('standalone'))
    t.match(await seen(plan.dpid), {
      ...{ failMode: 'standalone', inBand: true },
      emptied: { reason: /fail mode is standalone.*set-fail-mode BRIDGE secure/ },
    })
    await call('PUT', '/v1/nodes/a/report', report('secure'))
    const { switches } = (await call('GET', '/v1/switches')).body
    t.match(switches[0], {
      failMode: 'secure',
      emptied: { reason: /^it was restarted, or another controller removed/ },
    })
    t.equal(switches[1].emptied.since, undefined)
    t.equal(switches[1].failMode, undefined)
  },
)
