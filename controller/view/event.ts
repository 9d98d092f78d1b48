// What happened, in one union. The log line, the metrics (event-metrics.ts) and the history all derive from these rows, and so
// does docs/events.md.
//
// To add an event: a row in `kinds`, with its fields as the type argument; then `emit({ kind: 'its-kind', ... })` where it
// happens. To count or measure something of it: a row in event-metrics.ts. `npm run docs` writes docs/events.md.
import type { DatapathId, Endpoint, Link, PortNo } from '../../topology/topology.ts'

/** How much it matters, least first; the log's level, too. */
export const severities = ['debug', 'info', 'warn', 'error'] as const
export type Severity = (typeof severities)[number]

/** The fields by which an event says what it is about: filters and limits go by them, in whichever kind they stand. */
export type Subject = {
  readonly network?: string | undefined
  readonly dpid?: DatapathId | undefined
  readonly port?: PortNo | undefined
  readonly node?: string | undefined
  readonly link?: Link | undefined
  /** The other port that it is about: who holds a contested address, or where it was before. */
  readonly other?: Endpoint | undefined
}

export type Row<Fields> = {
  readonly severity: Severity | ((event: Fields) => Severity)
  /** For docs/events.md: when there is one. */
  readonly when: string
  /** For the log, and for people who read the history. */
  readonly sentence: (event: Fields) => string
  /** Events of a kind with the same text share a limit (controller/history/limits.ts); else those with the same subject. */
  readonly limitedBy?: (event: Fields) => string
}
const brokenOn = {
  desired: 'is broken on desired tables',
  held: 'is broken on held tables',
  batch: 'would be broken by changes',
  found: 'was broken by what an audit found, and put right,',
} as const
const row = <Fields extends object>(row: Row<Fields>): Row<Fields> => row

type Switch = { readonly dpid: DatapathId }
type Network = { readonly network: string }

/** One object of the desired state that a write changed. `before` absent: it is new. `after` absent: it is gone. */
type Written = {
  /** The name of the credential, or `controller`: it follows a port that got another number. */
  readonly actor: string
  /** The collection, as the store calls it: network, attachment, declared, node, nodelink, overlay, complete. */
  readonly object: string
  readonly key: string
  readonly before?: unknown
  readonly after?: unknown
} & Subject

/** One flow, group or meter that was not as it should be, in ovs-ofctl's words. `before` absent: it was missing. */
export type Drift = { readonly before?: string; readonly after?: string }

const ms = (seconds: number): string => `${Math.round(seconds * 1e4) / 10} ms`
const at = ({ dpid, port }: Endpoint): string => `port ${port} of switch ${dpid}`
export const over = ({ from, to }: Link): string => `from ${at(from)} to ${at(to)}`
const did = ({ before, after }: Written): string =>
  before === undefined ? 'created' : after === undefined ? 'deleted' : 'changed'

export const kinds = {
  'controller-started': row<{ readonly version: string; readonly instance: string }>({
    severity: 'info',
    when: 'The controller is ready: switches and clients may connect.',
    sentence: ({ version, instance }) => `l2sm ${version} started on store ${instance}`,
  }),
  'controller-stopped': row<{ readonly instance: string }>({
    severity: 'info',
    when: 'The controller stops as it was asked to; after a crash there is none.',
    sentence: ({ instance }) => `l2sm stops; the switches keep the flows of store ${instance}`,
  }),

  write: row<Written>({
    severity: 'info',
    when: 'A write changed an object of the desired state, and is on disk: one event for each object, with what it was before and is after.',
    sentence: event => `${event.object} ${event.key} ${did(event)} by ${event.actor}`,
    limitedBy: ({ object, key }) => `${object} ${key}`,
  }),
  'write-rest': row<{ readonly actor: string; readonly count: number }>({
    severity: 'info',
    when: 'One write changed more objects than are told one by one.',
    sentence: ({ actor, count }) => `the same write by ${actor} changed ${count} more objects`,
  }),
  'not-stored': row<{ readonly what: string; readonly error: string }>({
    severity: 'warn',
    when: 'The controller could not store what it found out itself; it tries again.',
    sentence: ({ what, error }) => `${what} could not be stored, and will be tried again: ${error}`,
    limitedBy: ({ what }) => what,
  }),

  'network-compiled': row<Network & { readonly seconds: number; readonly switches: number }>({
    severity: 'debug',
    when: 'The flow tables of a network were worked out; its time is that of this network alone.',
    sentence: ({ network, seconds, switches }) =>
      `network ${network} compiled in ${ms(seconds)}; tables of ${switches} switches changed`,
  }),
  'network-programmed': row<Network & { readonly seconds: number; readonly written: number }>({
    severity: 'debug',
    when: 'All switches concerned have confirmed a write: `written` is its revision, and its time begins when the write was accepted.',
    sentence: ({ network, seconds, written }) =>
      `the switches hold revision ${written} of network ${network}, ${ms(seconds)} after it was written`,
  }),
  'network-refused': row<Switch & { readonly network?: string | undefined; readonly words: string }>({
    severity: 'error',
    when: 'A switch refused flows of a network, or (without `network`) its own; they are tried again.',
    sentence: ({ dpid, network, words }) =>
      `switch ${dpid} refused flows of ${network === undefined ? 'its own' : `network ${network}`}: ${words}`,
    limitedBy: ({ dpid }) => dpid,
  }),

  'switch-connected': row<Switch & { readonly remote: string; readonly software: string }>({
    severity: 'info',
    when: 'A switch finished its OpenFlow handshake.',
    sentence: ({ dpid, remote, software }) => `switch ${dpid} connected from ${remote} (${software})`,
  }),
  'switch-disconnected': row<Switch & { readonly reason: string }>({
    severity: 'warn',
    when: "A switch's connection ended; its flows stay.",
    sentence: ({ dpid, reason }) => `switch ${dpid} disconnected: ${reason}; its flows stay`,
  }),
  'switch-phase': row<Switch & { readonly from: string; readonly to: string; readonly reason?: string | undefined }>({
    severity: ({ to }) => (['unsupported', 'unsafe', 'unadopted'].includes(to) ? 'warn' : 'info'),
    when: 'What the controller may do on a switch changed: `from` one phase `to` another. A warning: nothing is programmed there.',
    sentence: ({ dpid, from, to, reason }) =>
      `switch ${dpid} went from ${from} to ${to}${reason === undefined ? '' : `: ${reason}`}`,
  }),
  'switch-emptied': row<Switch & { readonly flows?: number | undefined }>({
    severity: 'error',
    when: 'A switch that held our flows came back without any: it lost them while it was away, and carried no network until now. Without `flows`: it held them before the controller was started.',
    sentence: ({ dpid, flows }) =>
      `switch ${dpid} lost all of its ${flows === undefined ? '' : `${flows} `}flows while it was not connected, so its networks were down; they are being put back. A restart of the switch does that, a fail mode other than secure, or another controller`,
  }),
  'switch-drift': row<Switch & { readonly count: number; readonly items: readonly Drift[] }>({
    severity: 'warn',
    when: 'An audit found flows, groups or meters on a switch that were not as they should be, and put them right: `items` has the first of them, before and after.',
    sentence: ({ dpid, count }) =>
      `switch ${dpid} had drifted: ${count} of its flows, groups and meters were not as they should be, and are put right`,
  }),
  'proof-failed': row<{
    /** What GET /v1/proof was asked of; `batch`: changes, before they are sent; `found`: what an audit found on a switch. */
    readonly tables: 'desired' | 'held' | 'batch' | 'found'
    readonly fault: string
    readonly reason: string
    readonly network?: string
    readonly dpid?: DatapathId
    readonly port?: PortNo
    readonly frame?: string
    readonly entry?: string
    readonly at?: DatapathId
    /** Of what was found: when that switch was last seen to be right. */
    readonly since?: string
  }>({
    severity: 'error',
    when: 'Networks are not apart on the tables that GET /v1/proof was asked of (`desired`, `held`), on those that changes would make (`batch`, with --prove), or on those that an audit found (`found`, `since` that switch was last seen to be right): the first frame that shows it (hex, and the port to send it into), and the entry to blame.',
    sentence: ({ tables, reason, network, dpid, port, entry, at, since }) =>
      `isolation ${brokenOn[tables]}${network === undefined ? '' : ` of network ${network}`}: ${reason}${dpid === undefined ? '' : `, sent into port ${port} of switch ${dpid}`}${entry === undefined ? '' : `; to blame, on switch ${at}: ${entry}`}${since === undefined ? '' : `; that switch was right at ${since}`}${tables === 'desired' || tables === 'held' ? `. GET /v1/proof?tables=${tables} has all of it` : ''}`,
  }),
  'switch-unreadable': row<Switch & { readonly error: string }>({
    severity: 'warn',
    when: 'A switch did not answer as it should; it is read again.',
    sentence: ({ dpid, error }) => `switch ${dpid} did not answer as it should, and will be read again: ${error}`,
  }),
  'switch-limit': row<Switch & { readonly what: string }>({
    severity: 'info',
    when: 'A switch cannot do something that is useful and not needed.',
    sentence: ({ dpid, what }) => `switch ${dpid} ${what}`,
  }),
  'switch-takeover': row<Switch & { readonly actor: string; readonly removed: number }>({
    severity: 'warn',
    when: "A client asked to remove another controller's flows and groups from a switch.",
    sentence: ({ dpid, actor, removed }) =>
      `switch ${dpid} is taken over by ${actor}: ${removed} flows and groups of another controller go`,
  }),
  'datapath-claimed': row<Switch & { readonly remote: string; readonly holder: string }>({
    severity: 'error',
    when: 'A second switch connected with the datapath id of one that is connected and answers; it was refused.',
    sentence: ({ dpid, remote, holder }) =>
      `${remote} claims to be switch ${dpid}, which is connected from ${holder} and answers: refused. Two switches may not have one datapath id`,
  }),
  'connection-refused': row<{ readonly remote: string; readonly reason: string }>({
    severity: 'warn',
    when: 'A connection to an OpenFlow port ended before a switch was up.',
    sentence: ({ remote, reason }) => `OpenFlow connection from ${remote} ended before a switch was up: ${reason}`,
    limitedBy: ({ remote }) => remote.replace(/:\d+$/, ''),
  }),

  'link-found': row<{ readonly link: Link }>({
    severity: 'info',
    when: 'Probes found a link, in one direction.',
    sentence: ({ link }) => `link found ${over(link)}`,
  }),
  'link-moved': row<{ readonly link: Link; readonly before: Endpoint }>({
    severity: 'warn',
    when: 'Probes found that a port leads elsewhere than `before`.',
    sentence: ({ link, before }) => `${at(link.from)} leads to ${at(link.to)} now, and no longer to ${at(before)}`,
  }),
  'link-forgotten': row<{ readonly link: Link }>({
    severity: 'info',
    when: 'A link that probes had found is not used any more: its port has become an access port, or nodes are declared there.',
    sentence: ({ link }) => `link forgotten ${over(link)}`,
  }),
  'link-down': row<{ readonly link: Link }>({
    severity: 'warn',
    when: 'Probes do not arrive over a link any more, in one direction; no network uses it.',
    sentence: ({ link }) => `link down ${over(link)}: what leaves the one does not arrive at the other`,
  }),
  'link-up': row<{ readonly link: Link }>({
    severity: 'info',
    when: 'Probes arrive over a link again that was down.',
    sentence: ({ link }) => `link up again ${over(link)}`,
  }),

  'address-learned': row<Network & Endpoint & { readonly mac: string }>({
    severity: 'debug',
    when: 'A MAC address was learned at a port of a network.',
    sentence: ({ network, mac, ...place }) => `${mac} of network ${network} learned at ${at(place)}`,
  }),
  'address-moved': row<Network & Endpoint & { readonly mac: string; readonly other: Endpoint }>({
    severity: 'info',
    when: 'A learned MAC address moved from the port `other`.',
    sentence: ({ network, mac, other, ...place }) =>
      `${mac} of network ${network} moved from ${at(other)} to ${at(place)}`,
  }),
  'address-conflict': row<Network & Endpoint & { readonly mac: string; readonly other: Endpoint }>({
    severity: 'warn',
    when: 'Two ports of a network send from one MAC address: the port claims it, and `other` holds it.',
    sentence: ({ network, mac, other, ...place }) =>
      `${at(place)} sends from ${mac}, which ${at(other)} of network ${network} holds`,
  }),
  'ip-duplicate': row<
    Network & Endpoint & { readonly ip: string; readonly other: Endpoint; readonly by: 'declared' | 'seen' }
  >({
    severity: 'warn',
    when: 'Two ports of a network have one IP address: so it was declared, or a machine at the port says so in ARP or neighbour discovery (`by`).',
    sentence: ({ network, ip, other, by, ...place }) =>
      `${ip} of network ${network} is at ${at(place)} and at ${at(other)}${by === 'seen' ? ', as frames say' : ', as it was declared'}`,
  }),
  'port-suppressed': row<Network & Endpoint & { readonly reason: string }>({
    severity: 'warn',
    when: 'The controller does not listen to a port for some seconds: no address is learned there.',
    sentence: ({ network, reason, ...place }) =>
      `no addresses are learned at ${at(place)} of network ${network} for some seconds: ${reason}`,
  }),

  'port-cut-off': row<Network & Endpoint & { readonly other?: Endpoint; readonly reason: string }>({
    severity: 'error',
    when: 'A port leads the frames of its network back into it, and is cut off: a probe left by the port `other`, and came in again by this one.',
    sentence: ({ network, reason, other: _, ...place }) => `${at(place)} of network ${network} is cut off: ${reason}`,
  }),
  'port-let-in': row<Network & Endpoint>({
    severity: 'info',
    when: 'A port that was cut off is let in again: no probe has come back for a while.',
    sentence: ({ network, ...place }) =>
      `${at(place)} of network ${network} is let in again: it leads no frame back any more`,
  }),
  'limit-exceeded': row<Network & Endpoint & { readonly limit: string; readonly dropped: number }>({
    severity: 'warn',
    when: 'A port went beyond one of its limits: `broadcast`, `send` or `receive`. Told again when it has dropped nothing for a minute.',
    sentence: ({ network, limit, dropped, ...place }) =>
      `${at(place)} of network ${network} is beyond its ${limit} limit: ${dropped} frames were dropped`,
  }),

  'node-changed': row<{
    readonly node: string
    readonly from: string
    readonly to: string
    readonly missing: readonly string[]
  }>({
    severity: ({ to }) => (to === 'failing' || to === 'silent' ? 'warn' : 'info'),
    when: 'What an agent reported put its node into another state, or something else is missing there.',
    sentence: ({ node, from, to, missing }) =>
      `node ${node} ${from === to ? `is still ${to}` : `went from ${from} to ${to}`}${missing.length > 0 ? `: ${missing[0]}` : ''}`,
  }),
  'certificate-ending': row<{ readonly what: string; readonly ends: string; readonly isOver: boolean }>({
    severity: ({ isOver }) => (isOver ? 'error' : 'warn'),
    when: 'A certificate ends soon, or has ended: once a day.',
    sentence: ({ what, ends, isOver }) =>
      `a certificate for ${what} ${isOver ? 'ended' : 'ends'} on ${ends}: nobody can connect after that`,
  }),

  defect: row<{ readonly where: string; readonly error: string }>({
    severity: 'error',
    when: 'A defect of l2sm itself: please report it, with the log.',
    sentence: ({ where, error }) => `a defect of l2sm in ${where}: ${error}`,
    limitedBy: ({ where }) => where,
  }),
  'history-not-kept': row<{ readonly error: string }>({
    severity: 'warn',
    when: 'Events could not be written to disk: they are in memory only until that works again.',
    sentence: ({ error }) => `events are kept in memory only: ${error}`,
  }),
  'events-left-out': row<{
    readonly of: string
    readonly about: string
    readonly count: number
    readonly as: Severity
  }>({
    severity: ({ as }) => as,
    when: 'There were more events of one kind than the log and the history take; all are counted in l2sm_events_total.',
    sentence: ({ of, about, count }) => `${count} more events of kind ${of} were left out${about && ` (${about})`}`,
  }),
} as const

export type Kind = keyof typeof kinds
type FieldsOf<K extends Kind> = (typeof kinds)[K] extends Row<infer Fields> ? Fields : never
export type EventOf<Some extends Kind> = { [K in Some]: { readonly kind: K } & FieldsOf<K> }[Some]
export type Event = EventOf<Kind>
export type Emit = (event: Event) => void
