// Bundles for OpenFlow 1.3: ONF extension 230, messages 2300 and 2301 of experimenter 0x4f4e4600.
import { encode, type Message, type MessageOf } from '../../openflow/index.ts'
import { bundleFailed, type Failure, isFailure } from './errors.ts'
import { applyFlowMod, checkFlowMod } from './flow-mod.ts'
import { applyGroupMod, checkGroupMod } from './group-mod.ts'
import { type ErrorReply, errorReply } from './reply.ts'
import type { Bundle, Switch } from './switch.ts'

export function control(sw: Switch, message: MessageOf<'bundle_control'>): Failure | Message[] {
  const { bundleId, ctrlType, flags } = message
  const bundle = sw.bundles.get(bundleId)
  const reply = (type: MessageOf<'bundle_control'>['ctrlType']): Message[] => [{ ...message, ctrlType: type }]
  if (!ctrlType.endsWith('_request')) return bundleFailed('BAD_TYPE')
  if (ctrlType === 'open_request') return open(sw, bundleId, flags) ?? reply('open_reply')
  if (!bundle) return bundleFailed('BAD_ID')
  switch (ctrlType) {
    case 'close_request':
      if (bundle.closed) return drop(sw, bundleId, bundleFailed('BUNDLE_CLOSED'))
      if (bundle.flags !== flags) return drop(sw, bundleId, bundleFailed('BAD_FLAGS'))
      bundle.closed = true
      return reply('close_reply')
    case 'commit_request':
      sw.bundles.delete(bundleId)
      return bundle.flags === flags ? commit(sw, bundle, reply('commit_reply')) : bundleFailed('BAD_FLAGS')
    default:
      sw.bundles.delete(bundleId)
      return reply('discard_reply')
  }
}

function drop(sw: Switch, bundleId: number, failure: Failure): Failure {
  sw.bundles.delete(bundleId)
  return failure
}

function open(sw: Switch, bundleId: number, flags: number): Failure | undefined {
  if (sw.bundles.has(bundleId)) return drop(sw, bundleId, bundleFailed('BAD_ID'))
  sw.bundles.set(bundleId, { flags, messages: [], closed: false })
  return undefined
}

/** A message that is refused here is not part of the bundle, and the bundle stays as good as it was: so does Open vSwitch. */
export function add(sw: Switch, { xid, bundleId, flags, message }: MessageOf<'bundle_add'>): Failure | Message[] {
  if (message.xid !== xid) return bundleFailed('MSG_BAD_XID')
  if (message.type !== 'flow_mod' && message.type !== 'group_mod') return bundleFailed('MSG_UNSUP')
  const failure = message.type === 'flow_mod' ? checkFlowMod(sw.kind, message) : checkGroupMod(sw.kind, message)
  if (failure && isFailure(failure)) return failure
  const bundle = sw.bundles.get(bundleId) ?? { flags, messages: [], closed: false }
  if (bundle.closed) return drop(sw, bundleId, bundleFailed('BUNDLE_CLOSED'))
  if (bundle.flags !== flags) return drop(sw, bundleId, bundleFailed('BAD_FLAGS'))
  sw.bundles.set(bundleId, bundle)
  bundle.messages.push(message)
  return []
}

/** All of it in order, or, when one message fails, nothing: then its error comes, and one for the commit. */
function commit(sw: Switch, { messages, flags }: Bundle, done: Message[]): Failure | Message[] {
  sw.undo = []
  const replies: Message[] = []
  let failed: ErrorReply | undefined
  for (const message of messages) {
    const outcome =
      message.type === 'flow_mod' ? applyFlowMod(sw, message) : applyGroupMod(sw, message as MessageOf<'group_mod'>)
    if (isFailure(outcome)) {
      failed = errorReply(message.xid, outcome, encode(message))
      break
    }
    replies.push(...outcome)
  }
  const undo = sw.undo
  sw.undo = undefined
  if (!failed) return [...replies, ...done]
  for (const takeBack of undo.reverse()) takeBack()
  return [
    failed,
    errorReply(
      done[0]!.xid,
      bundleFailed('MSG_FAILED'),
      encode({ ...done[0]!, ctrlType: 'commit_request', flags } as Message),
    ),
  ]
}
