import { Type } from './type.ts'

/** What /v1/explain is asked, and answers. */

const end = Type.String({
  description:
    'a port: DPID/PORT (with /VLAN behind it if it has tags), or an attachment by its name, MAC or IP address',
  minLength: 1,
  maxLength: 320,
})
export const ExplainQuery = Type.Object(
  {
    ...{ from: end, to: end },
    size: Type.Optional(
      Type.String({
        description:
          'the largest packet that is to pass, in bytes after the Ethernet header; the declared MTU of the nodes unless given, else 1280',
        pattern: '^[1-9][0-9]{0,4}$',
      }),
    ),
  },
  { additionalProperties: false },
)

const endpoint = Type.Object({ dpid: Type.String(), port: Type.Integer() })
const Place = Type.Object({
  ...endpoint.properties,
  network: Type.Optional(Type.String()),
  vlan: Type.Optional(Type.Integer()),
  name: Type.Optional(Type.String()),
  mac: Type.Optional(Type.String()),
  ips: Type.Optional(Type.Array(Type.String())),
})
const mtu = Type.Optional(
  Type.Integer({ description: 'the largest packet that passes: bytes after the Ethernet header' }),
)
const rttMs = Type.Optional(Type.Number({ description: 'milliseconds there and back, as probes measure it' }))
export const ExplainAnswer = Type.Object({
  revision: Type.Integer({ description: 'the revision of the store' }),
  reaches: Type.Enum(['yes', 'no', 'unknown'], {
    description: 'unknown: a switch could not be asked, or is not finished; what is known stands in `findings`',
  }),
  summary: Type.String({ description: 'one sentence' }),
  from: Type.Optional(Place),
  to: Type.Optional(Place),
  findings: Type.Array(
    Type.Object({
      check: Type.String({ description: 'which check found it' }),
      sentence: Type.String(),
      remedy: Type.String({ description: 'what to do' }),
      dpid: Type.Optional(Type.String({ description: 'the switch to look at' })),
      entry: Type.Optional(Type.String({ description: 'the entry to blame, as ovs-ofctl prints it' })),
    }),
    { description: 'what stands in the way; the first is what to mend first' },
  ),
  way: Type.Optional(
    Type.Array(Type.Object({ from: endpoint, to: endpoint, rttMs, mtu }), {
      description: 'the links on the way, in order',
    }),
  ),
  ...{ rttMs, mtu },
})
