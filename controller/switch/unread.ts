// Flows that a switch does not tell: it may hold some of ours there, and others. What can be read is put right all the same, and of the
// rest nothing is claimed. Pure.
import type { MissingFlows } from '../../openflow/session/session.ts'
import { cookie } from '../compile/cookie.ts'
import type { Item } from '../compile/item.ts'

/** What the last reading lacked, and how many readings in a row lacked something. */
export type Unread = { readonly parts: readonly MissingFlows[]; readonly times: number }

export const allRead: Unread = { parts: [], times: 0 }

/** As many readings in a row that lack something follow each other at once; after that a switch is read as it always is. */
const soon = 3
export const isReadSoon = ({ parts, times }: Unread): boolean => parts.length > 0 && times < soon

export const next = (before: Unread, parts: readonly MissingFlows[]): Unread =>
  parts.length === 0 ? allRead : { parts, times: before.times + 1 }

const fits = (part: MissingFlows, value: bigint): boolean => (value & part.cookieMask) === part.cookie

/** It may be there, and was not told. */
export const isUnread = ({ parts }: Unread, item: Item): boolean =>
  item.kind === 'flow' && parts.some(part => (part.tableId ?? item.tableId) === item.tableId && fits(part, item.cookie))

/** In words, what was not told that may be of this network; undefined: nothing. */
export const unreadOf = ({ parts }: Unread, number: number): string | undefined =>
  parts.find(part => [...cookiesOf(number)].some(value => fits(part, value)))?.words

function* cookiesOf(number: number): Iterable<bigint> {
  if (number === 0) yield cookie('base')
  else for (const kind of ['network', 'learned', 'suppressed', 'multicast'] as const) yield cookie(kind, number)
}
