// What a proof comes to: counterexamples, and how much it is about.
import { type DatapathId, endpointKey } from '../../topology/topology.ts'
import { type Counterexample, counterexample, named } from './counterexample.ts'
import type { DataPlane } from './data-plane.ts'
import type { Fabric } from './journey.ts'
import { type Breach, type Fault, faults } from './law.ts'
import type { ModelSwitch, Spec } from './model.ts'
import type { Rule } from './rule.ts'

export type Proof = {
  readonly is: 'proved' | 'refuted' | 'unknown'
  readonly tables: DataPlane['tables']
  readonly revision: number
  readonly counterexamples: readonly Counterexample[]
  /** How much it is about. */
  readonly covers: {
    readonly switches: number
    readonly networks: number
    readonly ports: number
    readonly entries: number
  }
  /** Switches by what they were taken for. */
  readonly models: { readonly openVSwitch: number; readonly openFlow13: number }
}

/** So many counterexamples of one kind are enough, of a network or a switch. */
export const mostOfKind = 4

/** Breaches as counterexamples, one of each kind and place. */
export function collector(fabric: Fabric, numbers: readonly number[]) {
  const found: Counterexample[] = []
  const seen = new Set<string>()
  const isNew = (fault: Fault, key: string) =>
    !seen.has(key) && found.filter(it => it.fault === fault).length < mostOfKind && seen.add(key) !== undefined
  return {
    found,
    take(breach: Breach) {
      const { fault, from, at } = breach
      if (isNew(fault, `${fault} ${endpointKey(from)} ${at ? endpointKey(at) : ''}`))
        found.push(counterexample(fabric, breach, numbers))
    },
    shadowed(dpid: DatapathId, network: number, rules: readonly Rule[]) {
      for (const { entry } of rules) {
        const blame = named(dpid, entry)
        if (isNew('shadowed', `shadowed ${dpid} ${blame.entry}`))
          found.push({ fault: 'shadowed', sentence: faults.shadowed.sentence, network, blame, path: [] })
      }
    },
  }
}

export function reportOf(
  plane: DataPlane,
  spec: Spec,
  switches: ReadonlyMap<DatapathId, ModelSwitch>,
  counterexamples: readonly Counterexample[],
): Proof {
  let ports = 0
  let entries = 0
  let openVSwitch = 0
  for (const number of spec.networks.keys()) ports += spec.members(number).length
  for (const sw of switches.values()) {
    entries += sw.count()
    if (sw.isOpenVSwitch) openVSwitch += 1
  }
  const known = counterexamples.filter(({ fault }) => fault !== 'unknown')
  return {
    is: known.length > 0 ? 'refuted' : counterexamples.length > 0 ? 'unknown' : 'proved',
    ...{ tables: plane.tables, revision: plane.revision, counterexamples },
    covers: { switches: switches.size, networks: spec.networks.size, ports, entries },
    models: { openVSwitch, openFlow13: switches.size - openVSwitch },
  }
}

/** Whether a counterexample lets a frame out of its network, or us hear what is not ours. */
export const isBreach = ({ fault }: { readonly fault: Fault }): boolean => faults[fault].isolation
