// What is counted and measured of events. api/metrics.ts makes Prometheus' counters and histograms of these rows.
import type { EventOf, Kind } from './event.ts'

/** What one event adds: to a counter, or as one observation of a histogram. */
export type Sample = { readonly value: number; readonly labels?: { readonly [name: string]: string } }

export type EventMetric = {
  readonly name: string
  readonly help: string
  readonly is: 'counter' | 'histogram'
  readonly labels: readonly string[]
  /** By the kinds of which something is counted. Labels have few values: no names of networks, ports or addresses. */
  readonly of: { readonly [K in Kind]?: (event: EventOf<K>) => Sample }
}

const one = (labels?: Sample['labels']) => (): Sample => ({ value: 1, ...(labels && { labels }) })

/** To add one: a row. Its help sentence is a whole sentence, says the unit, and is tested (test/api/event-metrics.test.ts). */
export const eventMetrics: readonly EventMetric[] = [
  {
    name: 'l2sm_compile_duration_seconds',
    help: 'Time to compile one network, without the pauses between networks.',
    is: 'histogram',
    labels: [],
    of: { 'network-compiled': ({ seconds }) => ({ value: seconds }) },
  },
  {
    name: 'l2sm_programming_duration_seconds',
    help: 'Time from when a write was accepted, before it was on disk, until the last switch concerned had confirmed it; for each network that it changed.',
    is: 'histogram',
    labels: [],
    of: { 'network-programmed': ({ seconds }) => ({ value: seconds }) },
  },
  {
    name: 'l2sm_flow_repairs_total',
    help: 'Flows, groups and meters that audits found wrong and put right.',
    is: 'counter',
    labels: [],
    of: { 'switch-drift': ({ count }) => ({ value: count }) },
  },
  {
    name: 'l2sm_switches_emptied_total',
    help: 'Times that a switch came back without any of the flows that it held.',
    is: 'counter',
    labels: [],
    of: { 'switch-emptied': one() },
  },
  {
    name: 'l2sm_datapath_conflicts_total',
    help: 'Connections that were refused because a living switch has their datapath id.',
    is: 'counter',
    labels: [],
    of: { 'datapath-claimed': one() },
  },
  {
    name: 'l2sm_link_changes_total',
    help: 'Directions of links that were found, went down, came up again, moved or were forgotten.',
    is: 'counter',
    labels: ['change'],
    of: {
      'link-found': one({ change: 'found' }),
      'link-down': one({ change: 'down' }),
      'link-up': one({ change: 'up' }),
      'link-moved': one({ change: 'moved' }),
      'link-forgotten': one({ change: 'forgotten' }),
    },
  },
  {
    name: 'l2sm_ports_cut_off_total',
    help: 'Times that a port was cut off because it led frames of its network back into it.',
    is: 'counter',
    labels: [],
    of: { 'port-cut-off': one() },
  },
  {
    name: 'l2sm_address_moves_total',
    help: 'Learned MAC addresses that moved to another port.',
    is: 'counter',
    labels: [],
    of: { 'address-moved': one() },
  },
  {
    name: 'l2sm_ip_duplicates_total',
    help: 'IP addresses that two ports of a network were found to have, declared by a client or seen in frames.',
    is: 'counter',
    labels: ['by'],
    of: { 'ip-duplicate': ({ by }) => ({ value: 1, labels: { by } }) },
  },
  {
    name: 'l2sm_address_conflicts_total',
    help: 'Times that a port used a MAC address that another port of its network holds.',
    is: 'counter',
    labels: [],
    of: { 'address-conflict': one() },
  },
  {
    name: 'l2sm_ports_suppressed_total',
    help: 'Times that a port was not listened to for some seconds, because it said too much.',
    is: 'counter',
    labels: [],
    of: { 'port-suppressed': one() },
  },
  {
    name: 'l2sm_defects_total',
    help: 'Defects of l2sm itself that were met: any is worth a report.',
    is: 'counter',
    labels: [],
    of: { defect: one() },
  },
  {
    name: 'l2sm_events_left_out_total',
    help: 'Events that neither the log nor the history has, because there were too many of their kind.',
    is: 'counter',
    labels: ['kind'],
    of: { 'events-left-out': ({ of, count }) => ({ value: count, labels: { kind: of } }) },
  },
]
