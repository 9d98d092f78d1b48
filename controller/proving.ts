// The proof of isolation as it is asked for: on what switches are to hold, or on what they hold now.
import type { DatapathId } from '../topology/topology.ts'
import { type DataPlanes, dataPlane } from './data-planes.ts'
import type { Counterexample } from './proof/counterexample.ts'
import type { DataPlane, PlaneSwitch } from './proof/data-plane.ts'
import { newProver } from './proof/prover.ts'
import { isBreach } from './proof/report.ts'
import { readBack } from './read-back.ts'
import { inSlices } from './switch/slices.ts'
import type { Emit, EventOf } from './view/event.ts'
import type { CounterexampleView, ProofAnswer } from './view/proof.ts'

const assumptions = [
  'switches do what OpenFlow 1.3.5 says; Open vSwitch looks at one VLAN tag, others at all',
  'links lead where they are said to lead, and nobody else puts frames into them',
  'a meter lets every frame pass; a frame has three VLAN tags at most',
  'where multicast is snooped, and in networks with strict ports, it is not proved that everybody gets what is sent',
] as const

/** A store that is written to meanwhile is not seen at one moment: then it is tried again, so often at most. */
const mostTries = 3

type Asked = DataPlanes & { readonly emit: Emit }

export async function answerProof(parts: Asked, tables: DataPlane['tables']): Promise<ProofAnswer> {
  for (let tries = 1; ; tries++) {
    const { revision } = parts.store.state()
    const answer = await proofOf(parts, tables)
    if (answer.result !== 'proved' && tries < mostTries && parts.store.state().revision !== revision) continue
    const worst = answer.counterexamples.find(it => it.breaksIsolation)
    if (worst) parts.emit(proofFailed(tables, worst))
    return answer
  }
}

async function proofOf(parts: Asked, tables: DataPlane['tables']): Promise<ProofAnswer> {
  const known = dataPlane(parts, tables)
  const switches = new Map<DatapathId, PlaneSwitch>(known.switches)
  const unread: DatapathId[] = []
  for (const sw of tables === 'held' ? parts.switches.values() : []) {
    const items = await readBack(sw)
    if (!items) unread.push(sw.dpid)
    else
      switches.set(sw.dpid, {
        ...known.switches.get(sw.dpid)!,
        items: (owner?: number) => items.filter(i => owner === undefined || i.owner === owner),
      })
  }
  const plane: DataPlane = { ...known, switches }
  const proof = await inSlices(newProver(plane).prove())
  const { is: result, revision, counterexamples, covers, models } = proof
  return {
    ...{ result, tables, revision, covers, models, unread, assumptions },
    counterexamples: counterexamples.map(it => view(plane, it)),
  }
}

/** As the API and events tell it. */
export function view(plane: Pick<DataPlane, 'network'>, it: Counterexample): CounterexampleView {
  const { network, tunnel, ...rest } = it
  const id = plane.network(network)?.id
  return {
    ...rest,
    breaksIsolation: isBreach(it),
    ...(id !== undefined && { network: id }),
    ...(tunnel !== undefined && { vni: tunnel }),
  }
}

/** @param since When the switch was last seen to be right, if it is about what was found there. */
export const proofFailed = (tables: EventOf<'proof-failed'>['tables'], it: CounterexampleView, since?: Date) => ({
  kind: 'proof-failed' as const,
  ...{ tables, fault: it.fault, reason: it.sentence },
  ...(it.network !== undefined && { network: it.network }),
  ...(it.from && { dpid: it.from.dpid, port: it.from.port }),
  ...(it.frame !== undefined && { frame: it.frame }),
  ...(it.blame && { entry: it.blame.entry, at: it.blame.dpid }),
  ...(since && { since: since.toISOString() }),
})
