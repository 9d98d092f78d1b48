// What api/ may ask of a running controller.
import { formatFlow, formatGroup } from '../openflow/index.ts'
import type { Item } from './item.ts'
import type { Parts } from './parts.ts'
import { linkViews, progressOf, readiness, switchView } from './status.ts'
import type { Controller, Progress } from './view.ts'

export function answers({
  store,
  tables,
  switches,
  status,
  waiting,
  reconciler,
  discover,
  multicast,
  tunnels,
  log,
  start,
}: Parts): Controller {
  return {
    switches: () =>
      [...switches.values()]
        .sort((a, b) => (a.dpid < b.dpid ? -1 : 1))
        .map(sw => switchView(status(), sw, reconciler.base)),
    switch(dpid) {
      const sw = switches.get(dpid)
      return sw && switchView(status(), sw, reconciler.base)
    },
    connected: dpid => switches.get(dpid)?.session !== undefined,
    links: () => linkViews(status(), discover.figures),
    network: id => (store.state().networks.has(id) ? progressOf(status(), id) : undefined),
    islands(id) {
      const number = store.state().networks.get(id)?.number ?? 0
      const compiled = tables.compiled.get(number)
      return compiled?.wanted.islands ?? []
    },
    multicast(id) {
      const network = store.state().networks.get(id)
      return network && multicast.view(network)
    },
    attachment(key) {
      const attachment = store.state().attachments.get(key)
      return attachment && progressOf(status(), attachment.network, key)
    },
    settled(id, revision, timeoutMs, about) {
      const now = (): Progress => progressOf(status(), id, about, revision) ?? { state: 'programmed', revision }
      const programmed = () => {
        const progress = now()
        return progress.state === 'programmed' ? progress : undefined
      }
      return waiting.until(programmed, timeoutMs, now)
    },
    async takeover(dpid) {
      const sw = switches.get(dpid)
      if (!sw?.session) return { refused: `switch ${dpid} is not connected` }
      const removed = sw.standing.is === 'unsafe' ? sw.standing.foreign.map(describe) : []
      sw.takeover = true
      sw.compare = 'asked'
      log.warn({ dpid, removed: removed.length }, 'switch is taken over')
      start(sw)
      return { removed }
    },
    ready: () => readiness(status()),
    tunnelsTold: tunnels.told,
  }
}

const describe = (item: Item): string => {
  if (item.kind === 'flow') return formatFlow(item)
  if (item.kind === 'group') return formatGroup({ groupId: item.id, groupType: item.groupType, buckets: item.buckets })
  return `meter=${item.id}`
}
