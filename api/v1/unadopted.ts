import type { Progress } from '../../controller/view/view.ts'
import type { DatapathId } from '../../topology/topology.ts'
import type { Services } from '../http/services.ts'

/**
 * A connected switch that holds flows of another store, of which nothing is removed until somebody says that ours is
 * complete (docs/decisions/0003-an-unadopted-switch.md): what our store never knew cannot be taken away there.
 */
export const unadopted = ({ controller }: Services, concerned?: DatapathId): DatapathId | undefined =>
  controller
    .switches()
    .find(sw => sw.connected && sw.state === 'unadopted' && (concerned === undefined || sw.dpid === concerned))?.dpid

/** What a DELETE answers at once when it concerns such a switch, and there was nothing of ours to delete. */
export const notRemoved = (dpid: DatapathId, revision: number): Progress => ({
  state: 'degraded',
  reason: `nothing was removed from switch ${dpid}: it holds the flows of another store, and keeps them until PUT /v1/state {"complete": true} says that this one is complete`,
  revision,
})
