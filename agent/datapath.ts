/** Which datapath the bridge of a plan has: the kernel's, or that in ovs-vswitchd. */

import type { NodePlan } from '../api/contract/node-schemas.ts'
import { kernelDatapath } from './machine/machine.ts'
import type { Database } from './ovsdb/schema.ts'
import { bridgeNamed, type Datapath } from './switch/desired.ts'

/** Remembers whether the kernel has a datapath. */
export function createDatapathChoice() {
  const tried = new Map<string, Promise<boolean>>()
  const kernel = async (copy: Database): Promise<boolean> => {
    const offered = [...copy.Open_vSwitch.values()][0]?.datapath_types ?? []
    const key = offered.join()
    if (!tried.has(key)) tried.set(key, kernelDatapath(offered))
    return (await tried.get(key)) === true
  }
  const datapathOf = async ({ bridge, openvswitch }: NodePlan, copy: Database): Promise<Datapath> => {
    if (openvswitch.datapath !== 'auto') return openvswitch.datapath === 'kernel' ? 'system' : 'netdev'
    const actual = bridgeNamed(copy, bridge)
    // Another datapath would be another switch, without flows: a module that is loaded later changes nothing.
    if (actual) return actual.datapath_type === 'netdev' ? 'netdev' : 'system'
    return (await kernel(copy)) ? 'system' : 'netdev'
  }
  return { kernel, datapathOf }
}
