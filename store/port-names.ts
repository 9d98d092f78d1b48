// An attachment may be of a port by its name: then it goes where that name goes, whatever number the switch gives it.
import { type DatapathId, endpointKey, type PortNo } from '../topology/topology.ts'
import { attachmentKey, attachmentsAt } from './attachments.ts'
import type { Draft } from './draft.ts'
import { declaredLinkAt } from './overlay.ts'
import type { Attachment, State } from './state.ts'

/** The ports that a switch has, by name. */
export type PortNames = ReadonlyMap<string, PortNo>

/**
 * The ports that have a name of their own. A switch cuts names (OpenFlow 1.3.5 §7.2.1: 16 bytes), so that several ports may
 * have one: then it means none of them, and no attachment goes there.
 * @param shared Names that several ports have had since we know the switch: which of them is left is chance.
 */
export function ownNames(
  ports: Iterable<{ readonly name: string; readonly portNo: PortNo }>,
  shared: Set<string> = new Set(),
): PortNames {
  const names = new Map<string, PortNo>()
  for (const { name, portNo } of ports) {
    if (names.has(name)) shared.add(name)
    names.set(name, portNo)
  }
  for (const name of shared) names.delete(name)
  return names
}

/** Attachments of this switch that have another number than the port of their name has now, and that number. */
export const renumbered = ({ named }: Pick<State, 'named'>, dpid: DatapathId, ports: PortNames) =>
  [...(named.get(dpid)?.values() ?? [])].flatMap(attachment => {
    const port = ports.get(attachment.portName!)
    return port === undefined || port === attachment.port ? [] : [{ attachment, port }]
  })

/**
 * Gives every attachment by name the number that its port has now; two may change places. One whose number is somebody else's,
 * by number or as a link's, stays where it is: the port there has another name, so nothing is delivered to it.
 */
export const followNames = (draft: Draft, dpid: DatapathId, ports: PortNames): void => {
  let moves = renumbered(draft, dpid, ports)
  for (let before = -1; before !== moves.length; ) {
    before = moves.length
    const leaving = new Set(moves.map(({ attachment }) => attachmentKey(attachment)))
    moves = moves.filter(({ attachment, port }) => {
      const there = endpointKey({ dpid, port })
      const stay = attachmentsAt(draft, there).some(other => !leaving.has(attachmentKey(other)))
      return !stay && !isTaken(draft, there, attachment)
    })
  }
  for (const { attachment } of moves) draft.deleteAttachment(attachmentKey(attachment))
  for (const { attachment, port } of moves) draft.putAttachment({ ...attachment, port })
}

const isTaken = (draft: Draft, port: string, { network }: Attachment): boolean =>
  declaredLinkAt(draft, port) !== undefined ||
  draft.vlinkEnds.get(port) !== undefined ||
  (draft.mirrors.get(port) ?? network) !== network
