import type { MulticastView } from '../../controller/view/view.ts'
import type { Network } from '../../store/state.ts'
import { shownGroups } from '../contract/limits.ts'
import type { Services } from '../http/services.ts'

type Port = Omit<MulticastView['ports'][number], 'groups'> & { groups: string[] }

/** Who gets which multicast, in a network that snoops; of so many groups as one answer should hold. */
export const snoopingOf = ({ controller }: Services, { id }: Network) => {
  const view = controller.multicast(id)
  if (!view) return {}
  const sorted = view.ports.toSorted((a, b) => (a.dpid < b.dpid ? -1 : a.dpid > b.dpid ? 1 : a.port - b.port))
  const ports: Port[] = []
  let left = shownGroups
  for (const { groups, ...port } of sorted) {
    if (left <= 0) break
    ports.push({ ...port, groups: groups.slice(0, left) })
    left -= Math.max(1, groups.length)
  }
  return {
    snooping: {
      groups: view.groups,
      querier: view.querier,
      ports,
      isWhole: left >= 0 && ports.length === sorted.length,
    },
  }
}
