// What api/ may ask of a running controller.
import { attachmentKey } from '../store/keys.ts'
import type { State } from '../store/state.ts'
import { type DatapathId, endpointKey } from '../topology/topology.ts'
import { answerExplain } from './explain.ts'
import { limitViews } from './limits/limit-status.ts'
import { linkView, linkViews } from './link-view.ts'
import { networkMtu } from './links/network-mtu.ts'
import type { Parts } from './parts.ts'
import { answerProof } from './proving.ts'
import { attachmentCounts, progressOf } from './status.ts'
import { itemText } from './switch/item-text.ts'
import { inSlices } from './switch/slices.ts'
import { leaveAll } from './switch/state.ts'
import { switchFigures, switchView } from './switch-view.ts'
import { answerTrace } from './tracing.ts'
import type { Controller, Progress } from './view/view.ts'
import { vlinkView } from './vlink-status.ts'

export function answers(parts: Parts): Controller {
  const { store, switches, fabric, tables, tunnels, status, waiting, reconciler, discover, multicast, emit, start } =
    parts
  const { meters } = parts
  return {
    switches: () =>
      [...switches.values()]
        .sort((a, b) => (a.dpid < b.dpid ? -1 : 1))
        .map(sw => switchView(status(), sw, reconciler.base(sw.dpid))),
    *eachSwitch() {
      for (const sw of switches.values()) yield switchFigures(status(), sw, reconciler.base(sw.dpid))
    },
    switch(dpid) {
      const sw = switches.get(dpid)
      return sw && switchView(status(), sw, reconciler.base(sw.dpid))
    },
    connected: dpid => switches.get(dpid)?.session !== undefined,
    forget(dpid) {
      const sw = switches.get(dpid)
      if (!sw || sw.session !== undefined) return false
      switches.delete(dpid)
      leaveAll(sw)
      waiting.wake()
      return true
    },
    links: () =>
      [...linkViews(status(), discover.linkStatistics)].sort((a, b) =>
        endpointKey(a.from) < endpointKey(b.from) ? -1 : 1,
      ),
    eachLink: () => linkViews(status(), discover.linkStatistics),
    link: link => linkView(status(), link, discover.linkStatistics),
    probing: discover.probing,
    mtu: id =>
      networkMtu(store.state().networks.has(id) ? tables.compiled.get(tables.numberOf(id) ?? 0) : undefined, discover),
    linked: (a, b) => fabric.current().known.get(a)?.has(b) === true || isStored(store.state(), a, b),
    vlink(id) {
      const { network, vlinkPaths } = tables.compiled.get(tables.numberOf(id) ?? 0) ?? {}
      return (
        network?.vlink &&
        vlinkPaths &&
        vlinkView(network.vlink, vlinkPaths, switches, link => discover.linkStatistics(link)?.rttMs)
      )
    },
    network: id => (store.state().networks.has(id) ? progressOf(status(), id) : undefined),
    attachmentCounts: () => inSlices(attachmentCounts(status())),
    partitions(id) {
      const number = store.state().networks.get(id)?.number ?? 0
      const compiled = tables.compiled.get(number)
      return compiled?.wanted.partitions ?? []
    },
    multicast(id) {
      const network = store.state().networks.get(id)
      return network && multicast.view(network)
    },
    conflicts: parts.learner.conflicts,
    ipConflicts: parts.learner.ipConflicts,
    limits(key) {
      const { attachments, networks } = store.state()
      const attachment = attachments.get(key)
      const network = attachment && networks.get(attachment.network)
      return network ? limitViews(network, attachment, fabric.current().datapaths.get(attachment.dpid), meters) : []
    },
    readLimits: meters.read,
    *eachDrop() {
      const { attachments } = store.state()
      for (const { kind, dropped, dpid, port, vlan } of meters.each()) {
        const network = attachments.get(attachmentKey({ dpid, port, vlan }))?.network
        if (network !== undefined) yield { network, dpid, port, limit: kind, dropped }
      }
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
      return waiting.until(programmed, { timeoutMs, late: now, network: id })
    },
    async takeover(dpid, actor) {
      const sw = switches.get(dpid)
      if (!sw?.session) return { refused: `switch ${dpid} is not connected` }
      const removed = sw.phase.is === 'unsafe' ? sw.phase.foreign.map(itemText) : []
      sw.takeover = true
      sw.compare = 'asked'
      emit({ kind: 'switch-takeover', dpid, actor, removed: removed.length })
      start(sw)
      return { removed }
    },
    explain: question => answerExplain(parts, question),
    trace: question => answerTrace(parts, question),
    proof: tables => answerProof(parts, tables),
    ready: parts.readiness.now,
    tunnelsNotified: tunnels.notified,
  }
}

/** A link between these two that is too young to be in the mesh. */
function isStored({ declaredLinks, discoveredLinks }: State, a: DatapathId, b: DatapathId): boolean {
  for (const links of [declaredLinks, discoveredLinks])
    for (const { from, to } of links.values()) if (from.dpid === a && to.dpid === b) return true
  return false
}
