import type { Progress } from '../../controller/view/view.ts'
import { duration, durationWords } from '../contract/duration.ts'
import { shown } from '../contract/shown.ts'
import { problem } from '../http/problems.ts'
import type { Services } from '../http/services.ts'

/** What is asked about: a network, or one attachment in it (by endpointKey), at a revision. */
export type Subject = { readonly network: string; readonly revision: number; readonly attachment?: string }

/** The milliseconds of `?wait=`; undefined when it was not asked for. */
export const waitOf = ({ wait }: { readonly wait?: string }): number | undefined => {
  if (wait === undefined) return undefined
  const milliseconds = duration(wait)
  if (milliseconds !== undefined) return milliseconds
  const [where, got] = ['query/wait', shown(wait)]
  throw problem('bad-value', [where, got, durationWords], { where, expected: durationWords, got })
}

/** How far the switches are right now. */
export const progressNow = ({ controller }: Services, subject: Subject): Progress =>
  honest(
    subject,
    subject.attachment === undefined ? controller.network(subject.network) : controller.attachment(subject.attachment),
  )

/** How far they are when they have it, or when the time is over, or when the controller stops. */
export const progressAfter = async (services: Services, subject: Subject, wait: number): Promise<Progress> => {
  const { controller, stopping } = services
  if (stopping.aborted) return progressNow(services, subject)
  const stopped = Promise.withResolvers<undefined>()
  const stop = () => stopped.resolve(undefined)
  stopping.addEventListener('abort', stop)
  try {
    const settled = controller.settled(subject.network, subject.revision, wait, subject.attachment)
    const progress = await Promise.race([settled, stopped.promise])
    return progress ? honest(subject, progress) : progressNow(services, subject)
  } finally {
    stopping.removeEventListener('abort', stop)
  }
}

/** `programmed` is never said of an older revision than the one that is asked about. */
const honest = ({ revision }: Subject, progress: Progress | undefined): Progress => {
  if (progress === undefined) return { state: 'pending', reason: 'no switch has been told yet', revision }
  if (progress.state === 'programmed' && progress.revision < revision)
    return { state: 'pending', reason: `the switches have revision ${progress.revision} of it`, revision }
  return { ...progress, revision }
}
