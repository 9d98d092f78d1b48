// Carries out one event, and says where and how long frames may be lost for it.
import { availableParallelism, loadavg } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Window } from './judge.ts'
import { type Event, type NetworkPlan, spell } from './plan.ts'
import { now, type Stage } from './stage.ts'

/** Milliseconds after which a link that carries nothing must be out of use, while a controller runs. */
const outOfUse = 1500
/** Where others keep the processors busy, all takes longer: then twice the time is given, and that is told. */
export const isBusy = (): boolean => loadavg()[0]! > 2 * availableParallelism()
/** A switch that has lost its flows has them again so long (milliseconds) after it has connected. */
const filled = 2000

/** So long (milliseconds) it takes to end a switch's daemon, and to start it again. */
const killed = 1000

/** Something is missing since `from`; `until` is not known before it is back. */
export type Absence = {
  readonly from: number
  until: number | undefined
  /** The node that is missing because it died: that it does is no excuse for being waited for. */
  readonly died?: number
}
/** What an event was, in times of one clock. */
export type Happened = {
  readonly event: Event
  readonly at: number
  /** Where frames are lost for it. */
  readonly where: readonly Window['where'][]
  /** When it was undone, or what it broke was whole again. */
  ended: number | undefined
}

export async function carryOut(stage: Stage, event: Event, first: NetworkPlan, absent: Absence[]): Promise<Happened> {
  const at = now()
  const happened: Happened = { event, at, where: whereOf(event), ended: undefined }
  const absence: Absence = { from: at, until: undefined }
  switch (event.is) {
    case 'kill':
    case 'terminate':
      absent.push(absence)
      await stage.endController(event.is === 'kill' ? 'SIGKILL' : 'SIGTERM')
      await sleep(event.lasts)
      await stage.startController()
      await connected(stage)
      absence.until = now()
      break
    case 'cost':
      // While no controller runs nobody can be asked.
      await asked(stage, 'PUT', stage.linkPath(event.link), { cost: event.cost })
      break
    case 'silence':
      await stage.mesh.lose(event.link[0], event.link[1], 1)
      await sleep(event.lasts)
      await stage.mesh.lose(event.link[0], event.link[1], 0)
      break
    case 'cut': {
      // Open vSwitch takes no notice of `mod-port down` for a tunnel: its port has to go.
      const { ovs, bridge, links } = stage.mesh.node(event.link[0])
      const port = `vx${event.link[1]}`
      const options = (await ovs.vsctl('get', 'interface', port, 'options')).trim()
      await ovs.vsctl('del-port', bridge, port)
      await sleep(event.lasts)
      const settings = ['type=vxlan', `options=${options}`, `ofport_request=${links.get(event.link[1])}`]
      await ovs.vsctl('add-port', bridge, port, '--', 'set', 'interface', port, ...settings)
      break
    }
    case 'crash':
      await stage.mesh.node(event.node).restart({ kill: true })
      await connected(stage)
      break
    case 'away':
      absent.push(absence)
      await stage.mesh.lose(event.node, 'ctl', 1)
      await sleep(event.lasts)
      await stage.mesh.lose(event.node, 'ctl', 0)
      await connected(stage)
      absence.until = now()
      break
    case 'die': {
      const death: Absence = { ...absence, died: event.node }
      absent.push(death)
      const { dpid } = stage.mesh.node(event.node)
      const before = await remoteOf(stage, dpid)
      await stage.mesh.lose(event.node, 'ctl', 1)
      await stage.mesh.node(event.node).restart({ kill: true })
      await sleep(event.lasts)
      await stage.mesh.lose(event.node, 'ctl', 0)
      // For some seconds its connection seems to stand.
      for (const end = now() + 30_000; now() < end && (await remoteOf(stage, dpid)) === before; ) await sleep(50)
      await connected(stage)
      death.until = now()
      break
    }
    case 'attach': {
      const path = `/v1/networks/${first.id}/attachments/${stage.mesh.node(event.node).dpid}/3`
      await asked(stage, 'PUT', `${path}?wait=5s`, {})
      await sleep(event.lasts)
      // An answer says that it is decided; that nothing comes to the port any more is what `programmed` says.
      await asked(stage, 'DELETE', `${path}?wait=5s`, undefined, ({ state }) => state === 'programmed')
      break
    }
  }
  happened.ended = now()
  return happened
}

/** Asks again while no controller answers, or not what is waited for. */
async function asked(
  stage: Stage,
  method: string,
  path: string,
  body?: object,
  isEnough: (body: { readonly state?: string }) => boolean = () => true,
): Promise<void> {
  for (const end = now() + 60_000; ; await sleep(50)) {
    const answer = await stage.rest(method, path, body).catch(error => ({ status: 0, body: String(error) }))
    if (answer.status >= 200 && answer.status < 300 && isEnough(answer.body)) return
    if (now() > end) throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`)
  }
}

/** From where a switch is connected; the controller may be gone for the moment. */
async function remoteOf(stage: Stage, dpid: string): Promise<string | undefined> {
  const answer = await stage.rest('GET', `/v1/switches/${dpid}`).catch(() => undefined)
  return answer?.body.remote
}

/** Every switch is live again. Gives up after half a minute: then the round says so. */
async function connected(stage: Stage): Promise<void> {
  for (const end = now() + 30_000; now() < end; await sleep(50)) {
    const answer = await stage.rest('GET', '/v1/switches').catch(() => undefined)
    const switches: { state: string; connected: boolean }[] = answer?.body.switches ?? []
    if (switches.length >= stage.mesh.nodes.length && switches.every(sw => sw.connected && sw.state === 'live')) return
  }
}

function whereOf(event: Event): readonly Window['where'][] {
  if (event.is === 'silence') return [{ is: 'link', link: event.link }]
  if (event.is === 'cut')
    return [...event.link.map(node => ({ is: 'switch', node }) as const), { is: 'link', link: event.link }]
  if (event.is === 'crash') return [{ is: 'switch', node: event.node }]
  return event.is === 'die'
    ? [
        { is: 'switch', node: event.node },
        { is: 'member', node: event.node },
      ]
    : []
}

/**
 * Where and when frames may be lost. A link that is dead, or a switch that is empty, may be in use until it was found out, which
 * begins only when the controller is there and can tell every switch.
 */
export function windowsOf(
  happened: readonly Happened[],
  absent: readonly Absence[],
  end: number,
  busy: boolean,
): readonly Window[] {
  const found = outOfUse * (busy ? 2 : 1)
  return happened.flatMap(({ event, at, where, ended = end }) => {
    const back = ended + filled + found
    const others = absent.filter(({ died }) => died === undefined || event.is !== 'die' || died !== event.node)
    const stretched = (until: number) => {
      for (const absence of others.toSorted((a, b) => a.from - b.from))
        if (absence.from <= until) until = Math.max(until, (absence.until ?? end) + found)
      return until
    }
    if (event.is === 'die') {
      const [left, whole] = [at + killed + found, back].map(stretched)
      return where.map(pin => ({
        ...{ why: spell(event), where: pin, from: at - 100 },
        // It is out of use as fast as a dead link; its own members are cut off until it has its flows again.
        until: pin.is === 'member' ? whole! : left!,
      }))
    }
    const until = stretched(event.is === 'crash' ? back : at + found)
    // What is mended carries frames again at once; those that were on their way then are the last to be lost.
    const last = event.is === 'crash' ? until : Math.min(until, ended + 100)
    return where.map(pin => ({ why: spell(event), where: pin, from: at - 100, until: last }))
  })
}
