/** A network: told to the controller with the ports of its pods, and what the controller says of it told to people. */

import { type Output, RefusedError } from '../../api/contract/client.ts'
import { parseNetworkId } from '../kube/names.ts'
import type { InterfaceClaim, L2Network } from '../kube/objects.ts'
import { isIdsPod } from './ids.ts'
import { networkStatus, writeStatus } from './network-status.ts'
import { NotYet, vlinkBody } from './vlink.ts'
import { type Attachment, forAll, isUsed, type Member, orAbsent, podKey, type Work } from './work.ts'

/** Milliseconds: while switches do not have it yet, and while they do not get it. */
const soon = 150
const patient = 3_000

export type Networks = { readonly reconcile: (id: string) => Promise<number | undefined> }

/** `changed`: what the switches have of a pod's ports may be something else than before. */
export const networkReconciler = (work: Work, changed: (pod: string) => void): Networks => ({
  reconcile: async id => {
    const parts = parseNetworkId(id)
    if (!parts) return undefined
    const { world } = work
    const network = world.l2networks.get(`${parts.namespace}/${parts.name}`)
    const isNad = world.isNad(parts.namespace, parts.name)
    if (network && isNad) {
      work.seen.told.add(id)
      await writeStatus(work, network, {
        problem: {
          reason: 'NameTaken',
          message: 'a NetworkAttachmentDefinition of this name is a network, too: delete one of them',
        },
      })
      return undefined
    }
    if (!network && !isNad) {
      await forget(work, id, changed)
      return undefined
    }
    try {
      const seen = await make(work, id, network)
      const members = await attach(work, id, network)
      work.seen.told.add(id)
      const isSettled = note(work, members, changed) && noteIds(work, id, network, seen, changed)
      if (network) await writeStatus(work, network, networkStatus(world, id, members, seen))
      if (isSettled) return undefined
      return members.every(({ attachment }) => attachment?.state !== 'degraded') ? soon : patient
    } catch (error) {
      // Its nodes must be known before it can be said that something is missing.
      if (error instanceof NotYet && work.seen.nodes.size > 0) work.seen.told.add(id)
      if (network) await writeStatus(work, network, { problem: problemOf(error) })
      throw error
    }
  },
})

const problemOf = (error: unknown) =>
  error instanceof NotYet ? { reason: 'Pending', message: error.message } : troubleOf(error)

const troubleOf = (error: unknown) => ({
  reason: error instanceof RefusedError ? 'Refused' : 'ControllerAway',
  message: `the controller ${error instanceof RefusedError ? 'refuses' : 'can not be told'}: ${(error as Error).message}`,
  isAway: !(error instanceof RefusedError),
})

/** It is not there any more: neither it nor its ports in the switches. Pods keep their interfaces, which lead nowhere. */
const forget = async (
  { world, controller, seen, log }: Work,
  id: string,
  changed: (pod: string) => void,
): Promise<void> => {
  const known = await orAbsent(controller.getNetwork({ network: id }))
  if (known) {
    await controller.deleteNetwork({ network: id })
    log.info({ network: id }, 'network deleted')
  }
  for (const { name, spec } of world.ledger.in(id)) {
    seen.programmed.set(name, { isProgrammed: false, why: `network ${id} does not exist any more` })
    changed(podKey(spec))
  }
}

type Network = Output<'getNetwork'>

const make = async (work: Work, id: string, network: L2Network | undefined): Promise<Network> => {
  const { controller, log } = work
  const there = await orAbsent(controller.getNetwork({ network: id }))
  const isVlink = network?.spec.type === 'vlink'
  type Body = Parameters<typeof controller.putNetwork>[0]['body']
  if (there && (there.type === 'vlink') !== isVlink) {
    // One of another type has the id: it was made anew while nobody looked.
    await controller.deleteNetwork({ network: id })
    return make(work, id, network)
  }
  const mirror = mirrorOf(work, id, network)
  const body: Body = isVlink
    ? vlinkBody(work, id, network)
    : {
        ...{ type: 'vnet', multicast: network?.spec.multicast ?? 'flood', mirror: mirror ?? null },
        // What else a strict network is: no flood for nobody, answers in the switch. Pods' ports say their guard themselves.
        guard: network?.spec.guard === 'strict' ? 'strict' : null,
      }
  const isSame = isVlink
    ? sameVlink(there, body)
    : there?.multicast === body.multicast &&
      (there?.guard ?? null) === body.guard &&
      there?.mirror?.dpid === mirror?.dpid &&
      there?.mirror?.port === mirror?.port
  if (there && isSame) return there
  const made = await controller.putNetwork({ network: id, body })
  log.info({ network: id }, there ? 'network changed' : 'network made')
  return made
}

/** The port of the network's IDS, if it has one. */
const mirrorOf = (work: Work, id: string, network: L2Network | undefined) => {
  const ids = work.world.ledger.in(id).find(({ spec }) => isIdsPod(work, network, spec) && isUsed(work.world, spec))
  return ids && { dpid: ids.spec.interface.dpid, port: ids.spec.interface.port }
}

const sameVlink = (there: Network | undefined, body: object): boolean =>
  there !== undefined &&
  Object.entries(body).every(
    ([field, value]) => JSON.stringify(there[field as keyof Network]) === JSON.stringify(value),
  )

/** Puts the ports of pods into it that are not, takes out those that are no pod's any more, and answers all. */
const attach = async (work: Work, id: string, network: L2Network | undefined): Promise<readonly Member[]> => {
  const { world, controller } = work
  const held = world.ledger.in(id).filter(({ spec }) => isUsed(world, spec) && !isIdsPod(work, network, spec))
  // A vlink has its two ports of its own: see vlink.ts.
  if (network?.spec.type === 'vlink') return held.map(one => ({ ...one, attachment: undefined }))
  const guard = network?.spec.guard ?? 'mac'
  const { attachments } = await controller.listAttachments({ network: id })
  const actual = new Map(attachments.map(one => [`${one.dpid}/${one.port}`, one]))
  const desired = new Map(held.map(one => [portOf(one.spec), one]))
  const namespace = parseNetworkId(id)!.namespace
  const surplus = attachments.filter(
    one => one.name?.startsWith(`${namespace}/`) && !desired.has(`${one.dpid}/${one.port}`),
  )
  await forAll(surplus, async ({ dpid, port }) => {
    await controller.deleteAttachment({ network: id, dpid, port: String(port) })
  })
  await forAll(desired.values(), async ({ spec }) => {
    const { mac, ips } = spec
    const body = {
      ...(mac !== undefined && { mac }),
      ...(ips && { ips: [...ips] }),
      name: podKey(spec),
      // A pod that was taken over may not have told its MAC. Where it must be held to one, the controller refuses it, and says so.
      guard: mac === undefined && guard !== 'strict' ? ('learn' as const) : guard,
    }
    const there = actual.get(portOf(spec))
    if (there && isSame(there, body)) return
    const { dpid, port } = spec.interface
    const input = { network: id, dpid, port: String(port), body }
    actual.set(portOf(spec), await put(work, input))
  })
  return held.map(one => ({ ...one, attachment: actual.get(portOf(one.spec)) }))
}

const portOf = ({ interface: { dpid, port } }: InterfaceClaim) => `${dpid}/${port}`

type Wish = { readonly mac?: string; readonly ips?: readonly string[]; readonly name: string; readonly guard: string }
const isSame = (there: Attachment, { mac, ips = [], name, guard }: Wish): boolean =>
  there.mac === mac && there.name === name && there.guard === guard && (there.ips ?? []).join() === ips.join()

type Put = Parameters<Work['controller']['putAttachment']>[0]

/** A port that another network of ours still has leaves that first: it was its last pod's, or its pod was moved. */
const put = async ({ controller, world, log }: Work, input: Put): Promise<Attachment> => {
  try {
    return await controller.putAttachment(input)
  } catch (error) {
    if (!(error instanceof RefusedError) || error.status !== 409) throw error
    const { networks } = await controller.listNetworks()
    for (const { id } of networks) {
      if (id === input.network || !parseNetworkId(id)) continue
      const { attachments } = (await orAbsent(controller.listAttachments({ network: id }))) ?? { attachments: [] }
      const there = attachments.find(one => one.dpid === input.dpid && String(one.port) === input.port)
      if (!there || world.ledger.in(id).some(({ spec }) => portOf(spec) === `${input.dpid}/${input.port}`)) continue
      log.info({ from: id, to: input.network, port: `${input.dpid}/${input.port}` }, 'port moved')
      // Its switch sees to it that it is in both at no time.
      const { dpid, port, network } = input
      await controller.moveAttachment({ network: id, dpid, port, body: { to: network } })
      return await controller.putAttachment(input)
    }
    throw error
  }
}

/** The same of the IDS, whose port is the network's own. */
const noteIds = (
  work: Work,
  id: string,
  network: L2Network | undefined,
  { mirror, state, reason = '' }: Network,
  changed: (pod: string) => void,
): boolean => {
  let isSettled = true
  for (const { name, spec } of work.world.ledger.in(id)) {
    if (!isIdsPod(work, network, spec) || !isUsed(work.world, spec)) continue
    const isProgrammed =
      state === 'programmed' && mirror?.dpid === spec.interface.dpid && mirror.port === spec.interface.port
    if (work.seen.programmed.get(name)?.isProgrammed !== isProgrammed) changed(podKey(spec))
    work.seen.programmed.set(name, { isProgrammed, why: reason })
    isSettled &&= isProgrammed
  }
  return isSettled
}

/** Remembers what the switches have. Answers whether they have all. */
const note = ({ seen }: Work, members: readonly Member[], changed: (pod: string) => void): boolean => {
  let isSettled = true
  for (const { name, spec, attachment } of members) {
    const isProgrammed = attachment === undefined || attachment.state === 'programmed'
    const why = attachment?.reason ?? ''
    const before = seen.programmed.get(name)
    seen.programmed.set(name, { isProgrammed, why })
    if (before?.isProgrammed !== isProgrammed || before.why !== why) changed(podKey(spec))
    isSettled &&= isProgrammed
  }
  return isSettled
}
