// Writes docs/events.md: what there are events of, and what is counted of them.
import { kinds } from '../controller/view/event.ts'
import { eventMetrics } from '../controller/view/event-metrics.ts'

export function eventsDocument(): string {
  const rows = Object.entries(kinds).map(([kind, { severity, when }]) => {
    const shown = typeof severity === 'function' ? 'it depends' : severity
    return `| \`${kind}\` | ${shown} | ${when} |`
  })
  const metrics = eventMetrics.map(({ name, is, help, of }) => {
    const from = Object.keys(of).map(kind => `\`${kind}\``)
    return `| \`${name}\` | ${is} | ${help} | ${from.join(', ')} |`
  })
  return `# Events

Written from controller/view/event.ts and event-metrics.ts by \`npm run docs\`.

Everything that happens is told once, and from there comes to the log, to \`/metrics\` and to the history, which
\`GET /v1/events\` answers. There each event has \`id\`, \`time\`, \`revision\` (of the store), \`severity\`, \`kind\` and \`sentence\`; what it is
about: \`network\`, \`dpid\`, \`port\`, \`node\`, \`link\`; who did it: \`actor\`; and what changed: \`before\` and \`after\`.

    curl 'http://127.0.0.1:8181/v1/events?severity=warn&limit=20'
    curl 'http://127.0.0.1:8181/v1/events?since=17&network=net-a'
    curl -N -H 'Accept: text/event-stream' http://127.0.0.1:8181/v1/events

The history is bounded: 10,000 events and 8 MiB, in memory and in the file \`STORE-events.jsonl\` (one JSON object a line) beside the store; a flood
of one kind pushes out only that kind. Of one kind about one thing the log and the history take 10 at once and one each 10 s; the rest is counted.
A client that follows events and falls behind gets an event \`gap\`, and is cut off; it may come back with \`Last-Event-ID\`.

| kind | severity | when |
| --- | --- | --- |
${rows.join('\n')}

| metric | | says | of |
| --- | --- | --- | --- |
| \`l2sm_events_total\` | counter | All events, by kind and severity. | all |
${metrics.join('\n')}
`
}
