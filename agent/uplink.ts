/** Keeps the node's addresses where the plan and the state of Open vSwitch want them: on the node's device, or on br-phy. */

import type { NodePlan } from '../api/contract/node-schemas.ts'
import type { Log } from './log.ts'
import { moveAddresses } from './machine/addresses.ts'
import { type Machine, physical, type Saved } from './node/underlay.ts'
import type { Database } from './ovsdb/schema.ts'
import { bridgeNamed, mark } from './switch/desired.ts'

export type Uplink = {
  /** Why the addresses can not be on br-phy. They are not moved again until there is another plan. */
  fault(): string | undefined
  forget(): void
  /** @param careful Make sure that somebody still answers afterwards. */
  place(plan: NodePlan, saved: Saved, copy: Database, machine: Machine, careful: boolean): Promise<void>
}

export function createUplink(log: Log, { moved, failed }: { moved(): void; failed(): void }): Uplink {
  let fault: string | undefined
  return {
    fault: () => fault,
    forget: () => {
      fault = undefined
    },
    async place(plan, saved, copy, machine, careful) {
      const bridge = machine.devices.get(physical)
      const ours = bridgeNamed(copy, physical)?.external_ids[mark] === plan.bridge
      // Without ovs-vswitchd the device is there and leads nowhere.
      const leads = bridge !== undefined && (bridge.carrier || !bridge.up)
      const target = ours && leads && fault === undefined ? physical : saved.device
      const say = (commands: readonly string[]) => log.info({ commands }, `the node's addresses go to ${target}`)
      const result = await moveAddresses(saved, target, machine, careful ? plan : undefined, say)
      if (result.is === 'put back') {
        fault = `the node's addresses can not be on ${physical}, and are on ${saved.device} again: ${result.why}`
        log.error({}, fault)
        failed()
      } else if (result.is === 'moved') {
        if (result.but !== undefined) log.error({}, result.but)
        moved()
      }
    },
  }
}
