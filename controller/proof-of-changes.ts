// `--prove`: changes are proved before they are sent, and what an audit finds is judged by what it lets cross.
import type { DatapathId } from '../topology/topology.ts'
import type { Plan } from './compile/diff.ts'
import type { Item } from './compile/item.ts'
import { heldItems, planeOf, planeSwitch } from './data-planes.ts'
import { heldProof } from './held-proof.ts'
import type { Parts } from './parts.ts'
import type { Counterexample } from './proof/counterexample.ts'
import type { PlaneSwitch } from './proof/data-plane.ts'
import { newProver } from './proof/prover.ts'
import { isBreach, mostOfKind } from './proof/report.ts'
import { proofFailed, view } from './proving.ts'
import { prefixes } from './switch/order.ts'
import type { ProofOfChanges, Prove } from './switch/reconciler.ts'
import { inSlices } from './switch/slices.ts'
import type { Switch } from './switch/state.ts'
import { defectOf } from './view/recorded.ts'

type Asked = Pick<Parts, 'store' | 'switches' | 'fabric' | 'tables' | 'planned' | 'emit'>

/** While a batch for one switch is proved, the others are taken to hold what was allowed to leave for them before, all of it. */
export function proofOfChanges(parts: Asked, mode: Exclude<Prove, 'off'>): ProofOfChanges & { stop(): void } {
  const { store, tables, emit } = parts
  const held = heldProof(parts)
  /** Networks that were written to since the last batch. */
  const written = new Set<number>()
  const numbers = new Map([...store.state().networks].map(([id, { number }]) => [id, number]))
  const stop = store.watch(({ networks }, state) => {
    for (const id of networks) {
      const before = numbers.get(id)
      const number = state.networks.get(id)?.number
      for (const each of [before, number]) if (each !== undefined) written.add(each)
      if (number === undefined) numbers.delete(id)
      else numbers.set(id, number)
    }
  })
  /** Switches whose last batch is over. */
  const ended = new Set<Switch>()
  const judging = new Set<DatapathId>()
  /** One batch after the other: they share the proof. */
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = last.then(work)
    last = turn.catch(() => {})
    return turn
  }
  const whatBreaks = (asked: ReadonlySet<number>, dpid: DatapathId) => inSlices(held.breaches(asked, dpid))
  const numbersAt = (dpid: DatapathId) => new Set([...tables.at(dpid)].map(id => tables.numberOf(id) ?? 0))

  const judge = async (sw: Switch, plan: Plan): Promise<ReadonlyMap<number, Counterexample>> => {
    for (const each of [sw, ...ended]) held.clear(each)
    ended.clear()
    const changed = [...written]
    written.clear()
    await inSlices(held.follow(changed))
    const parts = [...prefixes(plan, sw.session?.can.bundles === true)]
    for (const [i, part] of parts.entries()) {
      const before = new Set(held.stale())
      for (const step of part) held.put(sw, step)
      const asked = new Set(part.flatMap(({ owner }) => (owner > 0 ? [owner] : [])))
      // What a switch holds for itself any frame may meet. What goes because it is nobody's was never proved to be of use.
      const isOwn = part.some(({ owner, does }) => owner > 0 || (owner === 0 && does !== 'delete'))
      const here = isOwn ? numbersAt(sw.dpid) : asked
      for (const number of held.stale()) if (!before.has(number) && here.has(number)) asked.add(number)
      const after = await whatBreaks(asked, sw.dpid)
      if (after.size === 0) continue
      // What was broken before is not the fault of what is about to be sent: it may well be what puts it right.
      held.clear(sw)
      for (const step of parts.slice(0, i).flat()) held.put(sw, step)
      const broken = await whatBreaks(asked, sw.dpid)
      const kinds = Map.groupBy(broken.values(), ({ fault, network }) => `${fault} ${network}`)
      const isKnown = (key: string, { fault, network }: Counterexample) =>
        broken.has(key) || (kinds.get(`${fault} ${network}`)?.length ?? 0) >= mostOfKind
      const [found] = [...after].filter(([key, it]) => !isKnown(key, it)).map(([, it]) => it)
      if (found) return new Map(part.map(({ owner }) => [owner, found]))
      for (const step of part) held.put(sw, step)
    }
    return new Map()
  }

  const drift = async (sw: Switch, items: readonly Item[], since: Date | undefined) => {
    const { dpid } = sw
    const planes = new Map<DatapathId, PlaneSwitch>()
    for (const other of parts.switches.values()) planes.set(other.dpid, planeSwitch(other, heldItems(other)))
    planes.set(
      dpid,
      planeSwitch(sw, owner => items.filter(item => owner === undefined || item.owner === owner)),
    )
    const plane = planeOf(parts, 'held', planes)
    const prover = newProver(plane)
    const asked = [...numbersAt(dpid)]
    await inSlices(prover.proveSome(asked, dpid))
    const breaches = [...asked.flatMap(prover.of), ...prover.at(dpid)].filter(isBreach)
    for (const it of breaches.slice(0, mostOfKind)) emit(proofFailed('found', view(plane, it), since))
  }

  return {
    stop,
    async broken(sw, plan) {
      const owners = new Set(Object.values(plan).flatMap(steps => steps.map(({ owner }) => owner)))
      try {
        const found = await inTurn(() => judge(sw, plan))
        const [first] = found.values()
        if (!first) return none
        emit(proofFailed('batch', view(planeOf(parts, 'held', noPlanes), first)))
        if (mode === 'enforce') return new Map([...found].map(([owner, it]) => [owner, wordsOf(it)]))
      } catch (error) {
        emit(defectOf(`the proof of changes to switch ${sw.dpid}`, error))
        if (mode === 'enforce') return new Map([...owners].map(owner => [owner, 'they could not be proved']))
      }
      return none
    },
    done: sw => void ended.add(sw),
    drifted(sw) {
      const { dpid } = sw
      if (judging.has(dpid)) return
      judging.add(dpid)
      const items = [...sw.held.items.values()]
      drift(sw, items, sw.rightAt)
        .catch(error => emit(defectOf(`the proof of what switch ${dpid} was found with`, error)))
        .finally(() => judging.delete(dpid))
    },
  }
}
const none: ReadonlyMap<number, string> = new Map()
const noPlanes: ReadonlyMap<DatapathId, PlaneSwitch> = new Map()

const wordsOf = ({ sentence, blame }: Counterexample): string =>
  `with them ${sentence}${blame ? ` (${blame.entry})` : ''}; the event proof-failed has one to send`
