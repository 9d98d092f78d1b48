// The proof of what the switches hold, kept from batch to batch. What is about to be sent to a switch is put over what it holds.
import type { Steps } from '../topology/steps.ts'
import type { DatapathId } from '../topology/topology.ts'
import type { Step } from './compile/diff.ts'
import type { Item } from './compile/item.ts'
import type { Datapath } from './compile/local-network.ts'
import { type Declared, heldItems, planeOf, planeSwitch } from './data-planes.ts'
import type { Parts } from './parts.ts'
import type { Counterexample } from './proof/counterexample.ts'
import type { PlaneSwitch } from './proof/data-plane.ts'
import { newProver } from './proof/prover.ts'
import { isBreach } from './proof/report.ts'
import type { Holdings } from './switch/content.ts'
import type { Switch } from './switch/state.ts'

export type HeldProof = {
  /** Takes over what has changed since: networks (by number), links, ports, and what switches hold. */
  follow(networks: Iterable<number>): Steps<void>
  /** Puts a step of a batch over what the switch holds. */
  put(sw: Switch, step: Step): void
  /** Forgets what was put over it: the switch holds what it holds. */
  clear(sw: Switch): void
  /** What breaks isolation among these networks and at the ports of this switch, by what is the same before and after a change. */
  breaches(numbers: Iterable<number>, dpid: DatapathId): Steps<ReadonlyMap<string, Counterexample>>
  /** Networks that are not proved, or not any more. */
  stale(): ReadonlySet<number>
}

type Known = {
  held: Holdings
  /** Owners of what has changed since it was looked at. */
  readonly changed: Set<number>
  datapath: Datapath | undefined
  isOpenVSwitch: boolean | undefined
  readonly over: Map<string, Item | undefined>
}

export function heldProof(parts: Declared & Pick<Parts, 'switches' | 'fabric'>): HeldProof {
  const { switches, fabric } = parts
  const planes = new Map<DatapathId, PlaneSwitch>()
  const known = new Map<DatapathId, Known>()
  const prover = newProver(planeOf(parts, 'held', planes))
  let { paths, known: mesh } = fabric.current()

  const planeFor = (sw: Switch, over: Known['over']): PlaneSwitch => {
    const holds = heldItems(sw)
    return planeSwitch(sw, function* (owner) {
      for (const item of holds(owner)) if (!over.has(item.key)) yield item
      for (const item of over.values()) if (item && (owner === undefined || item.owner === owner)) yield item
    })
  }
  const watch = (of: Known, held: Holdings) => {
    of.held = held
    of.changed.clear()
    of.over.clear()
    held.watch(owner => of.held === held && of.changed.add(owner))
  }
  const itemsChanged = (dpid: DatapathId, owners: Iterable<number>) => {
    for (const owner of owners) prover.itemsChanged(dpid, owner)
  }
  /** Whether its ports, its links or what it is may be others than they were. */
  const looksOther = (sw: Switch, isOtherMesh: boolean): boolean => {
    const { dpid, held, session } = sw
    const datapath = fabric.current().datapaths.get(dpid)
    const isOpenVSwitch = session?.can.nicira
    const of = known.get(dpid)
    if (!of) {
      const made: Known = { held, changed: new Set(), datapath, isOpenVSwitch, over: new Map() }
      known.set(dpid, made)
      watch(made, held)
      planes.set(dpid, planeFor(sw, made.over))
      return true
    }
    if (of.datapath === datapath && (!session || of.isOpenVSwitch === isOpenVSwitch)) return isOtherMesh
    Object.assign(of, { datapath, isOpenVSwitch })
    // Of a switch that went away the ports are remembered: its flows still run.
    if (session) planes.set(dpid, planeFor(sw, of.over))
    return true
  }
  const takeItems = ({ dpid, held }: Switch) => {
    const of = known.get(dpid)!
    if (of.held !== held) {
      watch(of, held)
      prover.itemsChanged(dpid)
      return
    }
    const owners = [...of.changed]
    of.changed.clear()
    itemsChanged(dpid, owners)
  }
  return {
    stale: prover.stale,
    *follow(networks) {
      for (const number of networks) {
        prover.networkChanged(number)
        yield
      }
      const now = fabric.current()
      const isOtherMesh = now.paths !== paths || now.known !== mesh
      paths = now.paths
      mesh = now.known
      const gone = [...known.keys()].filter(dpid => !switches.has(dpid))
      for (const dpid of gone) {
        known.delete(dpid)
        planes.delete(dpid)
      }
      const others = [...switches.values()].filter(sw => looksOther(sw, isOtherMesh)).map(({ dpid }) => dpid)
      if (gone.length + others.length > 0) prover.switchesChanged([...gone, ...others])
      for (const sw of switches.values()) {
        takeItems(sw)
        yield
      }
    },
    put({ dpid }, { item, does }) {
      const { held, over } = known.get(dpid)!
      const before = over.has(item.key) ? over.get(item.key) : held.items.get(item.key)
      // A flow is deleted with its cookie: what meanwhile stands there under another owner stays.
      if (does === 'delete' && before?.owner !== item.owner) return
      over.set(item.key, does === 'delete' ? undefined : item)
      itemsChanged(dpid, new Set([item.owner, ...(before ? [before.owner] : [])]))
    },
    clear({ dpid }) {
      const of = known.get(dpid)
      if (!of || of.over.size === 0) return
      const owners = new Set<number>()
      for (const [key, item] of of.over) for (const it of [item, of.held.items.get(key)]) if (it) owners.add(it.owner)
      of.over.clear()
      itemsChanged(dpid, owners)
    },
    *breaches(numbers, dpid) {
      const asked = [...numbers]
      yield* prover.proveSome(asked, dpid)
      const found = new Map<string, Counterexample>()
      for (const it of [...asked.flatMap(prover.of), ...prover.at(dpid)]) if (isBreach(it)) found.set(keyOf(it), it)
      return found
    },
  }
}

/** The same fault, from the same port to the same port, whichever frame shows it and whichever entry is to blame. */
const keyOf = ({ fault, network, from, at }: Counterexample): string => JSON.stringify([fault, network, from, at])
