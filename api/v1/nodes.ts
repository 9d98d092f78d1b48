import { deleteNode, putNode } from '../../store/nodes.ts'
import { refuse } from '../../store/refusals.ts'
import type { Node } from '../../store/state.ts'
import * as schemas from '../contract/mesh-schemas.ts'
import {
  type NodePlan,
  NodePlan as NodePlanSchema,
  type NodeReport,
  NodeReport as NodeReportSchema,
} from '../contract/node-schemas.ts'
import type { Wire } from '../contract/schemas.ts'
import { shown } from '../contract/shown.ts'
import { sendList } from '../http/lists.ts'
import { problem, refusalProblem } from '../http/problems.ts'
import { type App, type Services, write } from '../http/services.ts'
import { nodeTeller } from './node-events.ts'
import { planOf } from './node-plan.ts'
import { type NodeReports, nodeReports, statusOf } from './node-reports.ts'
import { type NodeWatch, watchNodes } from './node-watch.ts'
import { waitOf } from './progress.ts'
import { remainsOn } from './remains.ts'

export type NodeServices = Services & { readonly reports: NodeReports; readonly watch: NodeWatch }

export const nodeServices = (services: Services): NodeServices => {
  const { store, stopping } = services
  const reports = nodeReports(() => performance.now())
  const stop = store.watch(({ nodes }, state) => void (nodes && reports.prune(name => state.nodes.has(name))))
  stopping.addEventListener('abort', stop)
  return { ...services, reports, watch: watchNodes(store, stopping) }
}

export const nodeRoutes = (app: App, services: NodeServices): void => {
  declarationRoutes(app, services)
  agentRoutes(app, services)
}

const tags = ['nodes']

/** For who declares nodes. */
const declarationRoutes = (app: App, services: NodeServices): void => {
  const { store } = services
  const path = '/v1/nodes/:node'

  app.get(
    '/v1/nodes',
    {
      schema: {
        tags,
        summary: 'All nodes, by name, and what differs from the plan of each',
        response: { 200: schemas.Nodes },
      },
    },
    async (_, reply) =>
      sendList(services, reply, 'nodes', () => {
        const { revision, nodes } = store.state()
        const items = [...nodes.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
        return { head: { revision }, items, each: node => statusNow(services, node) }
      }),
  )

  app.get(
    path,
    {
      schema: {
        tags,
        summary: 'One node: its plan, the last report of its agent, and what differs',
        params: schemas.NodePath,
        response: { 200: schemas.Node },
      },
    },
    async request => nodeNow(services, findNode(services, request.params.node)),
  )

  app.put(
    path,
    {
      schema: {
        tags,
        summary: 'Declares or changes a node; its agent configures the switch',
        params: schemas.NodePath,
        body: schemas.NodeSpec,
        response: { 200: schemas.Node, 201: schemas.Node },
      },
    },
    async (request, reply) => {
      const { links, ...spec } = request.body
      const { created, node } = await write(services, request.actor, draft =>
        putNode(draft, { ...spec, name: request.params.node }, links),
      )
      return reply.code(created ? 201 : 200).send(nodeNow(services, node))
    },
  )

  app.delete(
    path,
    {
      schema: {
        tags,
        summary: 'Deletes a node; its switch stays until l2sm agent --remove',
        params: schemas.NodePath,
        response: { 200: schemas.NodeDeleted },
      },
    },
    async request => {
      const dpid = store.state().nodes.get(request.params.node)?.dpid
      const result = await write(services, request.actor, draft => deleteNode(draft, request.params.node))
      return { ...result, remains: dpid === undefined ? [] : [...remainsOn(store.state(), dpid)] }
    },
  )
}

/** For agents. */
const agentRoutes = (app: App, services: NodeServices): void => {
  const { store, reports, controller, emit } = services
  const tell = nodeTeller(emit, node => store.state().nodes.has(node))

  app.get(
    '/v1/nodes/:node/plan',
    {
      config: { agent: true },
      schema: {
        tags,
        summary: 'The plan of a node; with ?unless=VERSION&wait=30s, once it is another version',
        params: schemas.NodePath,
        querystring: schemas.PlanQuery,
        response: { 200: NodePlanSchema },
      },
    },
    async request => {
      const { node } = request.params
      const { unless } = request.query
      const wait = waitOf(request.query)
      if (wait === undefined) return planNow(services, node)
      const answer = () => {
        const known = store.state().nodes.has(node) ? planNow(services, node) : undefined
        return known?.version === unless ? undefined : known
      }
      return services.watch.until(answer, wait, () => planNow(services, node))
    },
  )

  app.put(
    '/v1/nodes/:node/report',
    {
      config: { agent: true },
      schema: {
        tags,
        summary: 'The report of the agent of a node',
        params: schemas.NodePath,
        body: NodeReportSchema,
        response: { 200: schemas.Reported },
      },
    },
    async request => {
      const { body } = request
      const node = findNode(services, request.params.node)
      const { name, dpid } = node
      if (body.node !== name)
        throw problem('report-of-another-node', [shown(body.node), shown(name)], {
          ...{ where: 'body/node', expected: shown(name), got: shown(body.node) },
        })
      reports.put(body)
      controller.tunnelsNotified(dpid, tunnelsOf(body))
      tell(name, statusNow(services, node))
      return { plan: planNow(services, name).version, revision: store.state().revision }
    },
  )
}

/** Whether BFD is up, by port. */
const tunnelsOf = ({ ports }: NodeReport): ReadonlyMap<number, boolean> =>
  new Map(ports.flatMap(({ port, bfd }) => (port === undefined || bfd === undefined ? [] : [[port, bfd === 'up']])))

const findNode = ({ store }: Services, name: string): Node => {
  const node = store.state().nodes.get(name)
  if (!node) throw refusalProblem(refuse('unknown-node', name))
  return node
}

const planNow = (services: Services, name: string): NodePlan => planOf(services.store.state(), findNode(services, name))

/** The status of a node, without its plan and its report. */
export const statusNow = (services: NodeServices, node: Node, plan = planOf(services.store.state(), node)) => {
  const reported = services.reports.of(node.name)
  const { state, missing, warnings } = statusOf(plan, reported, services.controller.switch(node.dpid))
  return {
    name: node.name,
    dpid: node.dpid,
    bridge: plan.bridge,
    address: node.address,
    state,
    missing: [...missing],
    warnings: [...warnings],
    ...(reported && { reported: reported.at.toISOString() }),
    links: plan.links.length,
  }
}

const nodeNow = (services: NodeServices, node: Node): Wire<typeof schemas.Node> => {
  const plan = planOf(services.store.state(), node)
  const report = services.reports.of(node.name)?.report
  const { revision } = services.store.state()
  return { ...statusNow(services, node, plan), plan, ...(report && { report }), revision }
}
