import { Type } from './type.ts'

/** What /v1/proof is asked, and answers. */

const closed = { additionalProperties: false } as const

export const ProofQuery = Type.Object(
  {
    tables: Type.Optional(
      Type.Enum(['desired', 'held'], {
        description: 'what the switches should hold (the default), or what they hold now: they are read',
      }),
    ),
  },
  closed,
)

const place = { dpid: Type.String(), port: Type.Integer() }
const entry = {
  dpid: Type.String(),
  tableId: Type.Integer(),
  entry: Type.String({ description: 'as ovs-ofctl prints it' }),
}
const Counterexample = Type.Object({
  fault: Type.String({
    description:
      'crosses, stray, controller, loop, spoofed, twice, reflected, misplaced, lost, shadowed; unknown: an entry cannot be followed',
  }),
  sentence: Type.String(),
  breaksIsolation: Type.Boolean(),
  network: Type.Optional(Type.String({ description: 'whose law it breaks; absent: of no network' })),
  frame: Type.Optional(Type.String({ description: 'a frame that shows it, in hex' })),
  from: Type.Optional(Type.Object(place, { description: 'the port that it is to be sent into' })),
  vni: Type.Optional(Type.Integer({ description: 'it comes over a link, with this VNI' })),
  at: Type.Optional(
    Type.Object(
      { ...place, vlan: Type.Optional(Type.Integer()) },
      { description: 'where it comes out; of `lost`, where it does not' },
    ),
  ),
  blame: Type.Optional(Type.Object(entry, { description: 'the entry to blame' })),
  path: Type.Array(Type.Object({ ...entry, inPort: Type.Integer() }), { description: 'the entries that it meets' }),
})
export const ProofAnswer = Type.Object({
  result: Type.Enum(['proved', 'refuted', 'unknown']),
  tables: Type.Enum(['desired', 'held']),
  revision: Type.Integer({ description: 'the revision of the store' }),
  counterexamples: Type.Array(Counterexample, { description: 'at most four of each fault of a network' }),
  covers: Type.Object({
    ...{ switches: Type.Integer(), networks: Type.Integer(), ports: Type.Integer(), entries: Type.Integer() },
  }),
  models: Type.Object(
    { openVSwitch: Type.Integer(), openFlow13: Type.Integer() },
    { description: 'how many switches were taken for what' },
  ),
  unread: Type.Array(Type.String(), { description: 'switches that could not be read now' }),
  assumptions: Type.Array(Type.String(), { description: 'what the proof rests on' }),
})
