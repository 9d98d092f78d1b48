// What the agent says to Prometheus, held against Prometheus' own check.
import { spawnSync } from 'node:child_process'
import t from 'tap'
import { createMetrics } from '../../agent/metrics.ts'

t.test('promtool has nothing to say, and scrapes that overlap do not disturb each other', async t => {
  const metrics = createMetrics('1.2.3')
  metrics.reported('ok')
  metrics.counters.looked(0.02)
  const texts = await Promise.all([1, 2, 3].map(() => metrics.scrape({ state: 'ok', reasons: [] }, undefined)))
  for (const text of texts) {
    t.match(text, /^l2sm_agent_healthy 1$/m)
    t.equal(text.match(/^process_cpu_seconds_total /gm)?.length, 1)
  }
  const { status, stderr, stdout, error } = spawnSync('promtool', ['check', 'metrics'], {
    input: texts[0],
    encoding: 'utf8',
  })
  if (error) return t.comment('promtool is not here (Debian: prometheus)')
  t.same([status, `${stdout}${stderr}`.trim()], [0, ''])
})
