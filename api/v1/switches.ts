import type { SwitchView } from '../../controller/view/view.ts'
import { forgetSwitch } from '../../store/switches.ts'
import * as schemas from '../contract/schemas.ts'
import { sendList } from '../http/lists.ts'
import { problem } from '../http/problems.ts'
import { type App, type Services, write } from '../http/services.ts'
import { dpidOf } from './endpoints.ts'
import type { NodeServices } from './nodes.ts'

export const switchRoutes = (app: App, services: NodeServices): void => {
  const { store, controller } = services
  const tags = ['switches']

  app.get(
    '/v1/switches',
    { schema: { tags, summary: 'All switches, by datapath id', response: { 200: schemas.Switches } } },
    async (_, reply) =>
      sendList(services, reply, 'switches', () => ({
        head: { revision: store.state().revision },
        items: controller.switches(),
        each: ({ ports: _, ...rest }) => answered(services, rest),
      })),
  )

  app.get(
    '/v1/switches/:dpid',
    { schema: { tags, summary: 'One switch', params: schemas.SwitchPath, response: { 200: schemas.Switch } } },
    async request => {
      const { ports, ...rest } = findSwitch(services, request.params.dpid)
      return {
        ...answered(services, rest),
        ports: ports.toSorted((a, b) => a.number - b.number),
        revision: store.state().revision,
      }
    },
  )

  app.delete(
    '/v1/switches/:dpid',
    {
      config: { needs: 'admin' },
      schema: {
        tags,
        summary: 'Forgets a switch that does not come back',
        params: schemas.SwitchPath,
        response: { 200: schemas.SwitchDeleted },
      },
    },
    async request => {
      const dpid = dpidOf(request.params.dpid)
      if (controller.connected(dpid)) throw problem('switch-connected', [dpid], { what: dpid })
      const { forgotten, revision } = await write(services, request.actor, draft => forgetSwitch(draft, dpid))
      const wasKnown = controller.forget(dpid)
      return { deleted: forgotten || wasKnown, revision }
    },
  )

  app.post(
    '/v1/switches/:dpid/takeover',
    {
      config: { needs: 'admin' },
      schema: {
        tags,
        summary: 'Removes the flows and groups of another controller from a switch',
        params: schemas.SwitchPath,
        response: { 200: schemas.Takeover },
      },
    },
    async request => {
      const { dpid } = findSwitch(services, request.params.dpid)
      const result = await controller.takeover(dpid, request.actor.name)
      if ('refused' in result) throw problem('takeover-refused', [result.refused], { what: dpid })
      return { dpid, removed: [...result.removed], revision: store.state().revision }
    },
  )
}

/** A switch as it is answered: times are words, and of its bridge what the agent of its node says. */
function answered({ store, reports }: NodeServices, sw: Omit<SwitchView, 'ports'>) {
  const { unknown, limitsMissing, conflict, emptied, ...rest } = sw
  const node = store.state().nodeAt.get(sw.dpid)
  const { failMode, inBand } = (node === undefined ? undefined : reports.of(node))?.report.openvswitch ?? {}
  return {
    ...rest,
    ...(unknown && { unknown: [...unknown] }),
    ...(limitsMissing && { limitsMissing: [...limitsMissing] }),
    ...(conflict && {
      conflict: { ...conflict, since: conflict.since.toISOString(), last: conflict.last.toISOString() },
    }),
    ...(emptied && {
      emptied: {
        found: emptied.found.toISOString(),
        ...(emptied.since && { since: emptied.since.toISOString() }),
        ...(emptied.flows !== undefined && { flows: emptied.flows }),
        reason: causeOf(failMode),
      },
    }),
    ...(failMode && { failMode }),
    ...(inBand !== undefined && { inBand }),
  }
}

const causeOf = (failMode: 'secure' | 'standalone' | undefined): string => {
  if (failMode === 'standalone')
    return 'its fail mode is standalone: without a controller it forwards like a plain switch and drops its flows; ovs-vsctl set-fail-mode BRIDGE secure'
  const others = 'it was restarted, or another controller removed them'
  return failMode === 'secure' ? others : `${others}, or its fail mode is not secure (no agent tells)`
}

const findSwitch = ({ controller }: Services, text: string): SwitchView => {
  const dpid = dpidOf(text)
  const found = controller.switch(dpid)
  if (found) return found
  throw problem('unknown-switch', [dpid], { what: dpid })
}
