/** The agent of a node: it takes a plan from a controller or a file, carries it out, and reports the result. */

import { UnreachableError } from '../api/contract/client.ts'
import type { NodeReport } from '../api/contract/node-schemas.ts'
import { reportEvery } from '../api/contract/node-schemas.ts'
import { type Controller, clientOf, followPlan } from './client.ts'
import { json, serve } from './http.ts'
import type { Log } from './log.ts'
import type { TcpPlace } from './machine/tcp.ts'
import { createMetrics } from './metrics.ts'
import { followPlanFile, type PlanSource } from './plan-file.ts'
import { createReconcile, type Reconcile } from './reconcile.ts'
import { followReplacements } from './replacement.ts'

export type AgentOptions = {
  readonly node: string | undefined
  readonly source: { readonly file: string } | { readonly controller: Controller }
  /** Of the Unix socket of Open vSwitch's database. */
  readonly socket: string
  /** The folder for what the agent keeps itself. */
  readonly state: string
  /** Below it are the TLS files that a plan may name. */
  readonly tlsFolder: string
  readonly http: { readonly host: string; readonly port: number }
  readonly version: string
  readonly log: Log
}

export type Agent = {
  /** Where /metrics, /livez and /readyz are. */
  readonly port: number
  /** Stops looking. The switch, its ports and its flows stay. */
  close(): Promise<void>
}

/** Rejects when it can't listen. It waits for what is missing: a database, a controller, a plan. */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { node, source, socket, state, http, version, log } = options
  const metrics = createMetrics(version)
  const reconcile = createReconcile({
    ...{ node, socket, state, version, log, counters: metrics.counters, changed: () => changed() },
    tlsFolder: options.tlsFolder,
    controller: 'controller' in source ? placeOfUrl(source.controller.url) : undefined,
  })
  const reports = 'controller' in source ? sendReports(source.controller, reconcile, metrics.reported, log) : undefined
  let trouble: string | undefined = 'no plan yet'
  let wasReady = false
  const readiness = () => {
    const { state, reasons } = reconcile.health()
    const all = trouble === undefined || reasons.includes(trouble) ? reasons : [trouble, ...reasons]
    return { ready: state === 'ok' && all.length === 0, state, reasons: all }
  }
  const changed = () => {
    reports?.changed()
    if (wasReady || !readiness().ready) return
    wasReady = true
    log.info({ version }, 'ready: the node is as planned')
  }
  const pages = {
    '/livez': async () => json(200, { live: true }),
    '/readyz': async () => {
      const state = readiness()
      return json(state.ready ? 200 : 503, state)
    },
    '/metrics': async () => ({
      ...{ status: 200, type: metrics.registry.contentType },
      text: await metrics.scrape(reconcile.health(), reconcile.report()),
    }),
  }
  try {
    const server = await serve(pages, http.host, http.port)
    const replacements = followReplacements(socket, () => node ?? reconcile.report()?.node, log)
    const plans = follow(options, reconcile, why => {
      trouble = why
      changed()
    })
    return {
      port: server.port,
      close: async () => {
        plans.close()
        replacements.close()
        reports?.close()
        await Promise.all([server.close(), reconcile.close()])
      },
    }
  } catch (error) {
    reports?.close()
    await reconcile.close()
    throw error
  }
}

const placeOfUrl = ({ hostname, port, protocol }: URL): TcpPlace => ({
  host: hostname.replace(/^\[(.*)\]$/, '$1'),
  port: Number(port || (protocol === 'https:' ? 443 : 80)),
})

/** @param trouble Called with why no plan comes, and with nothing when one came. */
function follow(
  { node, source, log }: AgentOptions,
  reconcile: Reconcile,
  trouble: (why: string | undefined) => void,
): PlanSource {
  const take = (plan: Parameters<Reconcile['setPlan']>[0]) => {
    if (node !== undefined && plan.node !== node)
      return log.error({}, `the plan is for node ${plan.node}, and this is node ${node}: it is ignored`)
    const { version, bridge, links, interfaces } = plan
    log.info({ version, bridge, links: links.length, interfaces: interfaces.fixed }, 'new plan')
    reconcile.setPlan(plan)
    trouble(undefined)
  }
  const complain = (why: string) => {
    log.error({}, `${why}; the node stays as it is`)
    trouble(why)
  }
  const well = () => trouble(undefined)
  if ('file' in source) return followPlanFile(source.file, take, complain)
  const returned = () => {
    log.info({}, 'the controller answers again')
    reconcile.controllerReturned()
  }
  return followPlan(source.controller, node!, { take, complain, returned, well })
}

/** Milliseconds: changes within `gather` are one report; a report that failed is repeated after `retry`. */
const gather = 200
const retry = 2_000

/** Sends a report when something changed, and every `reportEvery` seconds if nothing did. */
function sendReports(
  controller: Controller,
  reconcile: Reconcile,
  reported: (result: 'ok' | 'failed') => void,
  log: Log,
): { changed(): void; close(): void } {
  const stop = new AbortController()
  let client = clientOf(controller)
  let sent = ''
  let timer: NodeJS.Timeout | undefined
  let sending = false
  let failing = false
  const send = async (anyway: boolean) => {
    const report = sending || stop.signal.aborted ? undefined : reconcile.report()
    if (!report) return
    const what = content(report)
    if (what === sent && !anyway) return
    sending = true
    try {
      await client.putNodeReport({ node: report.node, body: report }, { signal: stop.signal, timeout: 5_000 })
      sent = what
      reported('ok')
      if (failing) log.info({}, 'reports arrive again')
      failing = false
    } catch (error) {
      if (stop.signal.aborted) return
      reported('failed')
      if (error instanceof UnreachableError) {
        client.close()
        client = clientOf(controller)
      }
      if (!failing) log.warn({}, `a report to the controller failed: ${(error as Error).message}`)
      failing = true
      soon(retry)
    } finally {
      sending = false
    }
    if (content(reconcile.report() ?? report) !== sent) soon(failing ? retry : gather)
  }
  const soon = (delay: number) => {
    if (!stop.signal.aborted)
      timer ??= setTimeout(() => {
        timer = undefined
        void send(false)
      }, delay)
  }
  const often = setInterval(() => void send(true), reportEvery * 1000).unref()
  return {
    changed: () => soon(gather),
    close() {
      stop.abort()
      client.close()
      clearTimeout(timer)
      clearInterval(often)
    },
  }
}

/** Everything but the time. */
const content = ({ time: _, ...rest }: NodeReport): string => JSON.stringify(rest)
