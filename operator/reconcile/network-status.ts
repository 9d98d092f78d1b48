import type { Output } from '../../api/contract/client.ts'
import { type L2Network, place } from '../kube/objects.ts'
import type { World } from '../world/world.ts'
import { type Member, setCondition, type Work } from './work.ts'

type Status = NonNullable<L2Network['status']>

/** What is told of a network: how it is, or what is wrong with it. */
export type Told =
  | { readonly problem: { readonly reason: string; readonly message: string; readonly isAway?: boolean } }
  | {
      readonly connected: number
      readonly all: number
      readonly assigned: Readonly<Record<string, string>>
      readonly mtu?: number | undefined
      readonly why?: string | undefined
    }

export const networkStatus = (
  world: World,
  id: string,
  members: readonly Member[],
  seen: Output<'getNetwork'>,
): Told => {
  const pending = members.filter(({ attachment }) => attachment !== undefined && attachment.state !== 'programmed')
  const [first] = pending
  const assigned = [...world.ledger.addresses(id)].map(([address, { pod }]) => [address, pod.name] as const)
  return {
    connected: members.length - pending.length,
    all: members.length,
    assigned: Object.fromEntries(assigned.sort(([a], [b]) => (a < b ? -1 : 1))),
    mtu: seen.mtu,
    why:
      first &&
      `port of pod ${first.spec.pod.name} is ${first.attachment!.state}: ${first.attachment!.reason ?? 'the switch has not confirmed it'}`,
  }
}

/** Only what differs is written: an empty difference writes nothing. */
export const writeStatus = async ({ world }: Work, network: L2Network, told: Told): Promise<void> => {
  const { generation } = network.metadata
  const before = network.status ?? {}
  const observed = generation === undefined ? {} : { observedGeneration: generation }
  const pools = world.network(network.metadata.namespace!, network.metadata.name)
  const condition = conditionOf(told, pools.is === 'unusable' ? pools.why : undefined)
  const conditions = setCondition(before.conditions, { type: 'Ready', ...condition, ...observed })
  const fields =
    'problem' in told
      ? { internalConnectivity: told.problem.isAway ? 'Unavailable' : 'Available' }
      : statusOf(told, before)
  const next = { ...fields, ...observed, ...(conditions && { conditions }) }
  const changed = Object.entries(next).filter(
    ([field, value]) => JSON.stringify(before[field as keyof Status]) !== JSON.stringify(value),
  )
  if (changed.length === 0) return
  // Addresses that are gone must be said to be so: a merge patch keeps what it does not name.
  const gone = Object.keys(before.assignedIPs ?? {}).filter(ip => 'assigned' in told && !(ip in told.assigned))
  const assignedIPs = { ...('assigned' in told && told.assigned), ...Object.fromEntries(gone.map(ip => [ip, null])) }
  const status = {
    ...Object.fromEntries(changed),
    ...(changed.some(([field]) => field === 'assignedIPs') && { assignedIPs }),
  }
  await world.api.patch(`${place('l2networks', network.metadata)}/status`, 'merge', {
    metadata: { uid: network.metadata.uid },
    status,
  })
}

const statusOf = ({ connected, all, assigned, mtu }: Exclude<Told, { problem: unknown }>, before: Status) => {
  const fresh = Object.keys(assigned).filter(ip => !(ip in (before.assignedIPs ?? {})))
  return {
    ...{ internalConnectivity: 'Available', connectedPodCount: connected, pods: `${connected}/${all}` },
    ...((Object.keys(assigned).length > 0 || before.assignedIPs) && { assignedIPs: assigned }),
    ...(fresh.length > 0 && { lastAssignedIP: fresh.at(-1) }),
    ...(mtu !== undefined && { mtu }),
  }
}

const conditionOf = (told: Told, unusable: string | undefined) => {
  if ('problem' in told) return { status: 'False' as const, reason: told.problem.reason, message: told.problem.message }
  if (unusable !== undefined) return { status: 'False' as const, reason: 'BadAddresses', message: unusable }
  if (told.connected < told.all) return { status: 'False' as const, reason: 'Pending', message: told.why ?? '' }
  const pods = told.all === 1 ? '1 pod' : `${told.all} pods`
  return {
    status: 'True' as const,
    reason: 'Programmed',
    message: told.all === 0 ? 'no pod is in it' : `the switches have the ports of ${pods}`,
  }
}
